"""The storyboard the tests are about."""

from google.protobuf.duration_pb2 import Duration

from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.type.v1 import clip_pb2, media_pb2


def still(key: str) -> media_pb2.Blob:
    return media_pb2.Blob(key=key, content_type="image/png", size_bytes=1200, sha256="ab" * 32)


def without_stills() -> pb.Storyboard:
    """The letter, as a guest can make it."""
    board = the_letter()
    for thing in (*board.characters, *board.locations):
        thing.ClearField("references")
    return board


def the_letter() -> pb.Storyboard:
    """Two people, a place, a thing, three scenes: every field is used somewhere. The stills are acme's."""
    return pb.Storyboard(
        name="The letter",
        logline="A lighthouse keeper answers a letter that is forty years late.",
        preset="noir",
        size=media_pb2.FrameSize(width=1920, height=1080),
        model="sandbox/reel-1",
        characters=[
            pb.Character(
                name="Mara Voss",
                profile="Woman of sixty, grey braid, oilskin coat",
                references=[still("t/acme/stills/mara-old"), still("t/acme/stills/mara")],
            ),
            pb.Character(name="Zoë"),
        ],
        locations=[
            pb.Location(
                name="Lantern room",
                description="Brass and salt-fogged glass.",
                references=[still("t/acme/stills/room")],
            )
        ],
        props=[pb.Prop(name="the letter", description="a yellowed envelope with a red stamp")],
        scenes=[
            pb.Scene(
                title="The stairs",
                subject="The lighthouse keeper",
                action="climbs the spiral stairs with a lamp",
                setting="Inside the tower, night.",
                camera="low angle, 35 mm, slow tilt up",
                lighting="one oil lamp",
                mood="patient",
                dialogue='Mara: "You took your time."',
                duration=Duration(seconds=4),
                seam=clip_pb2.SEAM_LAST_FRAME,
                cast=["Mara Voss"],
                location="Lantern room",
                props=["the letter"],
                negative_prompt="modern clothes,",
                seed=7,
                caption="1987",
            ),
            pb.Scene(
                title="The stamp",
                subject="A red stamp.",
                action="Fog crosses it",
                duration=Duration(seconds=6),
                seam=clip_pb2.SEAM_SHARED_KEYFRAME,
                model="sandbox/reel-2",
            ),
            pb.Scene(
                subject="Mara and Zoë at the rail",
                duration=Duration(seconds=8),
                seam=clip_pb2.SEAM_CUT,
                cast=["Zoë", "Mara Voss"],
            ),
        ],
    )
