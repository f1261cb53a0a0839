"""Seams: what can be joined, what drifts, what is stranded, and what a pick makes stale."""

import dataclasses

import pytest

from services.job import continuity, domain
from tests.unit.job import test_lifecycle, test_planning

Seam = domain.Seam
ABLE = {"sandbox/reel-1": continuity.Capability(first_frame=True, last_frame=False)}
BOTH = {"sandbox/reel-1": continuity.Capability(first_frame=True, last_frame=True)}
NONE = {"sandbox/reel-1": continuity.Capability(first_frame=False, last_frame=False)}
STILL = test_planning.still("door")
scene = test_planning.scene


def board(*seams: Seam) -> list[domain.Scene]:
    return [scene(number, seam) for number, seam in enumerate(seams, 1)]


def check(
    scenes: list[domain.Scene],
    able: dict[str, continuity.Capability],
    keyframes: dict[str, domain.Media] | None = None,
    made: set[str] | None = None,
) -> list[str]:
    every = {one.scene_id for one in scenes} if made is None else made
    return continuity.check(scenes, every, able, keyframes or {})


def faults(*arguments: object) -> dict[str, str]:
    with pytest.raises(continuity.SeamsRefused) as caught:
        check(*arguments)  # type: ignore[arg-type]
    return {one.field: one.description for one in caught.value.violations}


def test_the_first_scene_is_a_cut_whatever_it_says() -> None:
    scenes = board(Seam.LAST_FRAME, Seam.UNSPECIFIED)
    assert [continuity.seam(scenes, index) for index in range(2)] == [Seam.CUT, Seam.CUT]
    assert check(scenes, {}) == []
    assert continuity.joined(scenes) == set()


def test_what_a_model_cannot_is_refused_and_never_downgraded() -> None:
    assert check(board(Seam.CUT, Seam.LAST_FRAME), ABLE) == []
    told = faults(board(Seam.CUT, Seam.LAST_FRAME), NONE)
    assert told == {"scenes[1].seam": "should be a cut, as sandbox/reel-1 cannot start a clip on a still"}
    assert faults(board(Seam.CUT, Seam.LAST_FRAME), {}) == told, "a model that nobody knows can nothing"
    assert check(board(Seam.CUT, Seam.LAST_FRAME), NONE, made=set()) == [], "what is there is there"


def test_a_shared_keyframe_needs_its_still_and_both_sides() -> None:
    scenes = board(Seam.CUT, Seam.SHARED_KEYFRAME)
    assert check(scenes, BOTH, {"scene_2": STILL}) == []
    assert "options.keyframes" in faults(scenes, BOTH)["scenes[1].seam"]
    assert "cannot end a clip" in faults(scenes, ABLE, {"scene_2": STILL})["scenes[1].seam"]
    assert continuity.joined(scenes) == {"sandbox/reel-1"}


@pytest.mark.parametrize(("hanging", "warned"), [(3, False), (4, True), (continuity.LONGEST_CHAIN - 1, True)])
def test_a_long_chain_is_warned_of(hanging: int, warned: bool) -> None:
    told = check(board(Seam.CUT, Seam.CUT, *[Seam.LAST_FRAME] * hanging), ABLE)
    assert bool(told) is warned
    if warned:
        assert f"Scenes 2 to {hanging + 2} " in told[0]


def test_a_chain_over_the_limit_is_refused_where_it_should_begin_anew() -> None:
    told = faults(board(Seam.CUT, *[Seam.LAST_FRAME] * continuity.LONGEST_CHAIN), ABLE)
    assert list(told) == [f"scenes[{continuity.LONGEST_CHAIN}].seam"]


def test_chains_are_runs_of_scenes_that_hang_on_each_other() -> None:
    scenes = board(Seam.CUT, Seam.LAST_FRAME, Seam.CUT, Seam.CUT, Seam.LAST_FRAME, Seam.LAST_FRAME)
    assert list(continuity.chains(scenes)) == [(0, 1), (3, 5)]
    assert [continuity.gives_frame(scenes, index) for index in range(6)] == [True, False, False, True, True, False]


def take(name: str, picked: bool, starts_on: str = "") -> domain.Take:
    return dataclasses.replace(test_lifecycle.TAKE, id=name, picked=picked, input_take_id=starts_on)


def test_staleness_travels_along_the_seams() -> None:
    chain = [take("one", True), take("two", True, "one"), take("three", True, "two"), take("other", True)]
    assert continuity.stale(chain) == set()
    repicked = [take("one", False), take("one b", True), *chain[1:]]
    assert continuity.stale(repicked) == {"two", "three"}
    assert continuity.stale(chain[1:]) == {"two", "three"}, "what is not there is not picked"


def test_takes_that_start_on_each_other_hang_nobody_up() -> None:
    assert continuity.stale([take("a", True, "b"), take("b", True, "a")]) == set()


def slot(number: int, take_id: str | None = None) -> domain.Slot:
    kind = (domain.Action.MAKE, domain.Reason.NEW_SCENE)
    return domain.Slot("prod_1", "tenant", number, f"scene_{number}", "", Seam.LAST_FRAME, *kind, take_id)


def test_whole_chains_are_stranded_by_what_can_never_come() -> None:
    first, second, third = test_lifecycle.planned(False, True, True)
    failed = dataclasses.replace(first, state=domain.JobState.FAILED, ended_at=test_lifecycle.NOW)
    slots = [slot(number) for number in (1, 2, 3)]
    assert continuity.stranded(slots, [failed, second, third]) == [second, third]
    assert continuity.stranded(slots, [first, second, third]) == [], "it may still come"
    again = dataclasses.replace(first, id="job_9", take_number=2)
    assert continuity.stranded(slots, [failed, again, second, third]) == []
    assert continuity.stranded([slot(1, "take_1"), *slots[1:]], [failed, second, third]) == []
    to_pick = dataclasses.replace(failed, take=test_lifecycle.TAKE)
    assert continuity.stranded(slots, [to_pick, second, third]) == [], "a person may pick it"
