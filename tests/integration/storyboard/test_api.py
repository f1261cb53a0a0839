"""Every RPC of StoryboardService, over real gRPC, on a real PostgreSQL."""

import asyncio
import datetime
import uuid

import grpc
import pytest
from google.rpc import error_details_pb2

from libs import ids
from rushes.storyboard.v1 import storyboard_pb2 as pb
from services.storyboard import compose, presets, ticks
from tests.integration.refusals import detail, refused
from tests.unit.storyboard import boards

ABSENT = ids.new("sb")


async def renamed(client, board, name, etag=None):
    changed = pb.Storyboard(id=board.id, name=name, etag=board.etag if etag is None else etag)
    answer = await client("UpdateStoryboard", storyboard=changed, update_mask={"paths": ["name"]})
    return answer.storyboard


async def test_create_and_get(client):
    made = await client.create(boards.the_letter())
    assert made.id.startswith("sb_")
    assert (made.revision, made.state) == (1, pb.Storyboard.STATE_ACTIVE)
    assert made.create_time == made.update_time
    assert all(scene.id.startswith("scene_") for scene in made.scenes)
    assert made.characters[0].identity_tag.startswith("character:mara-voss_id:")
    got = await client("GetStoryboard", storyboard_id=made.id)
    assert got.storyboard == made


async def test_a_repeated_create_makes_one(client):
    request = {"request_id": str(uuid.uuid4()), "storyboard": boards.the_letter()}
    answers = await asyncio.gather(*(client("CreateStoryboard", **request) for _ in range(5)))
    assert len({answer.storyboard.id for answer in answers}) == 1
    await renamed(client, answers[0].storyboard, "The answer")
    again = await client("CreateStoryboard", **request)
    assert (again.storyboard.id, again.storyboard.revision) == (answers[0].storyboard.id, 2)
    assert len((await client("ListStoryboards")).storyboards) == 1


async def test_a_request_id_belongs_to_one_body_and_one_tenant(client):
    request_id = str(uuid.uuid4())
    await client("CreateStoryboard", request_id=request_id, storyboard=pb.Storyboard(name="One"))
    other = client("CreateStoryboard", request_id=request_id, storyboard=pb.Storyboard(name="Two"))
    info = await refused(other, grpc.StatusCode.FAILED_PRECONDITION)
    assert (info.reason, info.domain) == ("REQUEST_ID_REUSED", "storyboard.rushes")
    assert info.metadata["request_id"] == request_id
    await client("CreateStoryboard", tenant="other", request_id=request_id, storyboard=pb.Storyboard(name="Two"))


async def test_a_faulty_create_names_every_field(client):
    faulty = client("CreateStoryboard", request_id="1", storyboard=pb.Storyboard(scenes=[pb.Scene(cast=["A"])]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await faulty
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    fields = [v.field for v in detail(caught.value, error_details_pb2.BadRequest).field_violations]
    assert fields == [
        "request_id",
        "storyboard.name",
        "storyboard.scenes[0].duration",
        "storyboard.scenes[0].subject",
        "storyboard.scenes[0].cast[0]",
    ]


async def test_update_makes_a_revision(client):
    made = await client.create(boards.the_letter())
    scenes = [made.scenes[2], pb.Scene(subject="Dawn", duration={"seconds": 5}), made.scenes[0]]
    changed = pb.Storyboard(id=made.id, etag=made.etag, name="ignored", scenes=scenes)
    answer = await client("UpdateStoryboard", subject="bo", storyboard=changed, update_mask={"paths": ["scenes"]})
    after = answer.storyboard
    assert (after.name, after.revision) == ("The letter", 2)
    assert [scene.id for scene in after.scenes][::2] == [made.scenes[2].id, made.scenes[0].id]
    assert after.scenes[1].id not in {scene.id for scene in made.scenes}
    assert after.update_time.ToDatetime() > made.update_time.ToDatetime()
    assert (await client("GetStoryboard", storyboard_id=made.id)).storyboard == after


async def test_an_update_must_leave_the_board_whole(client):
    made = await client.create(boards.the_letter())
    changed = pb.Storyboard(id=made.id, etag=made.etag)
    update = client("UpdateStoryboard", storyboard=changed, update_mask={"paths": ["characters"]})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await update
    fields = [v.field for v in detail(caught.value, error_details_pb2.BadRequest).field_violations]
    assert fields == [f"storyboard.scenes[{n}].cast[{m}]" for n, m in ((0, 0), (2, 0), (2, 1))]


async def test_a_stale_etag_is_refused(client):
    made = await client.create(boards.the_letter())
    after = await renamed(client, made, "The answer")
    assert after.etag != made.etag
    for stale in (
        renamed(client, made, "Another"),
        client("DeleteStoryboard", storyboard_id=made.id, etag=made.etag),
        client("RestoreRevision", storyboard_id=made.id, number=1, etag=made.etag),
    ):
        info = await refused(stale, grpc.StatusCode.ABORTED)
        assert info.reason == "STORYBOARD_CHANGED"
        assert dict(info.metadata) == {"storyboard_id": made.id, "etag": made.etag}
    assert (await renamed(client, made, "The answer")).revision == 2, "repeating an accepted change is safe"


async def test_of_concurrent_updates_one_wins(client):
    made = await client.create(boards.the_letter())
    results = await asyncio.gather(
        *(renamed(client, made, f"Title {n}", etag="") for n in range(6)), return_exceptions=True
    )
    revisions = [result.revision for result in results if isinstance(result, pb.Storyboard)]
    losers = [result.code() for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert len(revisions) == len(set(revisions)) >= 1
    assert set(losers) <= {grpc.StatusCode.ABORTED}
    newest = (await client("GetStoryboard", storyboard_id=made.id)).storyboard
    assert newest.revision == 1 + len(revisions)


async def test_delete_and_undelete(client):
    made = await client.create(boards.the_letter())
    for etag in (made.etag, "", "whatever: it is deleted"):
        await client("DeleteStoryboard", storyboard_id=made.id, etag=etag)
    gone = (await client("GetStoryboard", storyboard_id=made.id)).storyboard
    assert gone.state == pb.Storyboard.STATE_DELETED
    assert gone.HasField("delete_time")
    assert not (await client("ListStoryboards")).storyboards
    assert len((await client("ListStoryboards", show_deleted=True)).storyboards) == 1
    for change in (renamed(client, gone, "x"), client("RestoreRevision", storyboard_id=made.id, number=1)):
        info = await refused(change, grpc.StatusCode.FAILED_PRECONDITION)
        assert info.reason == "STORYBOARD_DELETED"
    for _ in range(2):
        back = (await client("UndeleteStoryboard", storyboard_id=made.id)).storyboard
        assert back == made


async def test_an_archived_storyboard_is_out_of_sight_and_nothing_else(client):
    made = await client.create(boards.the_letter())
    for _ in range(2):
        put_away = (await client("ArchiveStoryboard", storyboard_id=made.id)).storyboard
        assert (put_away.state, put_away.etag) == (pb.Storyboard.STATE_ARCHIVED, made.etag)
    assert not (await client("ListStoryboards")).storyboards
    assert not (await client("ListStoryboards", query="letter")).storyboards
    for query in ("", "letter"):
        listed = await client("ListStoryboards", state=pb.Storyboard.STATE_ARCHIVED, query=query)
        assert [it.id for it in listed.storyboards] == [made.id]
    await client("UndeleteStoryboard", storyboard_id=made.id)
    changed = await renamed(client, put_away, "Changed in the archive")
    assert (changed.state, changed.revision) == (pb.Storyboard.STATE_ARCHIVED, 2)
    back = (await client("UnarchiveStoryboard", storyboard_id=made.id)).storyboard
    assert (back.state, back.name) == (pb.Storyboard.STATE_ACTIVE, "Changed in the archive")
    await client("DeleteStoryboard", storyboard_id=made.id)
    for verb in ("ArchiveStoryboard", "UnarchiveStoryboard"):
        info = await refused(client(verb, storyboard_id=made.id), grpc.StatusCode.FAILED_PRECONDITION)
        assert info.reason == "STORYBOARD_DELETED"


async def test_a_deleted_storyboard_is_forgotten_after_thirty_days(client):
    kept, gone = [await client.create(boards.the_letter()) for _ in range(2)]
    await client("DeleteStoryboard", storyboard_id=gone.id)
    for days, forgotten in ((29, 0), (31, 1), (31, 0)):
        now = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC) + datetime.timedelta(days=days)
        assert await ticks.forget(client.place.database, lambda now=now: now)() == forgotten
    info = await refused(client("GetRevision", storyboard_id=gone.id, number=1), grpc.StatusCode.NOT_FOUND)
    assert info.reason == "STORYBOARD_NOT_FOUND"
    assert (await client("GetStoryboard", storyboard_id=kept.id)).storyboard == kept


async def test_revisions_and_restore(client):
    made = await client.create(boards.the_letter())
    await renamed(client, made, "The answer")
    first = (await client("GetRevision", storyboard_id=made.id, number=1)).revision
    assert (first.author, first.origin, first.storyboard.name) == ("ada", "CreateStoryboard", "The letter")
    assert first.client == "api"
    assert first.storyboard.scenes == made.scenes
    answer = await client("RestoreRevision", subject="bo", storyboard_id=made.id, number=1)
    assert (answer.storyboard.name, answer.storyboard.revision) == ("The letter", 3)
    assert answer.storyboard.characters == made.characters
    history = (await client("ListRevisions", storyboard_id=made.id)).revisions
    assert [(it.number, it.author, it.origin) for it in history] == [
        (3, "bo", "RestoreRevision"),
        (2, "ada", "UpdateStoryboard"),
        (1, "ada", "CreateStoryboard"),
    ]
    assert not any(it.HasField("storyboard") for it in history)


@pytest.mark.parametrize("verb", ["GetRevision", "RestoreRevision"])
async def test_a_revision_that_is_not_there(client, verb):
    made = await client.create(boards.the_letter())
    info = await refused(client(verb, storyboard_id=made.id, number=7), grpc.StatusCode.NOT_FOUND)
    assert info.reason == "REVISION_NOT_FOUND"
    assert dict(info.metadata) == {"storyboard_id": made.id, "revision": "7"}


async def test_the_history_comes_in_pages(client):
    board = await client.create(boards.the_letter())
    for number in range(2, 6):
        board = await renamed(client, board, f"Title {number}")
    numbers, token = [], ""
    while True:
        answer = await client("ListRevisions", storyboard_id=board.id, page_size=2, page_token=token)
        numbers += [it.number for it in answer.revisions]
        if not (token := answer.next_page_token):
            break
    assert numbers == [5, 4, 3, 2, 1]
    other = await client.create(boards.the_letter())
    first = await client("ListRevisions", storyboard_id=board.id, page_size=2)
    foreign = client("ListRevisions", storyboard_id=other.id, page_token=first.next_page_token)
    with pytest.raises(grpc.aio.AioRpcError, match="page_token"):
        await foreign


async def test_storyboards_come_last_updated_first_in_pages(client):
    made = [await client.create(pb.Storyboard(name=f"Board {n}", logline="x")) for n in range(5)]
    await renamed(client, made[0], "Board 0 again")
    names, token = [], ""
    while True:
        answer = await client("ListStoryboards", page_size=2, page_token=token)
        names += [it.name for it in answer.storyboards]
        assert len(answer.storyboards) <= 2
        if not (token := answer.next_page_token):
            break
    assert names == ["Board 0 again", "Board 4", "Board 3", "Board 2", "Board 1"]


async def test_a_list_has_no_scenes_but_the_rest(client):
    made = await client.create(boards.the_letter())
    (listed,) = (await client("ListStoryboards")).storyboards
    made.ClearField("scenes")
    assert listed == made


@pytest.mark.parametrize(
    ("query", "found"), [("letter", ["The Letter 100%"]), ("%", ["The Letter 100%"]), ("_", []), ("zz", []), (" ", 2)]
)
async def test_names_are_searched(client, query, found):
    for name in ("The Letter 100%", "Fog"):
        await client.create(pb.Storyboard(name=name))
    names = [it.name for it in (await client("ListStoryboards", query=query)).storyboards]
    assert names == found or len(names) == found


async def test_a_page_token_belongs_to_its_list(client):
    for n in range(3):
        await client.create(pb.Storyboard(name=f"Board {n}"))
    first = await client("ListStoryboards", page_size=1)
    for other in (
        {"query": "Board"},
        {"show_deleted": True},
        {"tenant": "other"},
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="page_token"):
            await client("ListStoryboards", page_token=first.next_page_token, **other)
    with pytest.raises(grpc.aio.AioRpcError, match="page_size"):
        await client("ListStoryboards", page_size=-1)


async def test_presets(client):
    answer = await client("ListPresets")
    assert [it.key for it in answer.presets] == [it.key for it in presets.PRESETS]
    assert answer.presets[0].words == presets.PRESETS[0].words


async def test_compose(client):
    made = await client.create(boards.the_letter())
    newest = await client("ComposePrompts", storyboard_id=made.id)
    await renamed(client, made, "The answer")
    first = await client("ComposePrompts", storyboard_id=made.id, revision=1)
    assert first == newest
    assert (first.storyboard_name, first.revision) == ("The letter", 1)
    assert first.composer_version == compose.COMPOSER_VERSION
    assert [it.scene_id for it in first.prompts] == [scene.id for scene in made.scenes]
    assert [it.scene_number for it in first.prompts] == [1, 2, 3]
    second = await client("ComposePrompts", storyboard_id=made.id)
    assert (second.storyboard_name, second.revision) == ("The answer", 2)
    assert [it.digest for it in second.prompts] == [it.digest for it in first.prompts]


async def test_nothing_to_compose(client):
    made = await client.create(pb.Storyboard(name="Empty"))
    info = await refused(client("ComposePrompts", storyboard_id=made.id), grpc.StatusCode.FAILED_PRECONDITION)
    assert info.reason == "STORYBOARD_EMPTY"
    assert dict(info.metadata) == {"storyboard_id": made.id, "revision": "1"}


VERBS = {
    "GetStoryboard": {},
    "DeleteStoryboard": {},
    "UndeleteStoryboard": {},
    "ArchiveStoryboard": {},
    "UnarchiveStoryboard": {},
    "GetRevision": {"number": 1},
    "ListRevisions": {},
    "RestoreRevision": {"number": 1},
    "ComposePrompts": {},
}


@pytest.mark.parametrize("verb", VERBS)
async def test_what_is_another_tenant_s_is_not_there(client, verb):
    made = await client.create(boards.the_letter())
    for storyboard_id, tenant in ((made.id, "other"), (ABSENT, "acme"), ("no id at all\x00" * 99, "acme")):
        call = client(verb, tenant=tenant, storyboard_id=storyboard_id, **VERBS[verb])
        info = await refused(call, grpc.StatusCode.NOT_FOUND)
        assert info.reason == "STORYBOARD_NOT_FOUND"
        assert info.metadata["storyboard_id"] == storyboard_id[:100]
    assert (await client("GetStoryboard", storyboard_id=made.id)).storyboard == made


async def test_another_tenant_cannot_change_or_list(client):
    made = await client.create(boards.the_letter())
    changed = pb.Storyboard(id=made.id, name="x", etag=made.etag)
    update = client("UpdateStoryboard", tenant="other", storyboard=changed, update_mask={"paths": ["name"]})
    assert (await refused(update, grpc.StatusCode.NOT_FOUND)).reason == "STORYBOARD_NOT_FOUND"
    assert not (await client("ListStoryboards", tenant="other", show_deleted=True)).storyboards


@pytest.mark.parametrize("verb", [*VERBS, "CreateStoryboard", "ListStoryboards", "UpdateStoryboard", "ListPresets"])
async def test_nobody_gets_nothing(client, verb):
    info = await refused(client.anonymously(verb), grpc.StatusCode.UNAUTHENTICATED)
    assert (info.reason, info.domain) == ("TOKEN_MISSING", "storyboard.rushes")
