"""Manifests for the tests of what is written from them."""

from fractions import Fraction
from typing import Any

from services.compiler import edit, manifest, timeline
from services.compiler.edit import Card, Entry, Join, JoinKind, Scene, Trim
from services.compiler.manifest import File, Maker, Manifest, Shot, Source
from services.compiler.recipes import Profile

MAKER = Maker("openai", "openai/sora-2", "ab" * 32, "2026-11-21T10:00:00+00:00")
CARD = Card("The Letter", "a film", 48, "#000000", "#ffffff")


def entry(number: int, frames: int | None = None, first: int = 0, **fields: Any) -> Entry:
    """A cut from clip number `number`, which has 96 frames."""
    scene = Scene(f"sc_{number}", f"take_{number}", fields.pop("title", f"Scene {number}"))
    return Entry(scene, fields.pop("source", f"{number:064x}"), trim=Trim(first, frames), **fields)


def manifested(*entries: Entry, ending: Join | None = None, fps: Fraction = Fraction(24)) -> Manifest:
    """What a film of these cuts is written down as."""
    asked = edit.Edit("Das Boot: Teil 1", entries, ending=ending)
    places = timeline.place(asked, [48 if isinstance(one.source, Card) else 96 for one in entries])
    shots = tuple(
        Shot(
            number=place.number,
            title=place.title,
            scene_id=place.entry.scene.scene_id,
            take_id=place.entry.scene.take_id,
            start=place.start,
            frames=place.frames,
            first=place.first,
            source=None if isinstance(source := place.entry.source, Card) else Source(source, 96, True),
            card=source if isinstance(source, Card) else None,
            join=place.comes,
            lead=place.lead,
            tail=place.tail,
            gain_db=place.entry.gain_db,
            conformed=(),
            maker=MAKER,
        )
        for place in places
    )
    return Manifest(
        version=manifest.VERSION,
        film_id="film_1",
        title=asked.title,
        create_time="2026-11-21T10:00:00+00:00",
        software="Rushes",
        software_version="1.2.3",
        file=File("cd" * 32, 12345),
        profile=Profile(1280, 720, fps),
        frames=places[-1].end,
        generated=True,
        loudness=-14.0,
        language="de",
        shots=shots,
        ending=ending,
        captions=(),
        music=None,
        narrations=(),
    )


def everything(fps: Fraction = Fraction(24)) -> Manifest:
    """A film with every kind of cut in it."""
    return manifested(
        entry(0, source=CARD, title="", join=Join(JoinKind.DIP_TO_BLACK, 10)),
        entry(1, 60, 6),
        entry(2, 50, 12, join=Join(JoinKind.CROSSFADE, 13), gain_db=-3.0),
        entry(3, join=Join(JoinKind.DIP_TO_WHITE, 9)),
        entry(2, 24, 40, join=Join(JoinKind.WIPE_LEFT, 8)),
        ending=Join(JoinKind.DIP_TO_BLACK, 12),
        fps=fps,
    )
