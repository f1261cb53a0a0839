"""What the first release wrote opens in this one: read, changed, undone, compared and found."""

from pathlib import Path

import asyncpg
import pytest

from libs import migrate
from rushes.storyboard.v1 import storyboard_pb2 as pb
from services.storyboard import ticks

ID = "sb_01k9m3v5q0aaaaaaaaaaaaaaaa"
DROP = """
DROP FUNCTION boards_with;
DROP TABLE parts, revisions, storyboards, outbox, inbox, dead_letters, outbox_stream, alembic_version;
DROP TABLE calls, audit, api_tokens, sessions, tickets, people;
DROP FUNCTION audit_chain, audit_stays, an_owner_stays;
"""
RELEASED = (Path(__file__).parent / "first_release.sql").read_text()


@pytest.fixture
async def old(client):
    """The service on a database of the first release that has been migrated."""
    owner = await asyncpg.connect(client.place.owner_url.replace("+asyncpg", ""))
    try:
        await owner.execute(DROP + RELEASED)
    finally:
        await owner.close()
    await migrate.upgrade(client.place.owner_url, "storyboard")
    return client


async def board_of(client):
    return (await client("GetStoryboard", storyboard_id=ID)).storyboard


async def test_it_opens_and_goes_on(old):
    board = await board_of(old)
    assert (board.name, board.revision, board.silent, board.size.width) == ("The answer", 2, True, 1920)
    assert board.etag == "2-492fdc9934744b37", "an etag that somebody kept is still good"
    (scene,) = board.scenes
    assert (scene.action, scene.seed, scene.duration.seconds, list(scene.cast)) == ("climbs", 7, 4, ["Mara"])
    assert board.characters[0].identity_tag == "character:mara_id:0123abcd"
    first = (await old("GetRevision", storyboard_id=ID, number=1)).revision
    assert (first.author, first.storyboard.name, first.storyboard.scenes) == ("ada", "The letter", board.scenes)
    (change,) = (await old("DiffRevisions", storyboard_id=ID)).changes
    assert (change.path, change.after.string_value) == ("name", "The answer")


async def test_it_is_changed_and_undone(old):
    board = await board_of(old)
    scene = pb.Scene(id=board.scenes[0].id, mood="hurried")
    changed = await old("UpdateScene", storyboard_id=ID, etag=board.etag, scene=scene, update_mask={"paths": ["mood"]})
    assert (changed.storyboard.scenes[0].mood, changed.storyboard.revision) == ("hurried", 3)
    assert changed.storyboard.characters == board.characters
    undone = [(await old("Undo", storyboard_id=ID)).storyboard for _ in range(2)]
    assert [(it.name, it.scenes[0].mood) for it in undone] == [("The answer", "patient"), ("The letter", "patient")]
    assert (await old("ComposePrompts", storyboard_id=ID)).prompts[0].spec.prompt


async def test_it_is_listed_and_once_filed_found(old):
    (listed,) = (await old("ListStoryboards")).storyboards
    assert (listed.id, listed.name, len(listed.characters), len(listed.scenes)) == (ID, "The answer", 1, 0)
    assert not (await old("ListStoryboards", query="brass")).storyboards
    assert [await ticks.file(old.place.database)() for _ in range(2)] == [2, 0]
    assert [it.id for it in (await old("ListStoryboards", query="brass")).storyboards] == [ID]
    (gone,) = (await old("ListStoryboards", query="gone", state=pb.Storyboard.STATE_DELETED)).storyboards
    assert gone.name == "Gone"
