"""What may follow what in the life of a storyboard."""

import dataclasses
import datetime
import itertools
import re

import pytest

from libs import errors
from services.storyboard import domain

NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(hours=1)
CONTENT = domain.Content(
    name="The letter",
    characters=(domain.Character(name="Sarah Chen"), domain.Character(name="Sarah Chen the elder")),
    scenes=(domain.Scene(subject="A stamp", seconds=4),),
)


@pytest.fixture
def new_id():
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"


@pytest.fixture
def board(new_id):
    return domain.created(CONTENT, "acme", new_id, NOW)


def test_a_new_storyboard_has_ids_and_tags(board):
    assert (board.id, board.revision, board.state) == ("sb_1", 1, domain.State.ACTIVE)
    assert [scene.id for scene in board.content.scenes] == ["scene_4"]
    tags = [character.identity_tag for character in board.content.characters]
    assert re.fullmatch("character:sarah-chen_id:[a-f0-9]{8}", tags[0])
    assert re.fullmatch("character:sarah-chen-the-elder_id:[a-f0-9]{8}", tags[1])


@pytest.mark.parametrize(
    ("name", "slug"), [("Zoë  O'Neill", "zoe-o-neill"), ("李雷", "李雷"), ("!!!", "unnamed"), ("R2_D2", "r2-d2")]
)
def test_slugs(name, slug):
    tag = domain.identity_tag(domain.Character(id="char_1", name=name))
    assert tag.startswith(f"character:{slug}_id:")


def test_two_people_of_one_name_differ():
    tags = {domain.identity_tag(domain.Character(id=f"char_{n}", name="Sarah Chen")) for n in range(2)}
    assert len(tags) == 2


def test_a_tag_is_for_life(board, new_id):
    first, second = board.content.characters
    renamed = dataclasses.replace(
        board.content, characters=(second, dataclasses.replace(first, name="Sarah Lee", identity_tag=""))
    )
    after = domain.revised(board, domain.identified(renamed, board.content, new_id), LATER)
    assert [c.identity_tag for c in after.content.characters] == [second.identity_tag, first.identity_tag]
    assert (after.revision, after.updated_at, after.created_at) == (2, LATER, NOW)


def test_what_changes_nothing_is_the_same_object(board):
    assert domain.revised(board, board.content, LATER) is board
    assert domain.undeleted(board) is board


def test_a_stale_etag_is_refused(board):
    other = dataclasses.replace(board.content, name="The answer")
    after = domain.revised(board, other, LATER)
    assert after.etag != board.etag == domain.etag(board.id, 1, NOW)
    assert [domain.revision_of(etag) for etag in (board.etag, after.etag, "0-x", "", "sb_1")] == [
        1,
        2,
        None,
        None,
        None,
    ]
    for change in (lambda: domain.check_seen(after, board.etag), lambda: domain.deleted(after, board.etag, LATER)):
        with pytest.raises(domain.StoryboardChanged, match="read it again") as caught:
            change()
        assert caught.value.facts == {"storyboard_id": board.id, "etag": board.etag}


def test_deletion_and_back(board):
    gone = domain.deleted(board, board.etag, LATER)
    assert (gone.state, gone.deleted_at, gone.revision) == (domain.State.DELETED, LATER, 1)
    assert gone.etag != board.etag
    assert domain.deleted(gone, "anything", LATER) is gone
    with pytest.raises(domain.StoryboardDeleted):
        domain.revised(gone, dataclasses.replace(board.content, name="x"), LATER)
    assert domain.undeleted(gone) == board


def test_the_etag_does_not_depend_on_the_zone_of_the_clock(board):
    elsewhere = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert dataclasses.replace(board, updated_at=elsewhere).etag == board.etag


def test_a_film_needs_a_scene(board):
    revision = domain.Revision(
        storyboard_id="sb_1", number=3, author="ada", origin="CreateStoryboard", name="", created_at=NOW
    )
    domain.check_filmable(revision, board.content)
    with pytest.raises(domain.StoryboardEmpty) as caught:
        domain.check_filmable(revision, domain.Content(name="The letter"))
    assert caught.value.facts == {"storyboard_id": "sb_1", "revision": "3"}
    assert isinstance(caught.value, errors.Conflict)
