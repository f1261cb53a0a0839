"""Stories that chance writes: orders, crashes, lost answers, late ones, people; each step is checked by the laws."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from libs import db
from services.job import domain as job_domain
from services.provider_gateway import domain
from tests.integration.provider_gateway.machine import fates, gateway, laws, outside

S = domain.State
WORKERS = 3
KINDS: dict[str, dict[str, Any]] = {
    "listed": {"idempotency_s": 0, "lookup": "list", "list_lag_s": 30, "absence": "strong"},
    "by our id": {"idempotency_s": 0, "lookup": "our_id", "list_lag_s": 5, "absence": "strong"},
    "weak": {"idempotency_s": 0, "lookup": "list", "list_lag_s": 30, "absence": "weak"},
    "blind": {"idempotency_s": 0, "lookup": "none", "absence": "none"},
    "repeats": {"idempotency_s": 86400, "lookup": "none", "absence": "none"},
}
SHORT, LONG = {"seconds": 90}, {"days": 8}
TIMES = (SHORT, SHORT, {"minutes": 15}, {"minutes": 15}, {"hours": 2}, {"hours": 25}, LONG)
UNNAMED = (S.UNKNOWN, S.UNRESOLVED)
WELL = 1
"""The fate of a call with which everything goes on well."""

PICK = st.integers(0, 11)
ANSWERS = st.lists(st.tuples(PICK, PICK), min_size=1, max_size=5)
WORKER = st.integers(0, WORKERS - 1)

Event = functools.partial[Awaitable[None] | None]


class Unforeseen(logging.Handler):
    """Remembers what is only ever logged when something is wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its text, with its traceback."""
        if record.msg in ("step_failed", "paid_after_all", "record_waits"):
            self.seen.append(self.format(record))


class Story(stateful.RuleBasedStateMachine):
    """One gateway with three workers, its job service, its provider and the people around it."""

    def __init__(
        self,
        runner: asyncio.Runner,
        database: db.Database,
        clean: Callable[[], Awaitable[None]],
        taken: set[tuple[S, S]],
    ) -> None:
        """A story in this empty database; the transitions that it takes are added to `taken`."""
        super().__init__()
        self._run, self._database = runner.run, database
        self._run(clean())
        self._laws, self._log, self._is_sound = laws.Laws(taken), Unforeseen(), True
        logging.getLogger("services.provider_gateway").addHandler(self._log)

    @stateful.initialize(kind=st.sampled_from(sorted(KINDS)), clips=st.integers(1, 4), jobs=st.integers(1, 4))
    def begins(self, kind: str, clips: int, jobs: int) -> None:
        self._run(self._begin(kind, clips, jobs))

    async def _begin(self, kind: str, clips: int, jobs: int) -> None:
        self.gateway = gateway.Gateway(self._database, KINDS[kind])
        self.outside = self.gateway.outside
        self._fates = fates.Fates(self.outside)
        await self.gateway.open(WORKERS)
        await self.gateway.set_limit(clips)
        for _ in range(jobs):
            self.gateway.begin()
            await self.gateway.deliver(self.gateway.messages[-1])

    # What goes on.

    @stateful.precondition(lambda self: len(self.gateway.jobs) < gateway.SCENES)
    @stateful.rule()
    def a_job_begins(self) -> None:
        self.gateway.begin()

    @stateful.rule(pick=PICK, is_news=st.booleans())
    def somebody_hears(self, pick: int, is_news: bool) -> None:
        if is_news:
            self._run(self.gateway.hear(pick))
        elif self.gateway.messages:
            self._run(self.gateway.deliver(_of(self.gateway.messages, pick)))

    @stateful.rule(worker=WORKER, answers=ANSWERS)
    def a_worker_claims(self, worker: int, answers: list[tuple[int, int]]) -> None:
        self._run(self.gateway.claim(worker))
        self._run(self._answer_some(answers))

    @stateful.rule(answers=ANSWERS)
    def something_is_answered(self, answers: list[tuple[int, int]]) -> None:
        self._run(self._answer_some(answers))

    async def _answer_some(self, answers: list[tuple[int, int]]) -> None:
        for pick, fate in answers:
            if waiting := sorted(self.outside.calls, key=self._place):
                await self._answer(_of(waiting, pick), fate)

    def _place(self, call: outside.Call) -> tuple[str, str, int]:
        """In an order that is the same whenever the story is told."""
        job = self.outside.named(call.subject)
        row = self._laws.rows.get(job.submission_id if job else call.subject)
        return call.kind, row["scene_id"] if row else "", row["attempt"] if row else 0

    async def _answer(self, call: outside.Call, fate: int) -> None:
        if call.kind == "create" and not call.is_sent and fate % 6:
            self.outside.send(call)
        else:
            await self.gateway.answer(call, self._fates.answer(call, fate))

    @stateful.rule(by=st.sampled_from(TIMES), arrive=st.booleans())
    def time_passes(self, by: dict[str, float], arrive: bool) -> None:
        self._run(self._later(by, arrive))

    async def _later(self, by: dict[str, float], arrive: bool) -> None:
        """No exchange lasts for a quarter of an hour; where orders are known again nobody sleeps for hours."""
        if by is not SHORT:
            for call in [*self.outside.late]:
                await self._land(call, arrive)
            self.outside.decide(arrive)
        if self.outside.capabilities.idempotency_s and not {"seconds", "minutes"} & by.keys():
            for number in range(WORKERS):
                await self.gateway.crash(number)
        await self.gateway.time_passes(**by)

    @stateful.rule(what=st.sampled_from(["limit", "switch", "again", "again"]), clips=st.integers(0, 4))
    def money_comes_and_goes(self, what: str, clips: int) -> None:
        if what == "limit":
            self._run(self.gateway.set_limit(clips))
        elif what == "switch":
            self._run(self.gateway.switch())
        else:
            self._run(self.gateway.let_in())

    # What goes wrong, and what people do.

    @stateful.rule(pick=st.integers(0, 30))
    def something_goes_wrong(self, pick: int) -> None:
        self._happens(self._wrongs(), pick)

    def _wrongs(self) -> list[Event]:
        rows, owners = self._laws.rows.values(), {call.owner for call in self.outside.calls}
        busy = [number for number, owner in enumerate(self.gateway.owners) if owner in owners]
        held = [row["id"] for row in rows if row["lease_owner"]]
        polled = [row["id"] for row in rows if row["state"] == S.ACCEPTED]
        return [
            *(Event(self.gateway.crash, number) for number in busy),
            *(Event(self.gateway.lease_runs_out, name) for name in held),
            *(Event(self.gateway.missed_often, name) for name in polled),
            *(Event(self._land, call, arrives) for call in self.outside.late for arrives in (True, False)),
            *(Event(self.gateway.called_back, *one) for one in self._unnamed()),
        ]

    async def _land(self, call: outside.Call, arrives: bool) -> None:
        self.outside.late.remove(call)
        if arrives:
            self.outside.take(call)

    def _unnamed(self) -> list[tuple[Any, outside.Job]]:
        found = [(self._laws.rows[job.submission_id], job) for job in self.outside.jobs]
        return [
            (row, job) for row, job in found if row["state"] in (S.SENDING, *UNNAMED) and not row["provider_job_id"]
        ]

    @stateful.rule(pick=st.integers(0, 30))
    def a_person_acts(self, pick: int) -> None:
        self._happens(self._wishes(), pick)

    def _wishes(self) -> list[Event]:
        rows = self._laws.rows.values()
        jobs = [job for job in self.gateway.jobs.values() if job.state is job_domain.JobState.RUNNING]
        doubtful = [row["id"] for row in rows if row["state"] in UNNAMED]
        paid = [row["id"] for row in rows if row["state"] in (S.CLIP_EXPIRED, S.PROVIDER_DONE, S.FETCHING)]
        open_ones = [row["id"] for row in rows if row["state"] not in domain.FINAL]
        return [
            *(Event(self._solve, name, names) for name in doubtful for names in (True, False)),
            *(Event(self.gateway.person, "FetchSubmission", submission_id=name) for name in paid),
            *(Event(self.gateway.cancel, job) for job in jobs[:1]),
            *(Event(self.gateway.person, "CancelSubmission", submission_id=name) for name in open_ones[:1]),
        ]

    async def _solve(self, name: str, names: bool) -> None:
        """People know the truth, and wait while something may still arrive."""
        job = self.outside.job_of(name)
        if names and job:
            await self.gateway.person("ReconcileSubmission", submission_id=name, provider_job_id=job.name, note="seen")
        elif job.state != "working" if job else not self.outside.can_still_come(name):
            charged = {"currency": gateway.CURRENCY, "micros": job.paid} if job and job.paid else None
            await self.gateway.person("SettleSubmission", submission_id=name, note="seen", charged=charged)

    def _happens(self, events: Sequence[Event], pick: int) -> None:
        if not events:
            return
        event = _of(events, pick)
        hypothesis.note(f"{event.func.__name__} {event.args} {event.keywords}")
        happening = event()
        if happening is not None:
            self._run(happening)

    # The laws.

    @stateful.invariant()
    def the_laws_are_kept(self) -> None:
        self._is_sound = False
        self._run(self._check())
        self._is_sound = True

    async def _check(self) -> None:
        async with self._database.house() as conn:
            await self._laws.check(conn, self.outside)
        assert not self._log.seen, self._log.seen

    def teardown(self) -> None:
        """Let everything end, as well as it can; then nothing may be left."""
        try:
            if self._is_sound and hasattr(self, "gateway"):
                self._run(self._end_well())
        finally:
            if hasattr(self, "gateway"):
                self._run(self.gateway.close())
            logging.getLogger("services.provider_gateway").removeHandler(self._log)

    async def _end_well(self) -> None:
        await self.gateway.set_limit(100)
        await self.gateway.switch(is_thrown=False)
        for _ in range(40):
            await self._go_on()
            await self._check()
            jobs = {job.state for job in self.gateway.jobs.values()}
            if self._laws.is_over() and jobs <= job_domain.JOB_ENDS:
                self._laws.check_the_end(self.outside)
                return
        raise AssertionError(f"never ends: {[row['state'] for row in self._laws.rows.values()]}, {jobs}")

    async def _go_on(self) -> None:
        while self.gateway.messages:
            await self.gateway.deliver(self.gateway.messages[0])
        await self.gateway.let_in()
        for worker in range(WORKERS):
            while await self.gateway.claim(worker) or self.outside.calls:
                while self.outside.calls:
                    await self._answer(self.outside.calls[0], WELL)
        await self.gateway.hear(None)
        await self._later(LONG, True)


def _of(some: Sequence[Any], pick: int) -> Any:
    return some[pick % len(some)]
