"""`python -m tests.crash.drill`: a film is half made, a copy is taken, it is finished, and the older copy is restored.

What was sent, made and paid since is forgotten then. The provider's own books must show that nothing is made or charged
twice, and every clip that was paid must be here in the end. The copies are taken at several moments of a production.
"""

import argparse
import asyncio
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.type.v1 import clip_pb2, money_pb2
from services.cli import backup, check_provider, house
from tests.crash import fates, rounds, stories
from tests.crash import rig as rigs
from tests.e2e import waiting as waiting_for

BOARD = (
    *stories.BOARD,
    dataclasses.replace(stories.PLAIN, name="joined", seam=clip_pb2.SEAM_LAST_FRAME),
    dataclasses.replace(stories.CALLED, name="joined again", seam=clip_pb2.SEAM_LAST_FRAME),
)
"""Five dialects, and two scenes that are ordered when the one before them is stored."""

_WITHIN_S = 240.0
_LOOK_EVERY_S = 0.1
_PLENTY = 1_000_000_000_000
_STATES = "SELECT id, state FROM submissions WHERE scene_id = ANY($1)"
_HOLD_BACK = """
    INSERT INTO accounts (name, breaker, reason, probe_at, opened)
    SELECT name, 'OPEN', 'a drill', now() + interval '1 hour', 1 FROM unnest($1::text[]) AS name
    ON CONFLICT (name) DO UPDATE SET breaker = 'OPEN', probe_at = EXCLUDED.probe_at"""
_DOUBTED = "SELECT count(*) FROM submissions WHERE scene_id = ANY($1) AND doubted_from IS NOT NULL"

States = Mapping[str, str]
Moment = Callable[[States], bool]


def held(states: States) -> bool:
    """The gateway has the first orders, and has sent none of them."""
    return len(states) >= len(stories.BOARD)


def sent(states: States) -> bool:
    """The provider has taken one."""
    return "ACCEPTED" in states.values()


def half(states: States) -> bool:
    """Three clips are kept, and what follows them is on its way."""
    return list(states.values()).count("STORED") >= 3


def waiting(states: States) -> bool:
    """There is no money for any of them."""
    return len(states) >= 3 and set(states.values()) == {"PARKED"}


MOMENTS: tuple[Moment, ...] = (held, sent, half, waiting)


@dataclasses.dataclass
class Outcome:
    """How often something was bought that the copy did not know of, and what is wrong."""

    name: str
    forgotten: int = 0
    doubted: int = 0
    helped: int = 0
    elapsed_s: float = 0.0
    wrong: tuple[str, ...] = ()


async def play(rig: rigs.Rig, moment: Moment, folder: Path, forgetful: bool = False) -> Outcome:
    """Film, copy, finish, restore, and wait until all is quiet again."""
    began, outcome = time.monotonic(), Outcome(moment.__name__)
    fate = fates.Fates(rig)
    try:
        async with asyncio.timeout(_WITHIN_S):
            request, fate.scenes = await stories.quoted(rig, BOARD)
            await _set_budget(rig, 0 if moment is waiting else _PLENTY)
            if moment is held:
                await _hold_back(rig)
            await rounds._asked(rig, request)
            scenes = list(fate.scenes)
            await waiting_for.until(moment.__name__, lambda: _is_come(rig, moment, scenes), _WITHIN_S)
            await asyncio.to_thread(folder.mkdir)
            await backup.dump(rig.of, folder)
            known = _bought(rig)
            await _finish(rig, fate)
            outcome.forgotten = len(_bought(rig).keys() - known.keys())
            await _restore(rig, folder, forgetful)
            await _finish(rig, fate)
            outcome.doubted = int((await rig.rows(fates.GATEWAY, _DOUBTED, scenes))[0][0])
        outcome.wrong = (*await rounds.verdict(rig), *await _again(rig, scenes))
    except TimeoutError:
        stuck = [" ".join(map(str, row)) for row in await rig.rows(fates.GATEWAY, rounds._STUCK)]
        outcome.wrong = (f"not quiet: {await rounds.still_open(rig)} {stuck}",)
    outcome.helped, outcome.elapsed_s = fate.settled, time.monotonic() - began
    return outcome


async def _is_come(rig: rigs.Rig, moment: Moment, scenes: list[str]) -> bool:
    return moment({row["id"]: row["state"] for row in await rig.rows(fates.GATEWAY, _STATES, scenes)})


async def _finish(rig: rigs.Rig, fate: fates.Fates) -> None:
    await _set_budget(rig, _PLENTY)
    await rig.rows(fates.GATEWAY, rounds._FORGET_TRAFFIC)
    while await rounds.still_open(rig):
        await fate.pass_by()
        await asyncio.sleep(_LOOK_EVERY_S)


async def _restore(rig: rigs.Rig, folder: Path, forgetful: bool) -> None:
    """As an operator does: everything of ours ends, the databases are replaced, the bus begins anew.

    A `forgetful` house does not notice that it was restored: what the drill would find then.
    """
    stopped = ("storyboard", *rigs.GATEWAYS, rigs.JOBS)
    for name in stopped:
        await rig.children[name].stop()
    await rig.forget_connections()
    await backup.load(rig.of, folder)
    if forgetful:
        await rig.rows(fates.GATEWAY, "UPDATE whereabouts SET place = database_place()")
    rig.lose_stream()
    for name in stopped:
        rig.children[name].start()
    await rig.healthy()


async def _hold_back(rig: rigs.Rig) -> None:
    """Let no account send: all of them are tried again in an hour."""
    accounts = [f"endpoint:{name}" for name in house.SANDBOX]
    accounts += [row["id"] for row in await rig.rows(fates.GATEWAY, "SELECT id FROM credentials")]
    await rig.rows(fates.GATEWAY, _HOLD_BACK, accounts)


async def _set_budget(rig: rigs.Rig, micros: int) -> None:
    limit = money_pb2.Money(currency="XTS", micros=micros)
    await rounds._told(rig, rig.services.gateway.SetBudget, gateway_pb2.SetBudgetRequest(limit=limit))


def _bought(rig: rigs.Rig) -> Mapping[str, Any]:
    return check_provider.read(rig.ledger).creates


async def _again(rig: rigs.Rig, scenes: list[str]) -> tuple[str, ...]:
    """What was made or charged twice, and what is not here that was charged."""
    books = check_provider.read(rig.ledger)
    kept = {row["id"]: row["state"] for row in await rig.rows(fates.GATEWAY, _STATES, scenes)}
    found = [f"{name} made {len(made)} times" for name, made in books.creates.items() if len(made) != 1]
    found += [f"{name} charged {len(charges)} times" for name, charges in books.charges.items() if len(charges) != 1]
    found += [f"{name} is {state}" for name, state in kept.items() if state != "STORED"]
    if len(kept) != len(scenes):
        found.append(f"{len(kept)} submissions for {len(scenes)} scenes")
    return tuple(found)


async def drill(folder: Path, moments: Sequence[Moment], forgetful: bool) -> list[Outcome]:
    """A copy at each of these moments, of the same house."""
    outcomes = []
    async with rigs.standing(folder) as rig:
        for moment in moments:
            outcomes.append(one := await play(rig, moment, folder / f"copy-{moment.__name__}", forgetful))
            print(
                f"copied when {one.name}: {one.forgotten} of {len(BOARD)} orders forgotten, {one.doubted} doubted, "
                f"{one.helped} looked up by a person; {len(one.wrong)} wrong; {one.elapsed_s:.0f} s",
                flush=True,
            )
    return outcomes


def main() -> None:
    """Print the figures; 1 when something was paid twice or lost."""
    told = argparse.ArgumentParser(prog="python -m tests.crash.drill")
    told.add_argument("moments", nargs="*", help="those of which a copy is taken; all of them without")
    told.add_argument("--forgetful", action="store_true", help="let nobody notice the restore: what goes wrong then")
    of = told.parse_args()
    moments = [moment for moment in MOMENTS if not of.moments or moment.__name__ in of.moments]
    with tempfile.TemporaryDirectory(prefix="rushes-drill-", ignore_cleanup_errors=True) as made:
        outcomes = asyncio.run(drill(Path(made), moments, of.forgetful))
    for one in outcomes:
        for wrong in one.wrong:
            print(f"  {one.name}: {wrong}")
    paid_twice = sum("times" in wrong for one in outcomes for wrong in one.wrong)
    forgotten = sum(one.forgotten for one in outcomes)
    print(f"{len(outcomes)} restores, {forgotten} orders forgotten: {paid_twice} paid twice")
    sys.exit(1 if any(one.wrong for one in outcomes) else 0)


if __name__ == "__main__":
    main()
