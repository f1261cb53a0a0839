"""The gateway is down while clips are finished and begin to expire: what outlives the outage is brought home."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from tests.crash import fates, rounds, stories
from tests.crash import rig as rigs
from tests.e2e import waiting

DONE_AFTER_S = 2
MARGIN_S = 15.0
"""What a gateway needs at most to begin anew and ask for what it had bought, on a busy machine."""

_STATES = """
    SELECT s.id, s.scene_id, s.state, s.fault ->> 'reason' AS reason FROM submissions s WHERE s.scene_id = ANY($1)"""


@dataclasses.dataclass(frozen=True)
class Kept:
    """A clip after the outage: how long its provider keeps it, how much of that was left, and what became of it."""

    retention_s: float
    left_s: float
    state: str
    reason: str

    @property
    def had_time(self) -> bool:
        """Whether enough was left to bring it home."""
        return self.left_s > MARGIN_S

    @property
    def was_gone(self) -> bool:
        """Whether the provider had deleted it before anyone could ask."""
        return self.left_s < 0


async def sweep(rig: rigs.Rig, retentions_s: Sequence[float], outage_s: float) -> list[Kept]:
    """Order a clip for each retention, take the gateway away while they are made, and see what is brought home."""
    board = {
        f"kept {kept_s}": stories.Story(
            f"kept {kept_s}", "sandbox/reel-1", f"[[slow({DONE_AFTER_S})]] [[url_expires({kept_s})]]"
        )
        for kept_s in retentions_s
    }
    request, scenes = await stories.quoted(rig, tuple(board.values()))
    await rig.call(rig.services.jobs.CreateProduction, request)
    await waiting.until("orders that are taken", lambda: _are_taken(rig, list(scenes)), rounds.WITHIN_S)
    async with _down(rig):
        await waiting.until("clips that are done", lambda: _are_done(rig, list(scenes)), rounds.WITHIN_S)
        await asyncio.sleep(outage_s)
    up_at = time.time()
    fate = fates.Fates(rig, scenes)
    await waiting.until("the end of all", lambda: _is_over(rig, fate), rounds.WITHIN_S)
    done_at = _done_at(rig)
    return [
        Kept(kept_s, done_at[row["id"]] + kept_s - up_at, row["state"], row["reason"] or "")
        for row in await rig.rows(fates.GATEWAY, _STATES, list(scenes))
        for kept_s in [float(scenes[row["scene_id"]].name.removeprefix("kept "))]
    ]


@asynccontextmanager
async def _down(rig: rigs.Rig) -> AsyncIterator[None]:
    """No gateway runs inside the block; afterwards both are healthy."""
    gateways = [rig.children[name] for name in rigs.GATEWAYS]
    await asyncio.gather(*(gateway.stop() for gateway in gateways))
    yield
    rig.forgive()
    for gateway in gateways:
        gateway.start()
    await rig.healthy()


async def _are_taken(rig: rigs.Rig, scenes: list[str]) -> bool:
    states = [row["state"] for row in await rig.rows(fates.GATEWAY, _STATES, scenes)]
    return len(states) == len(scenes) and set(states) == {"ACCEPTED"}


async def _are_done(rig: rigs.Rig, scenes: list[str]) -> bool:
    ids = {row["id"] for row in await rig.rows(fates.GATEWAY, _STATES, scenes)}
    return ids <= _done_at(rig).keys()


async def _is_over(rig: rigs.Rig, fate: fates.Fates) -> bool:
    await fate.pass_by()
    return not await rounds.still_open(rig)


def _done_at(rig: rigs.Rig) -> dict[str, float]:
    """When the provider finished each clip, by its own books."""
    lines: list[Any] = [json.loads(text) for text in rig.ledger.read_text().splitlines()]
    return {
        line["client_ref"]: datetime.fromisoformat(line["at"]).timestamp() for line in lines if line["event"] == "done"
    }
