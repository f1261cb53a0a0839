"""The verbs of webhooks and dead letters against a house, and a receiver beside it."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from libs import db, outbox
from rushes.job.v1 import events_pb2
from services.cli import environment, house, postgres
from tests.integration.job import hooks

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def receiver() -> Iterator[hooks.Receiver]:
    """In a thread of its own: the verbs run loops of theirs."""
    ready, stop, made = threading.Event(), asyncio.Event(), list[hooks.Receiver]()
    loop = asyncio.new_event_loop()

    async def receive() -> None:
        async with hooks.receiving() as receiver:
            made.append(receiver)
            ready.set()
            await stop.wait()

    def serve() -> None:
        loop.run_until_complete(receive())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield made[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def test_an_endpoint_from_its_beginning_to_its_end(run: Run, receiver: hooks.Receiver) -> None:
    code, told, _ = run("webhook", "add", receiver.address + "/hook", "--event", "production.*", "--json")
    added = json.loads(told)
    endpoint, secret = added["webhook_endpoint"]["id"], added["secret"]
    assert (code, run("webhook", "test", endpoint)[0]) == (0, 0)
    ((path, headers, body),) = receiver.requests
    assert path == "/hook"
    assert hooks.is_signed(headers, body, secret)
    rotated = json.loads(run("webhook", "rotate", endpoint, "--json")[1])
    assert rotated["secret"] not in ("", secret)
    assert secret not in run("webhook", "list")[1] + run("webhook", "show", endpoint)[1]
    delivery = json.loads(run("webhook", "deliveries", endpoint, "--json")[1])["webhook_deliveries"][0]
    assert "status 204" in run("webhook", "show", delivery["id"])[1]
    assert "paused (asked)" in run("webhook", "pause", endpoint)[1]
    assert "sends" in run("webhook", "resume", endpoint)[1]
    assert "0 are sent again" in run("webhook", "replay", endpoint, "--since", "2026-01-01")[1]
    assert run("webhook", "replay", endpoint)[0] == 2
    receiver.statuses["/hook"] = 500
    code, told, fault = run("webhook", "test", endpoint)
    assert (code, "status 500" in told, "did not arrive" in fault) == (1, True, True)
    assert run("webhook", "delete", endpoint)[0] == 0
    assert run("webhook", "show", endpoint)[0] == 3


def test_an_address_that_may_not_be_called_is_refused(run: Run) -> None:
    code, _, fault = run("webhook", "add", "http://169.254.169.254/")
    assert code == 2
    assert "public host" in fault


def test_a_dead_letter_is_seen_retried_and_discarded(run: Run, folder: Path) -> None:
    asyncio.run(bury(house.load(folder)))
    assert "no dead letters" not in run("ops", "dead", "list")[1]
    letters = json.loads(run("ops", "dead", "list", "--json")[1])["provider_gateway"]
    assert [one["event_id"] for one in letters] == ["evt_unread", "evt_cancel"]
    code, told, _ = run("ops", "dead", "retry", "evt_cancel")
    assert (code, "HANDLED" in told) == (0, True)
    code, _, fault = run("ops", "dead", "retry", "evt_unread")
    assert (code, "DecodeError" in fault) == (1, True)
    assert "job_id job_1" in run("ops", "dead", "show", "evt_cancel")[1]
    assert "DISCARDED" in run("ops", "dead", "discard", "evt_unread", "--note", "Nobody can read it.")[1]
    assert "no dead letters" in run("ops", "dead", "list")[1]
    assert run("ops", "dead", "show", "evt_none")[0] == 3


def test_a_decision_is_seen_and_a_changed_one_is_found(run: Run, folder: Path, receiver: hooks.Receiver) -> None:
    endpoint = json.loads(run("webhook", "add", receiver.address + "/hook", "--json")[1])["webhook_endpoint"]["id"]
    told = run("ops", "audit", "list", "--target", endpoint)[1]
    assert f"local; webhook_endpoint_created {endpoint}" in told
    code, told, _ = run("ops", "audit", "verify")
    assert (code, len(told.splitlines())) == (0, 4)
    assert json.loads(run("ops", "audit", "verify", "--json")[1])["storyboard"]["last_hash"]
    asyncio.run(change(house.load(folder), "UPDATE audit SET actor = 'bo'"))
    code, _, fault = run("ops", "audit", "verify")
    assert (code, "job: entry 1: it was changed" in fault) == (1, True)
    asyncio.run(change(house.load(folder), "UPDATE audit SET actor = 'local'"))
    assert run("ops", "audit", "verify")[0] == 0


async def change(of: house.House, statement: str) -> None:
    connection = await postgres.connect(of, database="job")
    await connection.execute(f"SET session_replication_role = replica; {statement}")
    await connection.close()


async def bury(of: house.House) -> None:
    database = db.Database(environment.database_url(of, "provider_gateway", "provider_gateway"))
    cancel = events_pb2.CancelRequested(tenant_id="local", job_id="job_1")
    async with database.house() as conn:
        for event_id, payload in (("evt_cancel", cancel.SerializeToString()), ("evt_unread", b"\xff\xff")):
            event = outbox.Event(event_id, cancel.DESCRIPTOR.full_name, payload, {})
            await outbox.bury(conn, event, outbox.Fault("KeyError", "", 8))
    await database.close()
