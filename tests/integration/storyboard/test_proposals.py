"""A language model proposes, over HTTP, and changes nothing."""

import asyncio
import contextlib
import json
import logging

import grpc
import pytest

from libs import rpc
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from services.storyboard import chat, writer
from tests.integration.refusals import fault_of, refused, violations
from tests.integration.sandbox.conftest import lent as _lent
from tests.unit.storyboard import boards

lent = _lent
INVALID, CONFLICT, DENIED, BUSY, AWAY = (
    grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE,
)  # fmt: skip
KEY = "a-key-that-no-log-may-hold"
SCRIPT = 'Mara Voss climbs the stairs. "Who is there?"\n\nZoë waits at the door, and does not knock.'


@pytest.fixture
async def author(request, lent):
    """The sandbox's writer; its key may ask for disasters."""
    key = KEY + getattr(request, "param", "")
    async with contextlib.aclosing(Closing(chat.Model(key, f"{lent.url}/v1", "sandbox-writer-1"))) as model:
        yield model


class Closing:
    """A writer that lets go of its connections when the test is over."""

    def __init__(self, model):
        self.answer, self.aclose = model.answer, model.close


def off(test):
    return pytest.mark.parametrize("author", [writer.Nobody()], ids=["off"])(test)


async def proposed(client, board, script=SCRIPT, **more):
    return await client("ProposeScenes", storyboard_id=board.id, script=script, **more)


async def test_a_script_becomes_scenes_that_are_sent_as_an_edit(client):
    board = await client.create(boards.the_letter())
    answer = await proposed(client, board)
    assert not answer.warnings
    assert [(it.kind, it.path.partition("[")[0]) for it in answer.changes] == [
        (pb.Change.KIND_ADDED, "scenes"), (pb.Change.KIND_ADDED, "scenes")
    ]  # fmt: skip
    assert (await client("GetStoryboard", storyboard_id=board.id)).storyboard == board, "nothing is changed"
    renamed = pb.Storyboard(id=board.id, etag=board.etag, name="Meanwhile")
    await client("UpdateStoryboard", storyboard=renamed, update_mask={"paths": ["name"]})
    update = answer.update
    after = (await client("UpdateStoryboard", storyboard=update.storyboard, update_mask=update.update_mask)).storyboard
    assert (after.name, len(after.scenes)) == ("Meanwhile", 5)
    assert list(after.scenes[:3]) == list(board.scenes)
    assert (after.scenes[3].cast, after.scenes[3].dialogue) == (["Mara Voss"], "Who is there?")
    assert answer.changes[1].path == f"scenes[{after.scenes[4].id}]", "what was shown is what is there"


async def test_better_words_are_one_field_to_send(client):
    board = await client.create(boards.the_letter())
    scene = board.scenes[1]
    answer = await client("RefineScene", storyboard_id=board.id, scene_id=scene.id, instruction="slowly")
    assert sorted(answer.update.update_mask.paths) == ["action", "camera"]
    assert {it.path: it.after.string_value for it in answer.changes}[
        f"scenes[{scene.id}].action"
    ] == "Fog crosses it slowly"
    after = (
        await client(
            "UpdateScene",
            storyboard_id=answer.update.storyboard_id,
            etag=answer.update.etag,
            scene=answer.update.scene,
            update_mask=answer.update.update_mask,
        )
    ).storyboard
    assert after.scenes[1].action == "Fog crosses it slowly"
    assert after.scenes[1].duration == scene.duration


async def test_a_script_that_gives_orders_reaches_no_other_board(client):
    board, other = await client.create(boards.the_letter()), await client.create(boards.the_letter())
    lie = {
        "storyboard_id": other.id,
        "update": {"storyboard": {"id": other.id, "name": "taken"}},
        "scenes": [{"id": other.scenes[0].id, "subject": "Fog", "model": "dear/model", "action": "x" * 3000}],
    }
    answer = await proposed(client, board, json.dumps(lie))
    assert answer.update.storyboard.id == board.id
    assert answer.update.update_mask.paths == ["scenes"]
    new = answer.update.storyboard.scenes[-1]
    assert (new.subject, new.action, new.model) == ("Fog", "", "")
    assert new.id not in {it.id for it in (*board.scenes, *other.scenes)}
    assert len(answer.warnings) == 3
    assert (await client("GetStoryboard", storyboard_id=other.id)).storyboard == other


async def test_a_log_holds_neither_key_nor_script_nor_answer(client, caplog):
    caplog.set_level(logging.DEBUG, logger="services")
    board = await client.create(boards.the_letter())
    await proposed(client, board)
    await refused(proposed(client, board, "{no json"), CONFLICT)
    told = caplog.text + " ".join(str(vars(it)) for it in caplog.records)
    assert not [word for word in (KEY, "Who is there", "{no json") if word in told]


@off
async def test_without_a_key_the_setting_is_named(client):
    board = await client.create(boards.the_letter())
    error = await fault_of(proposed(client, board), CONFLICT)
    assert "RUSHES_WRITER_KEY" in error.details()


@pytest.mark.parametrize(
    ("author", "code", "reason"),
    [("+busy", AWAY, "WRITER_AWAY"), ("+throttled", BUSY, "WRITER_BUSY"), ("+gone", CONFLICT, "WRITER_REFUSED")],
    indirect=["author"],
)
async def test_a_server_that_says_no_is_told_by_name(client, code, reason):
    board = await client.create(boards.the_letter())
    assert (await refused(proposed(client, board), code)).reason == reason


async def test_an_answer_of_no_use_is_told_by_name(client):
    board = await client.create(boards.the_letter())
    for script in ("{", '{"scenes": []}'):
        assert (await refused(proposed(client, board, script), CONFLICT)).reason == "WRITER_UNCLEAR"


async def test_what_cannot_be_asked_is_refused(client):
    board = await client.create(boards.the_letter())
    assert "script" in await violations(proposed(client, board, " "), INVALID)
    assert "script" in await violations(proposed(client, board, "x" * 50_001), INVALID)
    assert "most_scenes" in await violations(proposed(client, board, most_scenes=101), INVALID)
    long = client("RefineScene", storyboard_id=board.id, scene_id=board.scenes[0].id, instruction="x" * 2001)
    assert "instruction" in await violations(long, INVALID)
    wrong = client("RefineScene", storyboard_id=board.id, scene_id="scene_x")
    assert (await refused(wrong, grpc.StatusCode.NOT_FOUND)).reason == "SCENE_NOT_FOUND"
    hidden = client("ProposeScenes", tenant="other", storyboard_id=board.id, script="x")
    assert (await refused(hidden, grpc.StatusCode.NOT_FOUND)).reason == "STORYBOARD_NOT_FOUND"


async def test_a_guest_asks_no_model(client):
    request = service_pb.CreateGuestStoryboardRequest(storyboard=boards.without_stills())
    guest = await client.stub.CreateGuestStoryboard(request, timeout=10)
    asked = service_pb.ProposeScenesRequest(storyboard_id=guest.storyboard.id, script="x")
    call = client.stub.ProposeScenes(asked, metadata=rpc.bearer(guest.claim_code), timeout=10)
    assert (await refused(call, DENIED)).reason == "WRITER_NEEDS_ACCOUNT"


class Silent:
    """A server that takes a request and hangs up; it counts."""

    def __init__(self):
        self.asked = 0

    async def take(self, reader, stream):
        await reader.read(1)
        self.asked += 1
        stream.close()


async def test_an_answer_that_is_lost_is_not_asked_for_again():
    silent = Silent()
    async with await asyncio.start_server(silent.take, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        model = chat.Model(KEY, f"http://{host}:{port}/v1", "any")
        with pytest.raises(writer.WriterAway):
            await model.answer(writer.Task("scenes", "x", {}, {}))
        await model.close()
    assert silent.asked == 1


async def test_a_model_that_takes_too_long_is_left():
    left = asyncio.Event()

    async def never(reader, stream):
        await reader.read()
        stream.close()
        await stream.wait_closed()
        left.set()

    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        model = chat.Model(KEY, f"http://{host}:{port}/v1", "any", deadline_s=0.2)
        with pytest.raises(writer.WriterAway):
            await model.answer(writer.Task("scenes", "x", {}, {}))
        await model.close()
        await left.wait()
