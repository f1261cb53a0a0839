"""Several people edit one storyboard: nobody's word is lost, and who clashes is told with whom."""

import asyncio
import uuid

import grpc
import pytest

from libs import ids
from rushes.storyboard.v1 import storyboard_pb2 as pb
from tests.integration.refusals import refused, violations
from tests.unit.storyboard import boards

ABORTED, MISSING, INVALID = grpc.StatusCode.ABORTED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def board(client):
    return await client.create(boards.the_letter())


async def scene_changed(client, board, scene, subject="ada", etag=None, **fields):
    answer = await client(
        "UpdateScene",
        subject=subject,
        storyboard_id=board.id,
        etag=board.etag if etag is None else etag,
        scene=pb.Scene(id=board.scenes[scene].id, **fields),
        update_mask={"paths": list(fields)},
    )
    return answer.storyboard


async def updated(client, board, subject="ada", **fields):
    changed = pb.Storyboard(id=board.id, etag=board.etag, **fields)
    answer = await client("UpdateStoryboard", subject=subject, storyboard=changed, update_mask={"paths": list(fields)})
    return answer.storyboard


async def moved(client, board, scene, before, subject="ada"):
    answer = await client(
        "MoveScene",
        subject=subject,
        storyboard_id=board.id,
        etag=board.etag,
        scene_id=board.scenes[scene].id,
        before_scene_id="" if before is None else board.scenes[before].id,
    )
    return answer.storyboard


async def test_edits_of_different_fields_merge(client, board):
    results = await asyncio.gather(
        scene_changed(client, board, 0, subject="ada", action="climbs slowly"),
        scene_changed(client, board, 0, subject="bo", mood="hurried"),
        scene_changed(client, board, 1, subject="cy", duration={"seconds": 8}),
        updated(client, board, subject="di", name="The answer"),
        updated(client, board, subject="ed", props=[*board.props, pb.Prop(name="a lamp")]),
        moved(client, board, 2, 0, subject="flo"),
    )
    assert sorted(it.revision for it in results) == [2, 3, 4, 5, 6, 7]
    newest = (await client("GetStoryboard", storyboard_id=board.id)).storyboard
    first = next(it for it in newest.scenes if it.id == board.scenes[0].id)
    assert (first.action, first.mood) == ("climbs slowly", "hurried")
    assert (newest.name, [it.name for it in newest.props]) == ("The answer", ["the letter", "a lamp"])
    assert [it.id for it in newest.scenes] == [board.scenes[n].id for n in (2, 0, 1)]
    assert newest.scenes[2].duration.seconds == 8


async def test_edits_of_one_field_clash_and_say_with_whom(client, board):
    await scene_changed(client, board, 0, subject="bo", action="runs", camera="wide")
    await updated(client, board, subject="cy", logline="Another")
    at = f"scenes[{board.scenes[0].id}].action"
    found = await violations(scene_changed(client, board, 0, action="falls", mood="sad"), ABORTED)
    assert list(found) == [at]
    assert found[at].startswith("was changed by bo at 2026-11-20T00:")
    assert found[at].endswith("in revision 2")
    info = await refused(updated(client, board, logline="Mine"), ABORTED)
    assert (info.reason, dict(info.metadata)) == (
        "STORYBOARD_CHANGED",
        {"storyboard_id": board.id, "etag": board.etag},
    )
    assert (await scene_changed(client, board, 0, action="runs")).revision == 3, "they agree"


async def test_what_was_taken_out_cannot_be_changed(client, board):
    await client("RemoveScene", subject="bo", storyboard_id=board.id, scene_id=board.scenes[1].id, etag=board.etag)
    found = await violations(scene_changed(client, board, 1, mood="sad"), ABORTED)
    assert "by bo at" in found[f"scenes[{board.scenes[1].id}].mood"]
    info = await refused(scene_changed(client, board, 1, etag="", mood="sad"), MISSING)
    assert (info.reason, info.metadata["scene_id"]) == ("SCENE_NOT_FOUND", board.scenes[1].id)


async def test_what_was_taken_out_cannot_be_moved(client, board):
    await client("RemoveScene", subject="bo", storyboard_id=board.id, scene_id=board.scenes[0].id)
    found = await violations(moved(client, board, 0, None), ABORTED)
    assert "by bo at" in found[f"scenes[{board.scenes[0].id}]"]


async def test_what_was_taken_out_did_not_change_places_with_its_neighbour(client, board):
    await client("RemoveScene", subject="bo", storyboard_id=board.id, scene_id=board.scenes[1].id)
    info = await refused(moved(client, board, 1, None), MISSING)
    assert (info.reason, info.metadata["scene_id"]) == ("SCENE_NOT_FOUND", board.scenes[1].id)


async def test_a_cast_that_was_renamed_meanwhile_clashes(client, board):
    people = [pb.Character(id=it.id, name=it.name) for it in board.characters]
    people[1].name = "Zora"
    scenes = [pb.Scene.FromString(it.SerializeToString()) for it in board.scenes]
    scenes[2].cast[:] = ["Zora", "Mara Voss"]
    await updated(client, board, subject="bo", characters=people, scenes=scenes)
    found = await violations(scene_changed(client, board, 1, cast=["Zoë"]), ABORTED)
    (at,) = found
    assert at == f"scenes[{board.scenes[1].id}].cast"
    assert found[at].startswith("names no character of the storyboard")


@pytest.mark.parametrize("etag", ["99-0123456789abcdef", "1-0123456789abcdef", "nonsense"])
async def test_an_etag_of_no_revision_is_refused(client, board, etag):
    info = await refused(scene_changed(client, board, 0, etag=etag, mood="sad"), ABORTED)
    assert info.reason == "STORYBOARD_CHANGED"


async def added(client, board, request_id=None, before=None, **fields):
    return await client(
        "AddScene",
        request_id=request_id or str(uuid.uuid4()),
        storyboard_id=board.id,
        etag=board.etag,
        before_scene_id="" if before is None else board.scenes[before].id,
        scene=pb.Scene(**{"subject": "Dawn", "duration": {"seconds": 5}, **fields}),
    )


async def test_a_scene_is_added_once(client, board):
    request_id = str(uuid.uuid4())
    first = await added(client, board, request_id, before=1)
    again = await added(client, board, request_id, before=1)
    assert (first.scene_id, first.storyboard) == (again.scene_id, again.storyboard)
    assert [it.id for it in first.storyboard.scenes].index(first.scene_id) == 1
    changed = first.storyboard
    await scene_changed(client, changed, 1, subject="bo", mood="sad")
    assert (await added(client, board, request_id, before=1)).storyboard.scenes[1].mood == "sad"
    last = await added(client, board)
    assert last.storyboard.scenes[-1].id == last.scene_id != first.scene_id
    assert len(last.storyboard.scenes) == 5


async def test_a_faulty_scene_is_refused_with_every_fault(client, board):
    found = await violations(added(client, board, request_id="x", subject="", cast=["Bo"]), INVALID)
    assert list(found) == ["request_id", "scene.subject"]
    found = await violations(added(client, board, cast=["Bo"], props=["a", "a"]), INVALID)
    assert list(found) == ["scene.cast[0]", "scene.props[0]", "scene.props[1]"]
    found = await violations(scene_changed(client, board, 0, location="Nowhere"), INVALID)
    assert list(found) == ["scene.location"]
    nothing = client("UpdateScene", storyboard_id=board.id, scene={"id": board.scenes[0].id})
    assert list(await violations(nothing, INVALID)) == ["update_mask"]
    absent = client(
        "AddScene",
        request_id=str(uuid.uuid4()),
        storyboard_id=board.id,
        before_scene_id=ids.new("scene"),
        scene=pb.Scene(subject="Dawn", duration={"seconds": 5}),
    )
    assert (await refused(absent, MISSING)).reason == "SCENE_NOT_FOUND"


async def test_no_more_than_five_hundred_scenes(client):
    full = pb.Storyboard(name="Long", scenes=[pb.Scene(subject="Fog", duration={"seconds": 4})] * 500)
    made = await client.create(full)
    found = await violations(added(client, made), INVALID)
    assert "at most 500" in found["storyboard.scenes"]
    back = await moved(client, made, 499, 0)
    assert [it.id for it in back.scenes][:2] == [made.scenes[499].id, made.scenes[0].id]


async def test_a_removed_scene_stays_removed(client, board):
    for _ in range(2):
        answer = await client("RemoveScene", storyboard_id=board.id, scene_id=board.scenes[1].id, etag=board.etag)
        assert (len(answer.storyboard.scenes), answer.storyboard.revision) == (2, 2)


async def test_a_repeated_update_adds_its_new_scenes_once(client, board):
    scenes = [*board.scenes, pb.Scene(subject="Dawn", duration={"seconds": 5})]
    first = await updated(client, board, scenes=scenes)
    await scene_changed(client, first, 0, mood="sad")
    again = await updated(client, board, scenes=scenes)
    assert (len(again.scenes), again.revision, again.scenes[0].mood) == (4, 3, "sad")


async def test_a_move_writes_no_part_of_the_board(client, board):
    async def parts():
        async with client.place.database.house() as conn:
            return (await conn.exec_driver_sql("SELECT count(*), max(cardinality(parts)) FROM parts, revisions")).one()

    before = await parts()
    after = await moved(client, board, 2, 0)
    assert (await moved(client, after, 0, 0)).revision == 2, "before itself is where it is"
    assert (await parts())[0] == before[0] * 2, "one revision more, and no part"
    await client("RestoreRevision", storyboard_id=board.id, number=1)
    assert (await parts())[0] == before[0] * 3
