"""Two people change one storyboard: what each wrote stays, or they are told exactly where they clash."""

import dataclasses

import hypothesis
import pytest
from hypothesis import strategies as st

from services.storyboard import diff, domain, flaws, merge

WORDS = st.sampled_from(["", "fog", "lamp", "rain"])
IDS = st.sampled_from("abcdefgh")


def scene_of(id, **fields):
    return domain.Scene(**{"id": f"scene_{id}", "subject": "Fog", "seconds": 4, **fields})


SCENES = st.lists(
    st.builds(scene_of, IDS, subject=WORDS, action=WORDS, seed=st.none() | st.integers(0, 2)),
    max_size=7,
    unique_by=lambda scene: scene.id,
).map(tuple)
PROPS = st.lists(
    st.builds(lambda id, name: domain.Prop(id=f"prop_{id}", name=name), IDS, WORDS),
    max_size=3,
    unique_by=lambda it: it.id,
).map(tuple)
CONTENTS = st.builds(domain.Content, name=WORDS, silent=st.booleans(), scenes=SCENES, props=PROPS)


@hypothesis.given(CONTENTS, CONTENTS)
def test_the_differences_make_the_one_from_the_other(before, after):
    assert diff.patched(before, diff.changes(before, after)) == after
    assert (diff.changes(before, after) == []) == (before == after)


@hypothesis.given(CONTENTS, CONTENTS)
def test_who_is_alone_is_never_refused(base, mine):
    assert merge.merged(base, mine, base) == mine
    hypothesis.assume(not [*flaws.between(mine)])
    assert merge.merged(base, base, mine) == mine
    assert merge.merged(base, mine, mine) == mine


@hypothesis.given(CONTENTS, CONTENTS, CONTENTS)
def test_no_word_of_either_is_lost(base, mine, theirs):
    try:
        result = merge.merged(base, mine, theirs)
    except merge.Clash:
        return
    left = diff.changes(base, result)
    for side in (mine, theirs):
        for change in diff.changes(base, side):
            if change.path in [(kind,) for kind in diff.KINDS]:
                continue
            assert change in left
    for change in left:
        sides = [*diff.changes(base, mine), *diff.changes(base, theirs)]
        assert (change.path[0] in diff.KINDS and len(change.path) == 1) or change in sides, "nothing is invented"


@hypothesis.given(st.permutations(list("abcdefg")))
def test_the_fewest_are_moved(order):
    moved = diff.moved("abcdefg", order)
    rest = [id for id in order if id not in moved]
    assert rest == sorted(rest)
    for id in moved:
        assert [*rest, id] != sorted([*rest, id]) or order.index(id) < order.index(rest[-1])


def board(*ids, **fields):
    return domain.Content(name="Board", scenes=tuple(scene_of(id) for id in ids), **fields)


def order(content):
    return "".join(scene.id[-1] for scene in content.scenes)


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "both"),
    [
        ("abcd", "dabc", "abcd", "dabc"),
        ("abcd", "abxcd", "abycd", "abxycd"),
        ("abcd", "bcda", "abdc", "bdac"),
        ("abcd", "acd", "abd", "ad"),
        ("abcd", "xabcd", "abcdy", "xabcdy"),
        ("abcd", "bacd", "abdc", "badc"),
        ("", "x", "y", "xy"),
    ],
)
def test_orders_merge(base, mine, theirs, both):
    assert order(merge.merged(board(*base), board(*mine), board(*theirs))) == both


def edited(content, id, **fields):
    scenes = tuple(
        dataclasses.replace(scene, **fields) if scene.id == f"scene_{id}" else scene for scene in content.scenes
    )
    return dataclasses.replace(content, scenes=scenes)


def without(content, id):
    return dataclasses.replace(content, scenes=tuple(it for it in content.scenes if it.id != f"scene_{id}"))


BASE = board("a", "b", "c", "d", characters=(domain.Character(id="char_1", name="Mara"),))
CAST = edited(BASE, "a", cast=("Mara",))
RENAMED = dataclasses.replace(BASE, characters=(domain.Character(id="char_1", name="Zoë"),))


@pytest.mark.parametrize(
    ("mine", "theirs", "paths"),
    [
        (edited(BASE, "a", action="x"), edited(BASE, "a", action="y"), [("scenes", "scene_a", "action")]),
        (edited(BASE, "a", action="x"), without(BASE, "a"), [("scenes", "scene_a", "action")]),
        (without(BASE, "a"), edited(BASE, "a", mood="y"), [("scenes", "scene_a", "mood")]),
        (dataclasses.replace(BASE, name="x"), dataclasses.replace(BASE, name="y"), [("name",)]),
        (CAST, RENAMED, [("scenes", "scene_a", "cast")]),
        (RENAMED, CAST, [("scenes", "scene_a", "cast")]),
    ],
)
def test_clashes_are_named(mine, theirs, paths):
    with pytest.raises(merge.Clash) as caught:
        merge.merged(BASE, mine, theirs)
    assert list(caught.value.paths) == paths
    assert all(merge.touched(path, diff.changes(BASE, theirs)) for path in paths) or theirs == RENAMED


@pytest.mark.parametrize(
    ("mine", "theirs", "path"),
    [("bcda", "bcad", ("scenes", "scene_a", "position")), ("bcda", "bcd", ("scenes", "scene_a"))],
)
def test_one_scene_cannot_be_moved_to_two_places(mine, theirs, path):
    with pytest.raises(merge.Clash) as caught:
        merge.merged(board(*"abcd"), board(*mine), board(*theirs))
    assert caught.value.paths == (path,)
    assert merge.touched(path, diff.changes(board(*"abcd"), board(*theirs)))


def test_two_fields_of_one_scene_merge():
    both = merge.merged(BASE, edited(BASE, "b", action="climbs"), edited(BASE, "b", mood="patient"))
    assert both == edited(BASE, "b", action="climbs", mood="patient")
