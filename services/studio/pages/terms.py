"""What a plan costs, line by line, and how it differs from what a person was shown before."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rushes.job.v1 import job_pb2
from rushes.type.v1 import money_pb2

_Scene = job_pb2.ScenePlan
MADE = (_Scene.ACTION_MAKE, _Scene.ACTION_REMAKE)
WHY = {
    _Scene.REASON_UNCHANGED: "Its take fits and is used again",
    _Scene.REASON_NEW_SCENE: "Not filmed yet",
    _Scene.REASON_NO_TAKE: "Filmed, and nothing came of it",
    _Scene.REASON_CONTENT_CHANGED: "Its words or its look changed",
    _Scene.REASON_SEAM_CHANGED: "It starts or ends on another picture",
    _Scene.REASON_LAST_FRAME_MISSING: "The next scene needs its last frame",
    _Scene.REASON_ASKED: "Made again because you ask for it",
    _Scene.REASON_LEFT: "Left for another time",
    _Scene.REASON_MODEL_CHANGED: "Another model made its take",
    _Scene.REASON_SIZE_CHANGED: "Its take is a picture of another size",
}
"""Why a plan does what it does about a scene."""
_CHOICES = {"options.model": "Provider", "options.resolution": "Quality"}
_NAMED = 8
"""So many scenes are named that share a fault."""


class Line(NamedTuple):
    """Equal clips of a bill: how many, how long, by which model, how large, at what price each and together."""

    takes: int
    seconds: int
    model: str
    size: tuple[int, int]
    each: money_pb2.Money
    all: money_pb2.Money


class Was(NamedTuple):
    """What a person was shown of one scene; `digest` is the beginning of that of its words."""

    scene_id: str
    number: int
    seconds: int
    takes: int
    micros: int
    digest: str
    model: str

    def __str__(self) -> str:
        return " ".join(map(str, self))


class Change(NamedTuple):
    """One scene that is not what was shown."""

    number: int
    said: str


def refused(violations: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What cannot be made as it was chosen, each fault once: of what, of which scenes, and why."""
    found: dict[tuple[str, str], list[int]] = {}
    for field, why in violations:
        number, _, name = field.removeprefix("scenes[").partition("].")
        of_scene = [int(number) + 1] if number.isdecimal() else []
        found.setdefault((name if of_scene else field, why), []).extend(of_scene)
    return [(_where(field, numbers), why) for (field, why), numbers in found.items()]


def _where(field: str, scenes: Sequence[int]) -> str:
    if not scenes:
        return _CHOICES.get(field, field)
    named = ", ".join(f"{one:03}" for one in scenes[:_NAMED])
    more = f" and {len(scenes) - _NAMED} more" if len(scenes) > _NAMED else ""
    return f"{field.replace('_', ' ').capitalize()} of {named}{more}"


def bill(plan: job_pb2.Plan) -> list[Line]:
    """The lines that add up to the most one can pay."""

    def kind(one: job_pb2.ScenePlan) -> tuple[str, int, tuple[int, int], int]:
        each = one.most_you_can_pay.micros // max(1, one.takes)
        return one.model, one.duration.seconds, (one.size.width, one.size.height), each

    made = sorted((one for one in plan.scenes if one.action in MADE), key=kind)
    return [_line(*of, list(ones)) for of, ones in itertools.groupby(made, kind)]


def _line(model: str, seconds: int, size: tuple[int, int], micros: int, scenes: Sequence[job_pb2.ScenePlan]) -> Line:
    currency = scenes[0].most_you_can_pay.currency
    takes, together = sum(one.takes for one in scenes), sum(one.most_you_can_pay.micros for one in scenes)
    each = money_pb2.Money(currency=currency, micros=micros)
    return Line(takes, seconds, model, size, each, money_pb2.Money(currency=currency, micros=together))


def shown(plan: job_pb2.Plan) -> list[Was]:
    """What the person is shown, to be compared when it is agreed to."""
    return [
        Was(
            one.scene_id,
            one.scene_number,
            one.duration.seconds,
            one.takes,
            one.most_you_can_pay.micros,
            one.digest[:12] or "-",
            one.model or "-",
        )
        for one in plan.scenes
        if one.action in MADE
    ]


def read(told: Iterable[str]) -> list[Was]:
    """What a form brings back of `shown`; what is none of ours is left out."""
    found = []
    for line in told:
        scene_id, *numbers, digest, model = line.split(" ") if line.count(" ") == 6 else ("", "", "", "")
        if len(numbers) == 4 and all(one.isdecimal() for one in numbers):
            number, seconds, takes, micros = (int(one[:18]) for one in numbers)
            found.append(Was(scene_id, number, seconds, takes, micros, digest, model))
    return found


def changes(before: Sequence[Was], after: Sequence[Was]) -> list[Change]:
    """What a person should know before agreeing again, in the order of the scenes."""
    then, now = ({one.scene_id: one for one in ones} for ones in (before, after))
    told = [Change(one.number, said) for one in before for said in _said(one, now)]
    told += [Change(one.number, "is to be made too") for one in after if one.scene_id not in then]
    return sorted(told)


def _said(was: Was, now: Mapping[str, Was]) -> list[str]:
    found = now.get(was.scene_id)
    if found is None:
        return ["is not made any more"]
    told = []
    if found.number != was.number:
        told.append(f"is scene {found.number:03} now")
    if found.seconds != was.seconds:
        told.append(f"went from {was.seconds} s to {found.seconds} s")
    if found.takes != was.takes:
        told.append(f"went from {was.takes} to {found.takes} takes")
    if found.model != was.model:
        told.append(f"goes to {found.model} instead of {was.model}")
    if found.micros != was.micros and not told:
        told.append("has another price")
    if found.digest != was.digest and not told:
        told.append("has other words or another look")
    return told
