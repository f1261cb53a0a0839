"""What a plan makes, what it uses again, and what it says about why."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.job import domain, planning

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLIP = domain.Media("t/a/clips/x.mp4", "video/mp4", 10, "ab" * 32, 4.0)
A, S = domain.Action, domain.Reason
PLAIN = planning.Options()


def still(name: str) -> domain.Media:
    return domain.Media(f"t/a/{name}.png", "image/png", 5, f"sha of {name}")


def scene(number: int, seam: domain.Seam = domain.Seam.CUT, words: str = "") -> domain.Scene:
    said = words or f"words {number}"
    return domain.Scene(f"scene_{number}", f"Scene {number}", seam, said.encode(), said, "sandbox/reel-1", 4)


def take_of(one: planning.Planned, name: str, opens_on: domain.Media | None = None) -> domain.Take:
    """What comes of a planned clip."""
    opened = opens_on or one.opens_on
    return domain.Take(
        id=name,
        clip=CLIP,
        last_frame=still(name) if one.gives_frame else None,
        picked=True,
        created_at=NOW,
        scene_id=one.scene.scene_id,
        digest=one.scene.digest,
        model=one.scene.model,
        opens_on=opened.sha256 if opened else "",
        closes_on=one.closes_on.sha256 if one.closes_on else "",
    )


def film(planned: list[planning.Planned], turn: str = "") -> dict[str, list[domain.Take]]:
    """The picked takes when this plan is done: those that are used again, and those that are made."""
    found: dict[str, domain.Take] = {}
    before: domain.Take | None = None
    for one in planned:
        opens_on = before.last_frame if one.waits and before else None
        before = one.take or take_of(one, f"take_{one.number}{turn}", opens_on)
        found[one.scene.scene_id] = before
    return {scene_id: [take] for scene_id, take in found.items()}


def actions(planned: list[planning.Planned]) -> list[tuple[domain.Action, domain.Reason]]:
    return [(one.action, one.reason) for one in planned]


CHAIN = [scene(1), scene(2, domain.Seam.LAST_FRAME), scene(3)]


def test_a_new_board_is_made_and_a_filmed_one_is_used_again() -> None:
    first = planning.decide(CHAIN, {}, (), PLAIN)
    assert actions(first) == [(A.MAKE, S.NEW_SCENE)] * 3
    assert [one.waits for one in first] == [False, True, False]
    again = planning.decide(CHAIN, film(first), (), PLAIN)
    assert actions(again) == [(A.REUSE, S.UNCHANGED)] * 3
    assert not any(one.is_made or one.count or one.waits for one in again)


@pytest.mark.parametrize(("changed", "made"), [(1, {1, 2}), (2, {2}), (3, {3})])
def test_one_changed_word_makes_one_clip_and_a_second_that_hangs_on_it(changed: int, made: set[int]) -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    scenes = [scene(one.number, one.seam, "other words" if one.number == changed else "") for one in _numbered(CHAIN)]
    planned = planning.decide(scenes, takes, (), PLAIN)
    assert {one.number for one in planned if one.is_made} == made
    assert planned[changed - 1].reason is S.CONTENT_CHANGED
    assert planned[changed - 1].digest_before == f"words {changed}"
    if changed == 1:
        assert actions(planned)[1] == (A.REMAKE, S.SEAM_CHANGED)
        assert planned[1].waits
    back = planning.decide(CHAIN, {key: [*film(planned, "b")[key], *takes[key]] for key in takes}, (), PLAIN)
    assert not any(one.is_made for one in back), "the old takes fit the old words"


def _numbered(scenes: list[domain.Scene]) -> list[planning.Planned]:
    return planning.decide(scenes, {}, (), PLAIN)


def test_a_plan_says_what_about_the_takes_is_other() -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    scenes = [dataclasses.replace(one, digest=f"{one.digest} as a draft") for one in CHAIN]
    assert actions(planning.decide(scenes, takes, (), PLAIN, {"take_1"}))[0] == (A.REMAKE, S.SIZE_CHANGED)
    others = [dataclasses.replace(one, model="sandbox/veo-1") for one in scenes]
    planned = planning.decide(others, takes, (), PLAIN)
    assert (actions(planned)[0], planned[0].digest_before) == ((A.REMAKE, S.MODEL_CHANGED), "words 1")


def test_titles_and_the_order_of_cuts_reach_no_provider() -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    moved = [dataclasses.replace(one, title="Another") for one in (CHAIN[2], CHAIN[0], CHAIN[1])]
    assert not any(one.is_made for one in planning.decide(moved, takes, (), PLAIN))


def test_a_scene_after_another_than_before_is_made_anew() -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    planned = planning.decide([CHAIN[0], CHAIN[2], CHAIN[1]], takes, (), PLAIN)
    assert actions(planned) == [(A.REUSE, S.UNCHANGED), (A.REMAKE, S.LAST_FRAME_MISSING), (A.REMAKE, S.SEAM_CHANGED)]


def test_another_pick_makes_what_hangs_on_it_anew() -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    other = dataclasses.replace(takes["scene_1"][0], id="take_1b", last_frame=still("take_1b"))
    planned = planning.decide(CHAIN, takes | {"scene_1": [other, *takes["scene_1"]]}, (), PLAIN)
    assert planned[0].take is other
    assert actions(planned)[1] == (A.REMAKE, S.SEAM_CHANGED)
    assert (planned[1].opens_on, planned[1].input_take_id, planned[1].waits) == (still("take_1b"), "take_1b", False)


def test_what_is_asked_for_is_made_as_often_as_asked() -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    options = planning.Options(remake=frozenset({"scene_3"}), takes=2, scene_takes={"scene_1": 3})
    planned = planning.decide(CHAIN, takes, (), options)
    assert actions(planned)[2] == (A.REMAKE, S.ASKED)
    assert [one.count for one in planned] == [0, 0, 2]
    every = planning.decide(CHAIN, takes, (), dataclasses.replace(options, remake=frozenset({"*"})))
    assert [one.count for one in every] == [3, 2, 2]
    assert [one.waits for one in every] == [False, True, False]


def test_what_is_left_is_not_bought_and_what_starts_on_it_is_left_with_it() -> None:
    left = planning.Options(leave=frozenset({"scene_1"}))
    planned = planning.decide(CHAIN, {}, (), left)
    assert actions(planned) == [(A.LEAVE, S.LEFT), (A.LEAVE, S.LEFT), (A.MAKE, S.NEW_SCENE)]
    assert [one.count for one in planned] == [0, 0, 1]
    filmed = film(planning.decide(CHAIN, {}, (), PLAIN))
    changed = [scene(1, words="other words"), *CHAIN[1:]]
    assert actions(planning.decide(changed, filmed, (), left)) == [(A.REUSE, S.LEFT), *[(A.REUSE, S.UNCHANGED)] * 2]


def test_a_scene_that_was_filmed_and_has_no_take_says_so() -> None:
    assert actions(planning.decide(CHAIN[:1], {}, {"scene_1"}, PLAIN)) == [(A.MAKE, S.NO_TAKE)]


def test_one_still_goes_to_both_sides_of_a_shared_keyframe() -> None:
    scenes = [scene(1), scene(2, domain.Seam.SHARED_KEYFRAME)]
    options = planning.Options(keyframes={"scene_2": still("door")})
    planned = planning.decide(scenes, {}, (), options)
    assert (planned[0].closes_on, planned[1].opens_on) == (still("door"), still("door"))
    assert not any(one.waits for one in planned), "both can be made at once"
    assert not any(one.is_made for one in planning.decide(scenes, film(planned), (), options))
    other = planning.Options(keyframes={"scene_2": still("gate")})
    assert actions(planning.decide(scenes, film(planned), (), other)) == [(A.REMAKE, S.SEAM_CHANGED)] * 2


Boards = st.lists(st.tuples(st.sampled_from([domain.Seam.CUT, domain.Seam.LAST_FRAME]), st.integers(0, 2)), max_size=6)


@given(before=Boards.filter(bool), after=Boards.filter(bool))
def test_whatever_changes_a_plan_that_was_done_leaves_nothing_to_do(
    before: list[tuple[domain.Seam, int]], after: list[tuple[domain.Seam, int]]
) -> None:
    def board(rows: list[tuple[domain.Seam, int]]) -> list[domain.Scene]:
        return [scene(number, seam, f"words {version}") for number, (seam, version) in enumerate(rows, 1)]

    takes = film(planning.decide(board(before), {}, (), PLAIN))
    planned = planning.decide(board(after), takes, (), PLAIN)
    done = film(planned, "b")
    kept = {key: [*done.get(key, []), *takes.get(key, [])] for key in takes.keys() | done.keys()}
    again = planning.decide(board(after), kept, (), PLAIN)
    assert not any(one.is_made for one in again)
    assert [one.take for one in again] == [done[one.scene.scene_id][0] for one in planned]
    changed = [one.number for one, old in zip(planned, before, strict=False) if one.is_made]
    assert all(planned[number - 1].take is None for number in changed)


def test_a_digest_is_of_all_that_is_done() -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    told = planning.decide(CHAIN, takes, (), PLAIN)

    def digest(planned: list[planning.Planned], quote_id: str = "", options: planning.Options = PLAIN) -> str:
        return planning.digest("sb_1", 1, quote_id, planned, options)

    assert digest(told) == digest(planning.decide(CHAIN, takes, (), PLAIN))
    titled = [dataclasses.replace(one, title="Another") for one in CHAIN]
    assert digest(told) == digest(planning.decide(titled, takes, (), PLAIN))
    by_hand = planning.Options(auto_pick=domain.AutoPick.NEVER)
    others = [
        digest(planning.decide(CHAIN, {}, (), PLAIN)),
        digest(told, "quote_1"),
        digest(told, options=by_hand),
        digest(planning.decide(CHAIN, takes, (), planning.Options(remake=frozenset({"scene_3"})))),
        digest(planning.decide(CHAIN[:2], takes, (), PLAIN)),
    ]
    assert len({digest(told), *others}) == len(others) + 1


def test_jobs_and_slots_are_what_was_planned() -> None:
    takes = film(planning.decide(CHAIN, {}, (), PLAIN))
    options = planning.Options(remake=frozenset({"scene_1"}), scene_takes={"scene_1": 2})
    planned = planning.decide(CHAIN, takes, (), options)
    production = domain.Production("prod_1", "tenant", "sb_1", 1, "The Letter", "quote_1", "USD", 1, NOW, NOW)
    names = iter(f"job_{number}" for number in range(9))
    jobs = planning.jobs(production, planned, {f"scene_{n}": 100 for n in (1, 2, 3)}, lambda _: next(names))
    assert [(job.scene_number, job.take_number, job.state) for job in jobs] == [
        (1, 1, domain.JobState.RUNNING),
        (1, 2, domain.JobState.RUNNING),
        (2, 1, domain.JobState.WAITING),
    ]
    assert jobs[2].waits_for == jobs[0].id
    assert [slot.take_id for slot in planning.slots(production, planned)] == [None, None, takes["scene_3"][0].id]
    assert {job.created_at for job in jobs} == {NOW}
    assert timedelta(0) == jobs[0].updated_at - NOW
