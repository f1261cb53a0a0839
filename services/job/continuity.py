"""Seams as edges from each scene to the next: who waits for whom, what can be joined, and what a change makes stale.

Every edge leads from a scene to the one after it, so there are no cycles. Nothing here knows a database or a message.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from libs import errors
from services.job import domain

LONG_CHAIN = 4
"""Clips that each start on the last frame of the one before; from here on, a picture drifts visibly."""

LONGEST_CHAIN = 24


@dataclass(frozen=True, slots=True)
class Capability:
    """On which stills a model can start and end a clip."""

    first_frame: bool
    last_frame: bool


class SeamsRefused(errors.Invalid):
    """Some scenes cannot be joined as their seams say; change those seams or the models."""


def seam(scenes: Sequence[domain.Scene], index: int) -> domain.Seam:
    """How a scene joins the one before; the first is always a cut."""
    found = scenes[index].seam if index else domain.Seam.CUT
    return found or domain.Seam.CUT


def gives_frame(scenes: Sequence[domain.Scene], index: int) -> bool:
    """Whether the scene after it starts on its last frame."""
    return index + 1 < len(scenes) and seam(scenes, index + 1) is domain.Seam.LAST_FRAME


def closing(scenes: Sequence[domain.Scene], index: int, keyframes: Mapping[str, domain.Media]) -> domain.Media | None:
    """The still that a scene ends on: the one it shares with the scene after it."""
    if index + 1 < len(scenes) and seam(scenes, index + 1) is domain.Seam.SHARED_KEYFRAME:
        return keyframes.get(scenes[index + 1].scene_id)
    return None


def joined(scenes: Sequence[domain.Scene]) -> set[str]:
    """The models that have to start or end a clip on a still."""
    found = set()
    for index in range(1, len(scenes)):
        if seam(scenes, index) is not domain.Seam.CUT:
            found.add(scenes[index].model)
        if seam(scenes, index) is domain.Seam.SHARED_KEYFRAME:
            found.add(scenes[index - 1].model)
    return found


def check(
    scenes: Sequence[domain.Scene],
    made: Collection[str],
    able: Mapping[str, Capability],
    keyframes: Mapping[str, domain.Media],
) -> list[str]:
    """Warnings for people about the seams of the scenes that are to be made. Raises SeamsRefused naming every fault."""
    found = [fault for index in range(1, len(scenes)) for fault in _faults(scenes, index, made, able, keyframes)]
    warnings = []
    for first, last in chains(scenes):
        length = last - first + 1
        if length > LONGEST_CHAIN:
            remedy = f"should begin anew with a cut: {length} clips hang on each other, at most {LONGEST_CHAIN} can"
            found.append(errors.Violation(f"scenes[{first + LONGEST_CHAIN}].seam", remedy))
        elif length > LONG_CHAIN:
            warnings.append(
                f"Scenes {first + 1} to {last + 1} each start on the last frame of the one before: after {LONG_CHAIN}"
                " such clips a picture drifts; a cut begins anew."
            )
    if found:
        raise SeamsRefused(found)
    return warnings


def _faults(
    scenes: Sequence[domain.Scene],
    index: int,
    made: Collection[str],
    able: Mapping[str, Capability],
    keyframes: Mapping[str, domain.Media],
) -> Iterator[errors.Violation]:
    kind, scene, before = seam(scenes, index), scenes[index], scenes[index - 1]
    field = f"scenes[{index}].seam"
    nothing = Capability(False, False)
    if kind is domain.Seam.CUT:
        return
    if scene.scene_id in made and not able.get(scene.model, nothing).first_frame:
        yield errors.Violation(field, f"should be a cut, as {scene.model} cannot start a clip on a still")
    if kind is domain.Seam.SHARED_KEYFRAME:
        if scene.scene_id not in keyframes:
            yield errors.Violation(field, "should have its still in options.keyframes")
        if before.scene_id in made and not able.get(before.model, nothing).last_frame:
            yield errors.Violation(field, f"should be another, as {before.model} cannot end a clip on a still")


def chains(scenes: Sequence[domain.Scene]) -> Iterator[tuple[int, int]]:
    """First and last index of every run of scenes that hang on each other's last frames; runs of one are left out."""
    first = 0
    for index in range(1, len(scenes) + 1):
        if index == len(scenes) or seam(scenes, index) is not domain.Seam.LAST_FRAME:
            if index - first > 1:
                yield first, index - 1
            first = index


def stranded(slots: Sequence[domain.Slot], jobs: Sequence[domain.Job]) -> list[domain.Job]:
    """The jobs of a production that wait for a last frame that can never come, in film order."""
    of_scene: dict[int, list[domain.Job]] = {slot.scene_number: [] for slot in slots}
    for job in jobs:
        of_scene[job.scene_number].append(job)
    found, before_is_lost = list[domain.Job](), False
    for slot in slots:
        here = of_scene[slot.scene_number]
        lost = [job for job in here if before_is_lost and job.hold is domain.Hold.SEAM]
        found += lost
        can_be = slot.take_id or any(job.take or not job.ended_at for job in here if job not in lost)
        before_is_lost = not can_be
    return found


def stale(takes: Sequence[domain.Take]) -> set[str]:
    """The ids of those that start on the last frame of a take that is not the picked one, or of one that is stale.

    `takes` are those of one storyboard, of which one in a scene may be picked.
    """
    by_id = {take.id: take for take in takes}
    found: set[str] = set()

    def is_stale(take: domain.Take, seen: frozenset[str]) -> bool:
        if not take.input_take_id or take.id in seen:
            return False
        before = by_id.get(take.input_take_id)
        return before is None or not before.picked or is_stale(before, seen | {take.id})

    for take in takes:
        if is_stale(take, frozenset()):
            found.add(take.id)
    return found
