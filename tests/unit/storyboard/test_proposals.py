"""A language model is not believed: of what it says, only words that follow the rules stand in a proposal."""

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from libs import ids
from services.storyboard import domain, proposals, wire, writer
from tests.unit.storyboard import boards

FIELDS = (*proposals.REFINED, "title", "caption", "duration", "cast", "seed", "model", "id", "profile", "name")
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.just("x" * 3000)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.sampled_from([*FIELDS, "scenes", "characters"]), st.text(max_size=5)), inner, max_size=6
        ),
    ),
    max_leaves=25,
)


def new_ids():
    count = itertools.count(1)
    return lambda prefix: ids.of(prefix, next(count).to_bytes(32, "little"))


def letter():
    content = wire.content(boards.the_letter(), wire.Faults())
    return domain.identified(content, domain.Content(), new_ids())


def proposed(answer, most=10, content=None):
    return proposals.with_scenes(content or letter(), answer, most, ids.new)


def test_scenes_and_people_are_put_behind_what_is_there():
    before = letter()
    scene = {"subject": "Bo", "action": "runs", "duration": 7, "cast": ["Bo", "Zoë"], "title": "Run"}
    proposal = proposed(
        {"scenes": [scene], "characters": [{"name": "Bo", "profile": "small"}, {"name": "Zoë", "profile": "x"}]}
    )
    assert proposal.content.scenes[:-1] == before.scenes
    assert proposal.content.characters[:-1] == before.characters
    bo = proposal.content.characters[-1]
    assert (bo.name, bo.profile) == ("Bo", "small")
    added = proposal.content.scenes[-1]
    assert (added.subject, added.seconds, added.cast) == ("Bo", 7, ("Bo", "Zoë"))
    assert ids.valid(added.id, "scene")
    assert not proposal.warnings


def test_what_breaks_a_rule_is_left_out_and_told():
    liar = {
        "subject": "Bo", "action": "x" * 2001, "duration": 600, "model": "dear/model", "seed": 1, "id": "scene_1",
        "mood": 3, "cast": ["y" * 101], "title": "\ud800",
    }  # fmt: skip
    proposal = proposed({"scenes": [liar, {"action": "nobody"}, "no scene"], "tenant_id": "other"})
    assert [(it.subject, it.action, it.seconds, it.model, it.mood) for it in proposal.content.scenes[3:]] == [
        ("Bo", "", 4, "", "")
    ]
    assert proposal.warnings == [
        "scene 1: 'id' is nothing that was asked for, and is left out",
        "scene 1: 'model' is nothing that was asked for, and is left out",
        "scene 1: 'seed' is nothing that was asked for, and is left out",
        "scene 1: its title breaks the rules of a scene, and is left out",
        "scene 1: its action breaks the rules of a scene, and is left out",
        "scene 1: its mood breaks the rules of a scene, and is left out",
        "scene 1: its duration breaks the rules of a scene, and is left out",
        "scene 1: its cast breaks the rules of a scene, and is left out",
        "scene 2 says not who or what is seen, and is left out",
        "scene 3 is no scene, and is left out",
    ]


def test_no_more_scenes_are_taken_than_were_asked_for():
    proposal = proposed({"scenes": [{"subject": "x"}] * 5}, most=2)
    assert len(proposal.content.scenes) == 5
    assert proposal.warnings == ["3 scenes more than were asked for are left out"]


@pytest.mark.parametrize("answer", [None, [], {}, {"scenes": []}, {"scenes": "x"}, {"scenes": [{}]}, "x", 3])
def test_an_answer_without_scenes_is_none(answer):
    with pytest.raises(writer.WriterUnclear):
        proposed(answer)


def test_better_words_change_one_scene_and_only_its_words():
    before = letter()
    words = {"action": "runs", "camera": "", "duration": 9, "model": "dear", "mood": "x" * 1001, "subject": " "}
    proposal = proposals.refined(before, before.scenes[0], words)
    after = proposal.content.scenes[0]
    assert (after.action, after.camera, after.mood, after.model) == ("runs", before.scenes[0].camera, "patient", "")
    assert after.subject == before.scenes[0].subject
    assert proposal.content.scenes[1:] == before.scenes[1:]
    assert len(proposal.warnings) == 4


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(answer=ANYTHING, scenes=st.lists(ANYTHING, max_size=3), people=ANYTHING)
def test_whatever_the_model_says_the_proposal_is_a_board(answer, scenes, people):
    before = letter()
    for told in (answer, {"scenes": [*scenes, {"subject": "x"}], "characters": people}):
        try:
            proposal = proposed(told)
        except writer.WriterUnclear:
            continue
        faults = wire.Faults()
        assert wire.content(wire.from_content(proposal.content), faults).scenes == proposal.content.scenes
        assert not faults.found
        assert proposal.content.scenes[:3] == before.scenes
        assert all(warning.encode() for warning in proposal.warnings)


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(answer=ANYTHING)
def test_whatever_the_model_says_better_words_are_a_scene(answer):
    before = letter()
    try:
        proposal = proposals.refined(before, before.scenes[1], answer)
    except writer.WriterUnclear:
        return
    faults = wire.Faults()
    wire.content(wire.from_content(proposal.content), faults)
    assert not faults.found
