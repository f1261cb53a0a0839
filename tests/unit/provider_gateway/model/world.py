"""The whole world: a job, its paid calls, the facts on their way between two services, and what may still go wrong."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from services.job import domain as job_domain
from services.job import lifecycle as job_lifecycle
from services.provider_gateway import domain
from tests.unit.provider_gateway.model import protocol
from tests.unit.provider_gateway.model.calls import PAID, Call, Calls, Config, Move
from tests.unit.provider_gateway.model.protocol import ACTIVE, BORN, HELD, S

J = job_domain.JobState
BUDGETS = ("crashes", "expiries", "parks", "persons", "losses")

MONEY = {
    **dict.fromkeys((S.INTENT, S.SENDING, S.UNKNOWN, S.ACCEPTED), (HELD, 0, 0)),
    **dict.fromkeys((S.PROVIDER_DONE, S.FETCHING, S.STORED, S.CLIP_EXPIRED), (0, HELD, 0)),
    **dict.fromkeys((S.PARKED, S.REJECTED, S.ABSENT, S.CANCELED_FREE), (0, 0, 0)),
    S.UNRESOLVED: (0, 0, HELD),
}
"""What is reserved, spent and in suspense, as docs/lifecycles.md says it; PROVIDER_FAILED may be either."""


class World(NamedTuple):
    """Numbers only, so that millions fit: the job, whether its cancel was heard, news on the way, calls, and luck."""

    job: int
    is_cancelled: bool
    news: frozenset[tuple[str, int]]
    calls: tuple[int, ...]
    left: tuple[int, ...]


class Facts(NamedTuple):
    """What the laws need to know of a call, each call once."""

    broken: str
    is_active: bool
    is_alive: bool
    is_over: bool
    is_stored: bool


class Model:
    """The laws, and what can happen, in one configuration."""

    def __init__(self, config: Config, rules: protocol.Protocol) -> None:
        self.config, self.of_calls = config, Calls(config, rules)
        self._calls: list[Call] = []
        self._numbers: dict[Call, int] = {}
        self._facts: list[Facts] = []
        self._moves: dict[tuple[int, bool], list[tuple[str, int, str, int]]] = {}
        self._jobs: list[job_domain.Job] = []
        self._heard: dict[tuple[int, str, int], tuple[int, bool]] = {}

    def begins(self) -> World:
        """The job asks for its first clip."""
        left = tuple(getattr(self.config, name) for name in BUDGETS)
        return World(self._job(_new_job()), False, frozenset({("order", 1)}), (), (*left, self.config.cancels))

    def follows(self, world: World) -> Iterator[tuple[str, World]]:
        """Everything that can happen next, with its name."""
        yield from self._cancel(world)
        for fact in world.news:
            yield from self._hear(world, fact)
        for place, call in enumerate(world.calls):
            for label, after, said, uses in self._moves_of(call, world.is_cancelled):
                if uses < 0 or world.left[uses]:
                    yield self._moved(world, place, label, after, said, uses)

    def _moved(self, world: World, place: int, label: str, after: int, said: str, uses: int) -> tuple[str, World]:
        job, is_cancelled, news, calls, left = world
        if said:
            news = news | {(said, place + 1)}
        if uses >= 0:
            left = (*left[:uses], left[uses] - 1, *left[uses + 1 :])
        return label, World(job, is_cancelled, news, (*calls[:place], after, *calls[place + 1 :]), left)

    def breaks(self, world: World) -> str:
        """The law that is broken here; empty when none is."""
        facts = [self._facts[call] for call in world.calls]
        found = [one.broken for one in facts if one.broken]
        if found:
            return found[0]
        if sum(one.is_alive for one in facts) > 1:
            return "a job is charged twice"
        if sum(one.is_active for one in facts) > 1:
            return "a job has two calls at once"
        return ""

    def is_over(self, world: World) -> bool:
        """Whether everything has ended as it may end."""
        job, facts = self._jobs[world.job], [self._facts[call] for call in world.calls]
        is_known = job.take is not None or not any(one.is_stored for one in facts)
        return not world.news and job.state in job_domain.JOB_ENDS and is_known and all(one.is_over for one in facts)

    # A call.

    def _moves_of(self, call: int, is_cancelled: bool) -> list[tuple[str, int, str, int]]:
        key = (call, is_cancelled)
        if key not in self._moves:
            before = self._calls[call]
            attempt = self.of_calls.rows[before.row].attempt
            self._moves[key] = [
                (f"{move.label} ({attempt})", self._number(move.after), move.said, _place(move))
                for move in self.of_calls.moves(before, is_cancelled)
                if move.after != before
            ]
        return self._moves[key]

    def _number(self, call: Call) -> int:
        if call not in self._numbers:
            facts = self._judge(call)
            if facts.is_over and call != (over := self._level(call)):
                self._numbers[call] = self._number(over)
                return self._numbers[call]
            self._numbers[call] = len(self._calls)
            self._calls.append(call)
            self._facts.append(facts)
        return self._numbers[call]

    def _level(self, call: Call) -> Call:
        """What is over, and moves no more, is all the same: with a clip or without."""
        row = self.of_calls.rows[call.row]
        if row.state is S.CLIP_EXPIRED:
            return call
        state = S.STORED if row.state is S.STORED else S.REJECTED
        level = dataclasses.replace(protocol.order(row.attempt), state=state, next_action_at=None)
        return Call(self.of_calls.rows.number(level), 0, MONEY[state])

    def _judge(self, call: Call) -> Facts:
        row = self.of_calls.rows[call.row]
        known = call.is_flagged or (row.fault is not None and row.fault.reason == "OUTCOME_UNKNOWN")
        is_kept = row.state in (S.STORED, S.CLIP_EXPIRED) or known or call.job not in PAID
        is_over = row.state in domain.FINAL and not call.tasks and not call.in_flight and is_kept
        return Facts(_broken(call, row), row.state in ACTIVE, call.job in PAID, is_over, row.state is S.STORED)

    # The job.

    def _cancel(self, world: World) -> Iterator[tuple[str, World]]:
        job = self._jobs[world.job]
        if world.left[-1] and job.state is J.RUNNING:
            wanted = self._job(job_lifecycle.cancel_job(job, BORN))
            left = (*world.left[:-1], world.left[-1] - 1)
            yield "a person cancels", world._replace(job=wanted, news=world.news | {("cancel", 0)}, left=left)

    def _hear(self, world: World, fact: tuple[str, int]) -> Iterator[tuple[str, World]]:
        kind, attempt = fact
        rest = world._replace(news=world.news - {fact})
        if kind == "order":
            yield from self._order(rest, attempt)
        elif kind == "cancel":
            yield "the cancel is heard", self._withdraw(rest._replace(is_cancelled=True))
        else:
            job, again = self._hears(world.job, kind, attempt)
            news = rest.news | {("order", attempt + 1)} if again else rest.news
            yield f"the job hears: {kind} ({attempt})", rest._replace(job=job, news=news)

    def _order(self, rest: World, attempt: int) -> Iterator[tuple[str, World]]:
        if rest.is_cancelled:
            yield "the order is refused", rest._replace(news=rest.news | {("failed", attempt)})
            return
        held = self._number(self.of_calls.ordered(attempt, False))
        yield f"order ({attempt})", rest._replace(calls=(*rest.calls, held))
        if rest.left[BUDGETS.index("parks")]:
            parked = self._number(self.of_calls.ordered(attempt, True))
            left = tuple(n - (name == "parks") for n, name in zip(rest.left, (*BUDGETS, ""), strict=True))
            yield f"order, without money ({attempt})", rest._replace(calls=(*rest.calls, parked), left=left)

    def _withdraw(self, world: World) -> World:
        for place, call in enumerate(world.calls):
            move = self.of_calls.withdrawn(self._calls[call])
            if move.after is not self._calls[call]:
                return self._moved(world, place, "", self._number(move.after), move.said, -1)[1]
        return world

    def _hears(self, job: int, kind: str, attempt: int) -> tuple[int, bool]:
        """What becomes of the job, and whether it asks for another clip."""
        key = (job, kind, attempt)
        if key not in self._heard:
            before = self._jobs[job]
            after = _decided(before, kind, attempt, self.config.attempts)
            self._heard[key] = (self._job(after), after.attempt > before.attempt)
        return self._heard[key]

    def _job(self, job: job_domain.Job) -> int:
        if job not in self._jobs:
            self._jobs.append(job)
        return self._jobs.index(job)


def _decided(job: job_domain.Job, kind: str, attempt: int, attempts: int) -> job_domain.Job:
    """The job service's own decision; a job that may try more often than its rules say counts from further below."""
    if kind == "stored":
        return job_lifecycle.clip_stored(job, _take(), HELD, BORN)
    if attempt != job.attempt:
        return job
    below = attempts - job_lifecycle.MOST_ATTEMPTS
    fault = job_domain.Fault("PROVIDER_REJECTED", "")
    shifted = dataclasses.replace(job, attempt=job.attempt - below)
    after = job_lifecycle.submission_failed(shifted, fault, 0, kind != "failed", BORN)
    return dataclasses.replace(after, attempt=after.attempt + below)


def _broken(call: Call, row: domain.Submission) -> str:
    if call.broken:
        return call.broken
    if call.creates > 1:
        return "a call is sent twice"
    if call.job in (*PAID, "failed and charged") and not sum(call.money):
        return f"money is given back ({row.state}) for what the provider charges"
    if call.money != MONEY.get(row.state, call.money):
        return f"{row.state} holds {call.money}"
    return ""


def _place(move: Move) -> int:
    return BUDGETS.index(move.uses) if move.uses else -1


def _take() -> job_domain.Take:
    return job_domain.Take(
        "take_1", job_domain.Media("t/acme/clips/one.mp4", "video/mp4", 1, "ab" * 32), None, True, BORN
    )


def _new_job(born: datetime = BORN) -> job_domain.Job:
    return job_domain.Job(
        id="job_1",
        production_id="prod_1",
        tenant_id="acme",
        scene_id="scene_1",
        scene_number=1,
        scene_title="",
        seam=0,
        spec=b"",
        waits_for=None,
        last_frame_wanted=False,
        currency="XTS",
        quoted_micros=HELD,
        created_at=born,
        updated_at=born,
    )
