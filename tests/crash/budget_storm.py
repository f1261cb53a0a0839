"""`make storm`: many orders at once, four gateways that are killed, one budget; not a micro is spent beyond it."""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import nats
from google.protobuf import duration_pb2

from libs import ids
from rushes.job.v1 import events_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from rushes.provider_gateway.v1 import quote_pb2, submission_pb2
from rushes.type.v1 import clip_pb2, media_pb2, money_pb2
from services.cli import client, environment, health, house, postgres, processes
from tests import ports
from tests.bench import home
from tests.e2e import crew, oracle, waiting

REPLICAS = 4
CLIP_MICROS = 100_000
"""What a second of the sandbox costs."""

SPED_UP = {"RUSHES_SANDBOX_INSTANT": "true", "RUSHES_LEASE_S": "8", "RUSHES_LOG_LEVEL": "WARNING"}
"""What children are told, so that a storm takes minutes."""

Pids = Callable[[], list[int | None]]

_GATEWAY = "provider_gateway"
_SCENES = 100  # of each production
_TIGHT = 10  # clips that fit into one of them
_MORE = 8  # clips that fit when the walls are moved
_AT_ONCE = 500
_LOOK_EVERY_S = 0.2
_READY_WITHIN_S, _WITHIN_S = 180.0, 900.0
_OVER = "SELECT id FROM budgets WHERE reserved_micros + spent_micros + suspense_micros > limit_micros"
_UNEQUAL = """
    WITH behind AS (
      SELECT unnest(s.budgets) AS wall, sum(l.reserved) AS reserved, sum(l.spent) AS spent, sum(l.suspense) AS suspense
      FROM submissions s JOIN ledger l ON l.submission_id = s.id GROUP BY 1
    ) SELECT b.id FROM budgets b LEFT JOIN behind ON behind.wall = b.id
    WHERE (b.reserved_micros, b.spent_micros, b.suspense_micros) IS DISTINCT FROM
      (coalesce(behind.reserved, 0), coalesce(behind.spent, 0), coalesce(behind.suspense, 0))"""
_SUM = "SELECT coalesce(sum(available + reserved + spent + suspense), 0) FROM ledger"
_STATES = "SELECT state, count(*) AS count FROM submissions GROUP BY state"


@dataclasses.dataclass
class Told:
    """What was seen: how many looks found every wall in order, and how it ended."""

    orders: int
    fits: int
    kills: int = 0
    looks: int = 0
    bought: int = 0
    parked: int = 0
    unknown: int = 0
    elapsed_s: float = 0.0

    def __str__(self) -> str:
        """One line, for the page of figures."""
        return (
            f"{self.orders} orders at {REPLICAS} gateways against a budget for {self.fits}, {self.kills} kills: "
            f"{self.bought} bought, {self.parked} parked, {self.unknown} answers lost and found; "
            f"overspend 0 and ledger = walls at {self.looks} looks; {self.elapsed_s:.0f} s"
        )


async def storm(folder: Path, orders: int, fits: int, kills: int) -> Told:
    """Order so many clips of which so many fit, and kill gateways meanwhile. Raises AssertionError."""
    told = Told(orders, fits)
    async with home.kept(folder, ("sandbox", _GATEWAY)) as of, _replicas(of) as pids:
        gateway = _Gateway(of)
        requests = await gateway.ordered(orders)
        await gateway.limit(fits)
        await gateway.limit(fits, period=submission_pb2.Budget.PERIOD_MONTH)
        tight = requests[-1].production_id
        await gateway.limit(_TIGHT, scope=submission_pb2.Budget.SCOPE_PRODUCTION, scope_id=tight)
        began = time.monotonic()
        async with _watched(of, told):
            killing = asyncio.create_task(_kill(of, pids, told, kills))
            await _publish(of, requests)
            await waiting.until("the end of the storm", lambda: _is_over(of, orders, fits), _WITHIN_S)
            await killing
            await gateway.limit(fits + _MORE, period=submission_pb2.Budget.PERIOD_MONTH)
            await gateway.limit(fits + _MORE)
            await waiting.until("those who may pass now", lambda: _is_over(of, orders, fits + _MORE), _WITHIN_S)
        told.elapsed_s = time.monotonic() - began
        await _check_end(of, told, tight)
    return told


class _Gateway:
    """The first gateway, called as the person of the house."""

    def __init__(self, of: house.House) -> None:
        self._of = of

    async def limit(self, clips: int, **place: Any) -> None:
        """Put a wall up for so many clips, or move it."""
        limit = money_pb2.Money(currency="XTS", micros=clips * CLIP_MICROS)
        await self._call("SetBudget", limit=limit, **place)

    async def ordered(self, clips: int) -> list[events_pb2.ClipRequested]:
        """Orders for so many clips, as the job service says them once their quotes were accepted."""
        spec = clip_pb2.ClipSpec(
            model="sandbox/reel-1",
            prompt="A lighthouse at dusk.",
            duration=duration_pb2.Duration(seconds=1),
            size=media_pb2.FrameSize(width=640, height=360),
            audio=True,
        )
        scenes = [quote_pb2.QuoteItem(scene_id=f"scene_{number}", spec=spec) for number in range(_SCENES)]
        found = []
        for first in range(0, clips, _SCENES):
            items = scenes[: clips - first]
            quote = (await self._call("CreateQuote", request_id=str(uuid.uuid4()), items=items)).quote
            production = ids.new("prod")
            found += [
                events_pb2.ClipRequested(
                    tenant_id="local",
                    job_id=ids.new("job"),
                    attempt=1,
                    production_id=production,
                    storyboard_id="sb_1",
                    scene_id=item.scene_id,
                    quote_id=quote.id,
                    spec=item.spec,
                )
                for item in quote.items
            ]
        return found

    async def _call(self, verb: str, **fields: Any) -> Any:
        async with client.connect(self._of) as services:
            request = getattr(pb, f"{verb}Request")(**fields)
            while True:  # it may have been killed just now
                try:
                    return await services.call(getattr(services.gateway, verb), request)
                except client.Refused as refused:
                    if refused.is_definite:
                        raise
                await asyncio.sleep(_LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def _replicas(of: house.House) -> AsyncIterator[Pids]:
    """More gateways on the same database and bus, started again when they are killed; tells the pids of all."""
    children = [
        processes.Child(_program(of, number), of.log(f"replica{number}"), _noted) for number in range(1, REPLICAS)
    ]
    for child in children:
        child.start()
    try:
        await asyncio.wait_for(asyncio.gather(*(child.ready.wait() for child in children)), _READY_WITHIN_S)
        yield lambda: [
            one["pid"] if one["healthy"] else None
            for one in (crew.row_of(of, _GATEWAY), *(child.facts() for child in children))
        ]
    finally:
        await asyncio.gather(*(child.stop() for child in children))


def _program(of: house.House, number: int) -> processes.Program:
    address, metrics = (f"127.0.0.1:{ports.free()}" for _ in range(2))
    told = environment.of_service(of, _GATEWAY) | {"RUSHES_LISTEN": address, "RUSHES_METRICS_LISTEN": metrics}
    told = {name: value for name, value in told.items() if name != "RUSHES_CALLBACKS_LISTEN"}
    return processes.Program(
        name=f"replica{number}",
        address=address,
        command=(sys.executable, "-m", f"services.{_GATEWAY}"),
        environment=told,
        healthy=lambda: health.serving(address),
    )


def _noted() -> None:
    pass


async def _publish(of: house.House, requests: Sequence[events_pb2.ClipRequested]) -> None:
    bus = await nats.connect(environment.nats_url(of))
    js, subject = bus.jetstream(timeout=30), str(events_pb2.ClipRequested.DESCRIPTOR.full_name)
    for first in range(0, len(requests), _AT_ONCE):
        some = requests[first : first + _AT_ONCE]
        sent = (js.publish(subject, one.SerializeToString(), headers={"Nats-Msg-Id": ids.new("evt")}) for one in some)
        await asyncio.gather(*sent)
    await bus.close()


async def _kill(of: house.House, pids: Pids, told: Told, kills: int) -> None:
    """SIGKILL one gateway after the other, spread over the storm."""
    for number in range(kills):

        async def has_come_so_far(until: float = 2 * (number + 1) / (kills + 1)) -> bool:
            states = await _states(of)
            return states.total() / told.orders + states["STORED"] / told.fits >= until

        await waiting.until(f"kill {number}", has_come_so_far, _WITHIN_S)
        pid = await waiting.until("a gateway that lives", lambda turn=number: _living(pids, turn))
        os.kill(pid, signal.SIGKILL)
        told.kills += 1


async def _living(pids: Pids, turn: int) -> int | None:
    return pids()[turn % REPLICAS]


@contextlib.asynccontextmanager
async def _watched(of: house.House, told: Told) -> AsyncIterator[None]:
    """Look at the walls again and again while the block runs, and once at the end."""
    connection, over = await postgres.connect(of, database=_GATEWAY), asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            await _look(connection, told)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _LOOK_EVERY_S)

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch())
            yield
            over.set()
        await _look(connection, told)
    finally:
        await connection.close()


async def _look(connection: asyncpg.Connection, told: Told) -> None:
    """In one moment, no wall is passed, and the ledger adds up to nothing and to the walls."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        assert await connection.fetch(_OVER) == [], "a wall was passed"
        assert await connection.fetchval(_SUM) == 0, "money was made or lost"
        assert await connection.fetch(_UNEQUAL) == [], "a wall is not what the ledger says"
    told.looks += 1


async def _states(of: house.House) -> Counter[str]:
    return Counter({row["state"]: row["count"] for row in await oracle.rows(of, _GATEWAY, _STATES)})


async def _is_over(of: house.House, orders: int, fits: int) -> bool:
    states = await _states(of)
    return states == {"STORED": fits, "PARKED": orders - fits}


async def _check_end(of: house.House, told: Told, tight: str) -> None:
    """The provider's own books say the same, and the tightest wall held too."""
    states, books = await _states(of), oracle.Books(of.folder)
    told.bought, told.parked, told.unknown = states["STORED"], states["PARKED"], await oracle.unknown_outcomes(of)
    books.check(told.bought)
    assert books.charged_micros == told.bought * CLIP_MICROS == (told.fits + _MORE) * CLIP_MICROS
    inside = "SELECT count(*) FROM submissions WHERE state = 'STORED' AND production_id = " + f"'{tight}'"
    assert (await oracle.rows(of, _GATEWAY, inside))[0][0] <= _TIGHT
    why = "SELECT DISTINCT fault ->> 'reason' AS reason FROM submissions WHERE state = 'PARKED'"
    assert [row["reason"] for row in await oracle.rows(of, _GATEWAY, why)] == ["BUDGET_EXCEEDED"]
    assert await oracle.rows(of, _GATEWAY, "SELECT subject, reason FROM dead_letters") == []


def main() -> None:
    """Run one storm and print its figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--orders", type=int, default=10_000)
    arguments.add_argument("--fits", type=int, default=1_000)
    arguments.add_argument("--kills", type=int, default=12)
    asked = arguments.parse_args()
    os.environ |= SPED_UP
    with tempfile.TemporaryDirectory(prefix="rushes-storm-", ignore_cleanup_errors=True) as folder:
        told = asyncio.run(storm(Path(folder) / "home", asked.orders, asked.fits, asked.kills))
    sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    main()
