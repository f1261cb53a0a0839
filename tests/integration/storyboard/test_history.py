"""What was: compared, named, undone and redone; and copies."""

import asyncio
import uuid

import grpc
import pytest
from google.protobuf import json_format

from libs import auth
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as client_pb
from tests.integration.refusals import refused
from tests.unit.storyboard import boards

CONFLICT = grpc.StatusCode.FAILED_PRECONDITION


async def renamed(client, board, name, subject="ada"):
    changed = pb.Storyboard(id=board.id, name=name, etag="")
    answer = await client("UpdateStoryboard", subject=subject, storyboard=changed, update_mask={"paths": ["name"]})
    return answer.storyboard


@pytest.fixture
async def board(client):
    return await client.create(boards.the_letter())


def told(answer):
    return [
        (
            pb.Change.Kind.Name(it.kind).removeprefix("KIND_"),
            it.path,
            *(plain(it, name) for name in ("before", "after")),
        )
        for it in answer.changes
    ]


def plain(change, name):
    return (
        json_format.MessageToDict(getattr(change, name), preserving_proto_field_name=True)
        if change.HasField(name)
        else None
    )


async def test_a_difference_is_told_field_by_field(client, board):
    first, second, third = board.scenes
    second.action, second.duration.seconds, second.seed = "It fades", 5, 3
    changed = pb.Storyboard(
        id=board.id, name="The answer", scenes=[third, pb.Scene(subject="Dawn", duration={"seconds": 2}), first, second]
    )
    changed.size.width, changed.size.height = 1280, 720
    await client("UpdateStoryboard", storyboard=changed, update_mask={"paths": ["name", "scenes", "size"]})
    answer = await client("DiffRevisions", storyboard_id=board.id)
    after = (await client("GetStoryboard", storyboard_id=board.id)).storyboard
    assert (answer.from_number, answer.to_number) == (1, 2)
    at = f"scenes[{second.id}]"
    assert told(answer) == [
        ("CHANGED", "name", "The letter", "The answer"),
        ("CHANGED", "size", {"width": 1920, "height": 1080}, {"width": 1280, "height": 720}),
        ("MOVED", f"scenes[{third.id}]", 3, 1),
        ("CHANGED", f"{at}.action", "Fog crosses it", "It fades"),
        ("CHANGED", f"{at}.duration", "6s", "5s"),
        ("CHANGED", f"{at}.seed", None, "3"),
        ("ADDED", f"scenes[{after.scenes[1].id}]", None, json_format.MessageToDict(after.scenes[1])),
    ]
    back = await client("DiffRevisions", storyboard_id=board.id, from_number=2, to_number=1)
    assert [it[0] for it in told(back)] == ["CHANGED", "CHANGED", "MOVED", "REMOVED", "CHANGED", "CHANGED", "CHANGED"]
    same = await client("DiffRevisions", storyboard_id=board.id, from_number=2, to_number=2)
    assert not same.changes
    born = await client("DiffRevisions", storyboard_id=board.id, to_number=1)
    assert born.from_number == 0
    assert [it[:2] for it in told(born)][-3:] == [("ADDED", f"scenes[{it.id}]") for it in (first, second, third)]


async def test_undo_and_redo_walk_the_history(client, board):
    names = ["The letter"]
    for name in ("One", "Two", "Three"):
        names.append((await renamed(client, board, name)).name)
    walked = [await step(client, board, verb) for verb in ("Undo", "Undo", "Redo", "Undo", "Undo")]
    assert [it.name for it in walked] == ["Two", "One", "Two", "One", "The letter"]
    info = await refused(client("Undo", storyboard_id=board.id), CONFLICT)
    assert (info.reason, dict(info.metadata)) == ("NOTHING_TO_UNDO", {"storyboard_id": board.id})
    assert [(await step(client, board, "Redo")).name for _ in range(3)] == ["One", "Two", "Three"]
    assert (await refused(client("Redo", storyboard_id=board.id), CONFLICT)).reason == "NOTHING_TO_REDO"
    history = (await client("ListRevisions", storyboard_id=board.id)).revisions
    assert [(it.origin, it.same_as) for it in history[:3]] == [("Redo", 4), ("Redo", 3), ("Redo", 2)]
    assert [it.number for it in history] == list(range(12, 0, -1)), "nothing is ever lost"


async def step(client, board, verb, **fields):
    return (await client(verb, storyboard_id=board.id, **fields)).storyboard


async def test_a_change_after_an_undo_leaves_nothing_to_redo(client, board):
    await renamed(client, board, "One")
    await step(client, board, "Undo")
    await renamed(client, board, "Other")
    assert (await refused(client("Redo", storyboard_id=board.id), CONFLICT)).reason == "NOTHING_TO_REDO"
    assert (await step(client, board, "Undo")).name == "The letter"
    assert (await step(client, board, "Redo")).name == "Other"


async def test_a_restored_revision_can_be_undone(client, board):
    await renamed(client, board, "One")
    restored = (await client("RestoreRevision", storyboard_id=board.id, number=1)).storyboard
    assert restored.name == "The letter"
    assert (await step(client, board, "Undo")).name == "One"


async def test_undo_takes_back_only_what_one_has_seen(client, board):
    seen = await renamed(client, board, "One")
    await renamed(client, board, "Two", subject="bo")
    for verb in ("Undo", "Redo"):
        info = await refused(client(verb, storyboard_id=board.id, etag=seen.etag), grpc.StatusCode.ABORTED)
        assert info.reason == "STORYBOARD_CHANGED"
    await client("DeleteStoryboard", storyboard_id=board.id)
    assert (await refused(client("Undo", storyboard_id=board.id), CONFLICT)).reason == "STORYBOARD_DELETED"


async def test_a_revision_gets_a_name(client, board):
    named = (await client("NameRevision", storyboard_id=board.id, number=1, name=" First cut ")).revision
    assert (named.name, named.number, named.author, named.HasField("storyboard")) == ("First cut", 1, "ada", False)
    (listed,) = (await client("ListRevisions", storyboard_id=board.id)).revisions
    assert listed == named
    assert (await client("GetStoryboard", storyboard_id=board.id)).storyboard == board, "its content is what it was"
    assert not (await client("NameRevision", storyboard_id=board.id, number=1)).revision.name
    absent = client("NameRevision", storyboard_id=board.id, number=7, name="x")
    assert (await refused(absent, grpc.StatusCode.NOT_FOUND)).reason == "REVISION_NOT_FOUND"


async def test_a_copy_starts_anew_and_composes_the_same(client, board):
    await renamed(client, board, "One")
    request = {"request_id": str(uuid.uuid4()), "storyboard_id": board.id, "revision": 1}
    copy, again = [(await client("DuplicateStoryboard", **request)).storyboard for _ in range(2)]
    assert copy == again
    assert (copy.name, copy.revision) == ("The letter (copy)", 1)
    assert copy.characters[0].identity_tag == board.characters[0].identity_tag
    assert not {it.id for it in copy.scenes} & {it.id for it in board.scenes}
    one, other = [await client("ComposePrompts", storyboard_id=it, revision=1) for it in (board.id, copy.id)]
    assert [it.digest for it in one.prompts] == [it.digest for it in other.prompts]
    renewed = await client("DuplicateStoryboard", request_id=str(uuid.uuid4()), storyboard_id=board.id, name="Two")
    assert renewed.storyboard.name == "Two"
    kept = await renamed(client, copy, "Kept tags")
    assert kept.characters == copy.characters
    assert (await client("ListRevisions", storyboard_id=copy.id)).revisions[-1].origin == "DuplicateStoryboard"
    reused = client("DuplicateStoryboard", **request | {"name": "Another"})
    assert (await refused(reused, CONFLICT)).reason == "REQUEST_ID_REUSED"


async def test_undo_at_once_from_two_sides_goes_two_steps(client, board):
    for name in ("One", "Two"):
        await renamed(client, board, name)
    await asyncio.gather(*(client("Undo", storyboard_id=board.id) for _ in range(2)))
    assert (await client("GetStoryboard", storyboard_id=board.id)).storyboard.name == "The letter"


async def test_a_revision_says_which_program_it_came_by(client, board):
    async def rename(name, told):
        request = client_pb.UpdateStoryboardRequest(
            storyboard=pb.Storyboard(id=board.id, name=name), update_mask={"paths": ["name"]}
        )
        metadata = (*client.issuer.bearer(), *((auth.CLIENT, word) for word in told))
        await client.stub.UpdateStoryboard(request, metadata=metadata, timeout=10)

    await rename("One", ["studio"])
    await rename("Two", ["our-importer.2"])
    await rename("Three", ["No such name; it's a sentence"])
    await client("Undo", storyboard_id=board.id)
    history = (await client("ListRevisions", storyboard_id=board.id)).revisions
    assert [(it.origin, it.client) for it in history] == [
        ("Undo", "api"),
        ("UpdateStoryboard", "api"),
        ("UpdateStoryboard", "our-importer.2"),
        ("UpdateStoryboard", "studio"),
        ("CreateStoryboard", "api"),
    ]
