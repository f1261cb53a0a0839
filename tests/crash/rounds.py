"""One round: orders are given, something breaks, and when all is quiet the books must agree."""

import asyncio
import contextlib
import dataclasses
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rushes.job.v1 import job_service_pb2
from rushes.provider_gateway.v1 import ledger_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from services.cli import check, client
from tests.crash import armed, fates, stories
from tests.crash import rig as rigs
from tests.e2e import waiting

WITHIN_S = 120.0
_LOOK_EVERY_S = 0.25
_HEARD_WITHIN_S = 25.0
_PAUSE_S = rigs.LEASE_S + 1.5
_LONG_PAUSE_S = 11.0
"""For what hangs on the bus: longer than it waits for an acknowledgement."""

_FINAL = "('STORED', 'CLIP_EXPIRED', 'REJECTED', 'ABSENT', 'PROVIDER_FAILED', 'CANCELED_FREE')"
_OPEN_JOBS = "SELECT count(*) FROM jobs WHERE ended_at IS NULL"
_OPEN = f"SELECT count(*) FROM submissions WHERE state NOT IN {_FINAL}"
_STUCK = f"""
    SELECT s.id, s.state, s.account, s.tries, s.next_action_at - now() AS due_in, s.lease_until - now() AS held_for,
      (SELECT array_agg(DISTINCT e.kind) FROM evidence e WHERE e.submission_id = s.id)
    FROM submissions s WHERE state NOT IN {_FINAL}"""
_PARKED = "SELECT count(*) FROM submissions WHERE state = 'PARKED' AND scene_id = ANY($1)"
_UNSAID = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
_UNTOLD = """
    SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
    WHERE d.state = 'PENDING' AND e.state = 'ENABLED'"""
_FORGET_TRAFFIC = "WITH gone AS (DELETE FROM account_calls) DELETE FROM accounts"
_HOLD_BACK = """
    INSERT INTO accounts (name, breaker, reason, probe_at, opened)
    VALUES ('endpoint:sandbox-veo', 'OPEN', 'a round', now() + interval '1 hour', 1)"""

Breaks = Callable[[rigs.Rig, random.Random], Awaitable[None]]


@dataclasses.dataclass(frozen=True)
class Script:
    """What a round is about: its board, what leads to its places, and what breaks, at places or around them."""

    name: str
    seed: int = 0
    board: tuple[stories.Story, ...] = stories.BOARD
    plan: stories.Plan = stories.NO_PLAN
    faults: tuple[armed.Fault, ...] = ()
    breaks: Breaks | None = None
    alone: bool = False
    """No person is needed: everything comes to light by itself."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a round went: what is wrong, what went off and what did not, what a person did, how long it took."""

    name: str
    wrong: tuple[str, ...]
    hits: tuple[armed.Hit, ...]
    missed: tuple[str, ...]
    settled: int
    elapsed_s: float


async def play(rig: rigs.Rig, script: Script) -> Outcome:
    """Play it; afterwards everything is over, or that is what is wrong."""
    began, fate = time.monotonic(), fates.Fates(rig, is_unwanted=script.plan.unwanted)
    try:
        async with asyncio.timeout(WITHIN_S):
            await _film(rig, script, fate)
        helped = (f"{fate.settled} were closed by a person",) if script.alone and fate.settled else ()
        wrong = (*await verdict(rig), *helped)
    except TimeoutError:
        stuck = [" ".join(map(str, row)) for row in await rig.rows(fates.GATEWAY, _STUCK)]
        wrong = (f"not quiet within {WITHIN_S:.0f} s: {await still_open(rig)} {stuck}", *await verdict(rig, 0))
    hits, missed = tuple(rig.faults.hits()), tuple(rig.faults.disarm())
    return Outcome(script.name, wrong, hits, missed, fate.settled, time.monotonic() - began)


async def _film(rig: rigs.Rig, script: Script, fate: fates.Fates) -> None:
    plan, chance = script.plan, random.Random(script.seed)
    rig.forgive()
    await rig.rows(fates.GATEWAY, _FORGET_TRAFFIC)
    wanted = [await _quoted(rig, fate, (*script.board, *plan.more))]
    if plan.cancelled:
        wanted.append(await _quoted(rig, fate, plan.cancelled))
    async with _held_back(rig, fate) as let_go, waking(rig):
        for fault in script.faults:
            rig.faults.arm(fault)
        if plan.fresh:
            rig.turn_vault()
            rig.send_gateways(signal.SIGKILL)
        if plan.away:
            rig.send("sandbox", signal.SIGKILL)
        productions = [await _asked(rig, one) for one in wanted]
        if script.breaks:
            await asyncio.sleep(chance.uniform(0, 2.0))
            await script.breaks(rig, chance)
        if waits := [scene for scene, story in fate.scenes.items() if story is stories.STOPPED]:
            await waiting.until("orders that wait", lambda: _all_parked(rig, waits), WITHIN_S)
        if stories.STOPPED in plan.more:
            await let_go()
        for production in productions[1:]:
            request = job_service_pb2.CancelProductionRequest(production_id=production.id)
            await _told(rig, rig.services.jobs.CancelProduction, request)
        while await still_open(rig):
            await fate.pass_by()
            await asyncio.sleep(_LOOK_EVERY_S)
        await rig.healthy()


async def _quoted(rig: rigs.Rig, fate: fates.Fates, board: tuple[stories.Story, ...]) -> Any:
    request, scenes = await stories.quoted(rig, board)
    fate.scenes |= scenes
    return request


async def _asked(rig: rigs.Rig, request: Any) -> Any:
    return (await _told(rig, rig.services.jobs.CreateProduction, request)).production


async def _told(rig: rigs.Rig, method: Any, request: Any) -> Any:
    """As `call`; what a stumbling service answers is asked again too."""
    while True:
        try:
            return await rig.call(method, request)
        except client.Refused:
            await asyncio.sleep(_LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def _held_back(rig: rigs.Rig, fate: fates.Fates) -> Any:
    """What is not to be sent is not: a model is stopped by a switch, an account by its breaker."""
    filmed = {story.model for story in fate.scenes.values()}
    switch = ""
    if stories.NEVER_SENT.model in filmed:
        await rig.rows(fates.GATEWAY, _HOLD_BACK)
    if stories.STOPPED.model in filmed:
        throw = gateway_pb2.ThrowSpendSwitchRequest(
            scope=ledger_pb2.SpendSwitch.SCOPE_MODEL, target=stories.STOPPED.model, reason="A round."
        )
        switch = (await rig.call(rig.services.gateway.ThrowSpendSwitch, throw)).spend_switch.id

    async def let_go() -> None:
        nonlocal switch
        released, switch = switch, ""
        if released:
            release = gateway_pb2.ReleaseSpendSwitchRequest(spend_switch_id=released)
            await _told(rig, rig.services.gateway.ReleaseSpendSwitch, release)

    yield let_go
    await let_go()


async def _all_parked(rig: rigs.Rig, scenes: list[str]) -> bool:
    return int((await rig.rows(fates.GATEWAY, _PARKED, scenes))[0][0]) == len(scenes)


async def still_open(rig: rigs.Rig) -> dict[str, int]:
    """What is not over yet."""
    found = {
        "jobs": await _count(rig, "job", _OPEN_JOBS),
        "submissions": await _count(rig, fates.GATEWAY, _OPEN),
        "jobs unsaid": await _count(rig, "job", _UNSAID),
        "gateway unsaid": await _count(rig, fates.GATEWAY, _UNSAID),
        "webhooks untold": await _count(rig, "job", _UNTOLD),
    }
    return {name: count for name, count in found.items() if count}


async def _count(rig: rigs.Rig, service: str, query: str) -> int:
    return int((await rig.rows(service, query))[0][0])


@contextlib.asynccontextmanager
async def waking(rig: rigs.Rig) -> Any:
    """Processes that were stopped at a place go on when their leases are others'."""
    task = asyncio.create_task(_wake(rig))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for hit in rig.faults.hits():
            _go_on(hit)


async def _wake(rig: rigs.Rig) -> None:
    while True:
        for hit in rig.faults.hits():
            slept_s = time.time() - hit.at
            if slept_s > (_LONG_PAUSE_S if " inbox." in hit.fault.place else _PAUSE_S):
                _go_on(hit)
        await asyncio.sleep(0.1)


def _go_on(hit: armed.Hit) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hit.fault.action == "pause":
            os.kill(hit.pid, signal.SIGCONT)


async def verdict(rig: rigs.Rig, within_s: float = _HEARD_WITHIN_S) -> tuple[str, ...]:
    """What the checker finds once everything was heard: what a dead process had taken from the bus comes again."""
    until = time.monotonic() + within_s
    while True:
        report = await rig.checked()
        if not report.violations or time.monotonic() > until:
            return (*(f"{one.promise}: {wrong}" for one in report.findings for wrong in one.wrong), *_left(report))
        await asyncio.sleep(_LOOK_EVERY_S)


def _left(report: check.Report) -> tuple[str, ...]:
    """Amounts that must be nothing when all is over."""
    held = ("reserved", "in suspense", "at stake", "beyond", "leases")
    return tuple(f"{name}: {figure}" for name, figure in report.figures.items() if figure and name.startswith(held))
