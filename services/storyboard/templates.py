"""Scenes to begin with: what each fills in, and between angle brackets what the writer is to say."""

import dataclasses
from dataclasses import dataclass

from services.storyboard import domain


@dataclass(frozen=True, slots=True)
class SceneTemplate:
    """A scene for a purpose; its empty fields are the writer's."""

    key: str
    title: str
    purpose: str
    scene: domain.Scene

    @property
    def fills(self) -> tuple[str, ...]:
        """The fields that say something, in the order of a scene."""
        said = dataclasses.fields(self.scene)
        return tuple(field.name for field in said if getattr(self.scene, field.name) != field.default)


TEMPLATES = (
    SceneTemplate(
        "establishing",
        "Establishing shot",
        "Shows where the film is before anybody speaks.",
        domain.Scene(
            subject="<the place>, seen whole",
            action="nothing moves but <wind, water or traffic>",
            camera="extreme wide shot, static tripod or very slow push-in, 24 mm",
            lighting="<time of day>, available light",
            mood="expectant",
            seconds=4,
        ),
    ),
    SceneTemplate(
        "dialogue_two_shot",
        "Dialogue, two-shot",
        "Holds two people in one frame while they talk.",
        domain.Scene(
            subject="<one person> and <another>",
            action="talk, facing each other, small gestures only",
            camera="medium two-shot at eye level, static, 50 mm",
            lighting="soft key from the window side, gentle fill",
            dialogue='<name>: "<line>"',
            seconds=8,
        ),
    ),
    SceneTemplate(
        "close_up_reaction",
        "Close-up reaction",
        "Shows what somebody feels about what was just seen.",
        domain.Scene(
            subject="<a person>'s face",
            action="<the feeling> arrives slowly, held in the eyes",
            camera="tight close-up, shallow depth of field, 85 mm, static",
            lighting="one soft source, dark background",
            mood="<the feeling>",
            seconds=4,
            seam=domain.Seam.CUT,
        ),
    ),
    SceneTemplate(
        "action_follow",
        "Follow the action",
        "Goes along with somebody who moves.",
        domain.Scene(
            subject="<a person>",
            action="<runs, walks or drives> towards <the goal>, without stopping",
            camera="tracking shot from behind at shoulder height, handheld, 28 mm",
            mood="urgent",
            negative_prompt="slow motion, camera cut",
            seconds=6,
        ),
    ),
    SceneTemplate(
        "object_insert",
        "Insert of an object",
        "Shows the thing that the story turns on.",
        domain.Scene(
            subject="<the object>",
            action="a hand <takes, opens or puts down> it",
            camera="macro insert from above, static, 100 mm",
            lighting="hard side light that shows the surface",
            negative_prompt="faces",
            seconds=4,
        ),
    ),
    SceneTemplate(
        "continued_move",
        "One move, continued",
        "Goes on from the last frame of the scene before, without a cut.",
        domain.Scene(
            subject="<the same person or thing as before>",
            action="goes on <moving>, into <the next space>",
            camera="the same lens and speed as before",
            seconds=4,
            seam=domain.Seam.LAST_FRAME,
        ),
    ),
    SceneTemplate(
        "montage_beat",
        "Montage beat",
        "One of several short looks that tell time passing.",
        domain.Scene(
            subject="<a detail of the work>",
            action="<one repeated movement>",
            camera="close shot, off-centre, slow lateral slide, 35 mm",
            mood="steady",
            seconds=3,
        ),
    ),
    SceneTemplate(
        "closing_image",
        "Closing image",
        "Leaves the film on a picture that answers its first.",
        domain.Scene(
            subject="<the place of the first scene>, changed",
            action="<a person> leaves the frame; the place stays",
            camera="wide shot, very slow pull-back, 24 mm",
            lighting="<later light than at the beginning>",
            mood="at rest",
            seconds=6,
        ),
    ),
)
