"""What is to be broken, in which order, by how many rigs at once."""

import asyncio
import dataclasses
import itertools
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from services.cli import check, check_gateway
from tests.crash import armed, around, places, rounds, stories
from tests.crash import rig as rigs

ACTIONS = ("kill", "pause", "stumble")
LOST_REPLY, PAIR, TOUR = "reply lost", "pair", "tour"

_BEFORE_THE_ANSWER = ("order.connected", "order.sent")
_EARLY = (
    *("intent.before_commit", "inbox.before_commit", "claim.INTENT.before_commit", "claim.INTENT.committed"),
    *(*_BEFORE_THE_ANSWER, "order.answered", "record.ACCEPTED.before_commit", "record.ACCEPTED.committed"),
)
_LATE = (
    *("record.UNKNOWN.before_commit", "claim.UNKNOWN.committed", "lookup.done", "poll.told"),
    *(
        "record.PROVIDER_DONE.before_commit",
        "claim.PROVIDER_DONE.committed",
        "fetch.chunk",
        "fetch.whole",
        "fetch.kept",
    ),
    *("record.STORED.before_commit", "record.STORED.committed", "outbox.published", "outbox.marked"),
)
_PAIRS, _AROUND = 20, 3
_TRIES = 3


@dataclasses.dataclass(frozen=True)
class Task:
    """A round to be played, of which kind, and where."""

    kind: str
    place: str
    script: rounds.Script


@dataclasses.dataclass(frozen=True)
class Played:
    """A round that was played, after so many in which its fault was not hit."""

    task: Task
    outcome: rounds.Outcome
    misses: int = 0


@dataclasses.dataclass(frozen=True)
class Result:
    """All rounds, what the books of every rig said at the end, and which places and transitions were come to."""

    played: tuple[Played, ...]
    reports: tuple[check.Report, ...]
    reached: frozenset[str]
    transitions: frozenset[tuple[str, str]]


def tasks(seeds: int, only: str = "") -> list[Task]:
    """Every place with every action, pairs of them, and every fault around the gateways, with every seed."""
    kinds = (_tours, _at_places, _lost_replies, _pairs, _around)
    found = [task for seed in range(seeds) for kind in kinds for task in kind(seed)]
    return [task for task in found if re.search(only, f"{task.place} {task.kind}")]


def every_transition() -> set[tuple[str, str]]:
    """What can follow what."""
    return {(before, after) for before, some in check_gateway.TRANSITIONS.items() for after in some}


def _tours(seed: int) -> Iterator[Task]:
    plan = stories.Plan(cancelled=(stories.STOPPED,))
    yield Task(TOUR, "every transition", rounds.Script(TOUR, seed, stories.TOUR, plan))


def _at_places(seed: int) -> Iterator[Task]:
    for place in places.every():
        plan = stories.plan(place)
        first = (armed.Fault(f"{place.partition(' ')[0]} {plan.first}", "kill"),) if plan.first else ()
        for action in ACTIONS:
            fault = armed.Fault(place, action, 1 + seed % plan.most, _how(seed))
            name = f"{place} {action} {fault.nth}"
            alone = action == "pause" and " order." in place  # the sender is late, and still knows
            script = rounds.Script(name, seed, plan=plan, faults=(*first, fault), alone=alone)
            yield Task(action, place, script)


def _lost_replies(seed: int) -> Iterator[Task]:
    """Nothing happens to the process, but every answer is lost on the wire."""
    for name in _BEFORE_THE_ANSWER:
        fault = armed.Fault(f"provider_gateway {name}", "pass", 1 + seed % len(stories.BOARD))
        script = rounds.Script(f"{fault.place} {LOST_REPLY}", seed, stories.LOST_REPLIES, faults=(fault,))
        yield Task(LOST_REPLY, fault.place, script)


def _pairs(seed: int) -> Iterator[Task]:
    """Something breaks, and something else while that is recovered from."""
    chance = random.Random(seed)
    for names in chance.sample(list(itertools.product(_EARLY, _LATE)), _PAIRS):
        faults = [armed.Fault(f"provider_gateway {name}", chance.choice(ACTIONS), how=_how(seed)) for name in names]
        said = ", then ".join(f"{fault.place.partition(' ')[2]} {fault.action}" for fault in faults)
        yield Task(PAIR, said, rounds.Script(said, seed, faults=tuple(faults)))


def _around(seed: int) -> Iterator[Task]:
    for breaks, turn in itertools.product(around.EVERY, range(_AROUND)):
        script = rounds.Script(breaks.__name__, seed * _AROUND + turn, stories.BOARD * 2, breaks=breaks)
        yield Task(breaks.__name__, "around the gateways", script)


def _how(seed: int) -> str:
    return list(armed.STUMBLES)[seed % len(armed.STUMBLES)]


async def play(todo: Sequence[Task], count: int, told: Callable[[Played], None]) -> Result:
    """Play them all in so many rigs."""
    left, played = iter(todo), list[Played]()

    def over(one: Played) -> None:
        played.append(one)
        told(one)

    async with asyncio.TaskGroup() as group:
        ends = [group.create_task(_work(left, over)) for _ in range(count)]
    reports, reached, transitions = zip(*(end.result() for end in ends), strict=True)
    return Result(tuple(played), reports, frozenset().union(*reached), frozenset().union(*transitions))


async def _work(
    left: Iterator[Task], told: Callable[[Played], None]
) -> tuple[check.Report, set[str], set[tuple[str, str]]]:
    with tempfile.TemporaryDirectory(prefix="rushes-crash-", ignore_cleanup_errors=True) as folder:
        async with rigs.standing(Path(folder)) as rig:
            for task in left:
                told(await played(rig, task))
            return await rig.checked(), rig.faults.reached(), await rig.transitions()


async def played(rig: rigs.Rig, task: Task) -> Played:
    """A round in which a fault was not hit is played again: what was counted on did not come up in it."""
    outcomes = [await rounds.play(rig, task.script)]
    while outcomes[-1].missed and not outcomes[-1].wrong and len(outcomes) < _TRIES:
        outcomes.append(await rounds.play(rig, task.script))
    return Played(task, outcomes[-1], len(outcomes) - 1)
