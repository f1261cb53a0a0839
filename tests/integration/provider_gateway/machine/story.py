"""Stories that chance writes: orders, crashes, lost answers, late ones, people; after each step the laws are checked."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from hypothesis import stateful
from hypothesis import strategies as st

from libs import db
from services.job import domain as job_domain
from services.provider_gateway import domain, providers
from tests.integration.provider_gateway.machine import gateway, laws, outside

S = domain.State
WORKERS = 3
KINDS: dict[str, dict[str, Any]] = {
    "listed": {"idempotency_s": 0, "lookup": "list", "list_lag_s": 30, "absence": "strong"},
    "by our id": {"idempotency_s": 0, "lookup": "our_id", "list_lag_s": 5, "absence": "strong"},
    "weak": {"idempotency_s": 0, "lookup": "list", "list_lag_s": 30, "absence": "weak"},
    "blind": {"idempotency_s": 0, "lookup": "none", "absence": "none"},
    "repeats": {"idempotency_s": 86400, "lookup": "none", "absence": "none"},
}
TIMES = ({"seconds": 90}, {"minutes": 15}, {"hours": 2}, {"hours": 25}, {"days": 8})
UNNAMED = (S.UNKNOWN, S.UNRESOLVED)
PICK = st.integers(0, 11)
WORKER = st.integers(0, WORKERS - 1)

Open = Callable[[], db.Database]


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

    def __init__(self, open_database: Open, clean: Callable[[], Any]) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._run = self._runner.run
        self._run(clean())
        self._database = open_database()
        self._laws, self._log, self._is_sound = laws.Laws(), Unforeseen(), True
        logging.getLogger("services.provider_gateway").addHandler(self._log)

    @stateful.initialize(kind=st.sampled_from(sorted(KINDS)), clips=st.integers(1, 4))
    def begins(self, kind: str, clips: int) -> None:
        self._run(self._begin(kind, clips))

    async def _begin(self, kind: str, clips: int) -> None:
        self.gateway = gateway.Gateway(self._database, KINDS[kind])
        self.outside = self.gateway.outside
        await self.gateway.open(WORKERS)
        await self.gateway.set_limit(clips)

    # The job service.

    @stateful.precondition(lambda self: len(self.gateway.jobs) < gateway.SCENES)
    @stateful.rule(arrives=st.booleans())
    def a_job_begins(self, arrives: bool) -> None:
        self.gateway.begin()
        if arrives:
            self._run(self.gateway.deliver(self.gateway.messages[-1]))

    @stateful.precondition(lambda self: self.gateway.messages)
    @stateful.rule(pick=PICK)
    def the_gateway_hears(self, pick: int) -> None:
        self._run(self.gateway.deliver(_of(self.gateway.messages, pick)))

    @stateful.precondition(lambda self: self._laws.rows)
    @stateful.rule(pick=PICK)
    def the_job_service_hears(self, pick: int) -> None:
        self._run(self.gateway.hear(pick))

    @stateful.precondition(lambda self: self._wanted())
    @stateful.rule(pick=PICK)
    def a_job_is_cancelled(self, pick: int) -> None:
        self.gateway.cancel(_of(self._wanted(), pick))

    def _wanted(self) -> list[job_domain.Job]:
        return [job for job in self.gateway.jobs.values() if job.state is job_domain.JobState.RUNNING]

    # Workers and what they hold.

    @stateful.rule(worker=WORKER)
    def a_worker_claims(self, worker: int) -> None:
        self._run(self.gateway.claim(worker))

    @stateful.precondition(lambda self: self.outside.calls)
    @stateful.rule(worker=WORKER)
    def a_worker_crashes(self, worker: int) -> None:
        self._run(self.gateway.crash(worker))

    @stateful.precondition(lambda self: self._held())
    @stateful.rule(pick=PICK)
    def a_lease_runs_out(self, pick: int) -> None:
        self._run(self.gateway.lease_runs_out(_of(self._held(), pick)))

    def _held(self) -> list[str]:
        return [row["id"] for row in self._laws.rows.values() if row["lease_owner"]]

    # The outside.

    @stateful.precondition(lambda self: self.outside.calls)
    @stateful.rule(pick=PICK, fate=PICK)
    def something_is_answered(self, pick: int, fate: int) -> None:
        call = _of(self.outside.calls, pick)
        self._run(self._answer(call, fate))

    async def _answer(self, call: outside.Call, fate: int) -> None:
        if call.kind == "create" and not call.is_sent and fate % 4:
            self.outside.send(call)
            return
        answers = {"create": self._created, "find": self._found, "poll": self._polled, "fetch": self._fetched}
        await self.gateway.answer(call, answers[call.kind](call, fate))

    def _created(self, call: outside.Call, fate: int) -> providers.CreateOutcome:
        if not call.is_sent:
            return providers.NotSent("no connection")
        if call.is_decided:
            job = self.outside.job_of(call.subject)
            return providers.Accepted(job.name) if job and fate % 2 else providers.Unknown("no answer")
        fates = (*[self._takes] * 4, self._takes_in_silence, self._loses, self._delays, self._refuses, self._is_busy)
        return _of(fates, fate)(call)

    def _takes(self, call: outside.Call) -> providers.CreateOutcome:
        job = self.outside.take(call)
        return providers.Accepted(job.name) if job else providers.Rejected("no")

    def _takes_in_silence(self, call: outside.Call) -> providers.CreateOutcome:
        self.outside.take(call)
        return providers.Unknown("no answer")

    def _loses(self, call: outside.Call) -> providers.CreateOutcome:
        return providers.Unknown("no answer")

    def _delays(self, call: outside.Call) -> providers.CreateOutcome:
        self.outside.late.append(call)
        return providers.Unknown("no answer")

    def _refuses(self, call: outside.Call) -> providers.CreateOutcome:
        if self.outside.job_of(call.subject):
            return self._takes(call)
        self.outside.refused.add(call.subject)
        return providers.Rejected("no")

    def _is_busy(self, call: outside.Call) -> providers.CreateOutcome:
        return providers.Rejected("busy", retryable=True, retry_after_s=1.0, passing=True)

    def _found(self, call: outside.Call, fate: int) -> Any:
        return providers.ProviderAway("no answer") if fate % 4 == 3 else self.outside.listed(call, fate % 2 == 0)

    def _polled(self, call: outside.Call, fate: int) -> Any:
        job = self.outside.named(call.subject)
        assert job is not None
        if fate % 6 == 5:
            return providers.Missing() if fate > 6 else providers.ProviderAway("no answer")
        if job.state == "working":
            self._work(job, fate)
        if job.state == "working":
            return providers.Pending()
        if job.state == "failed":
            return providers.Failed("no", retryable=fate % 2 == 0, charged=bool(job.paid), cost_micros=job.paid)
        return outside.done(job, self.gateway.clock() if fate % 2 else None)

    def _work(self, job: outside.Job, fate: int) -> None:
        if fate % 6 < 4:
            job.state, job.paid = "done", 90_000
        elif fate % 6 == 4:
            job.state, job.paid = "failed", 100_000 if fate > 6 else 0

    def _fetched(self, call: outside.Call, fate: int) -> Any:
        job = self.outside.named(call.subject)
        assert job is not None
        job.is_gone = job.is_gone or fate % 6 == 5
        if job.is_gone:
            return outside.gone()
        return outside.broken() if fate % 6 == 4 else outside.CLIP

    @stateful.precondition(lambda self: self.outside.late)
    @stateful.rule(pick=PICK, arrives=st.booleans())
    def an_order_arrives_late(self, pick: int, arrives: bool) -> None:
        self._land(_of(self.outside.late, pick), arrives)

    def _land(self, call: outside.Call, arrives: bool) -> None:
        self.outside.late.remove(call)
        if arrives:
            self.outside.take(call)

    @stateful.precondition(lambda self: self._unnamed())
    @stateful.rule(pick=PICK)
    def a_callback_comes(self, pick: int) -> None:
        self._run(self.gateway.called_back(*_of(self._unnamed(), pick)))

    def _unnamed(self) -> list[tuple[Any, outside.Job]]:
        found = [(self._laws.rows[job.submission_id], job) for job in self.outside.jobs]
        return [(row, job) for row, job in found if row["state"] in (S.SENDING, *UNNAMED) and not row["provider_job_id"]]

    @stateful.precondition(lambda self: self._accepted())
    @stateful.rule(pick=PICK)
    def an_id_is_missed_often(self, pick: int) -> None:
        self._run(self.gateway.missed_often(_of(self._accepted(), pick)))

    def _accepted(self) -> list[str]:
        return [row["id"] for row in self._laws.rows.values() if row["state"] == S.ACCEPTED]

    @stateful.rule(by=st.sampled_from(TIMES), arrive=st.booleans())
    def time_passes(self, by: dict[str, float], arrive: bool) -> None:
        self._run(self._later(by, arrive))

    async def _later(self, by: dict[str, float], arrive: bool) -> None:
        """No exchange lasts for as long as a quarter of an hour; where orders are known again nobody sleeps on."""
        if "seconds" not in by:
            for call in [*self.outside.late]:
                self._land(call, arrive)
            for call in self.outside.calls:
                if call.kind == "create" and call.is_sent and not call.is_decided:
                    call.is_decided = True
                    if arrive:
                        self.outside.take(call)
        if self.outside.capabilities.idempotency_s and not {"seconds", "minutes"} & by.keys():
            for number in range(WORKERS):
                await self.gateway.crash(number)
        await self.gateway.time_passes(**by)

    # Money and people.

    @stateful.rule(clips=st.integers(0, 4))
    def the_limit_is_set(self, clips: int) -> None:
        self._run(self.gateway.set_limit(clips))

    @stateful.rule()
    def the_switch_is_turned(self) -> None:
        self._run(self.gateway.switch())

    @stateful.rule()
    def the_parked_try_again(self) -> None:
        self._run(self.gateway.let_in())

    @stateful.precondition(lambda self: self._doubtful())
    @stateful.rule(pick=PICK, names=st.booleans())
    def a_person_solves_a_doubt(self, pick: int, names: bool) -> None:
        self._run(self._solve(_of(self._doubtful(), pick), names))

    def _doubtful(self) -> list[str]:
        return [row["id"] for row in self._laws.rows.values() if row["state"] in UNNAMED]

    async def _solve(self, name: str, names: bool) -> None:
        """People know the truth, but for what has not arrived yet."""
        job = self.outside.job_of(name)
        if names and job:
            await self.gateway.person("ReconcileSubmission", submission_id=name, provider_job_id=job.name, note="seen")
            return
        if job is None and self.outside.can_still_come(name) or job and job.state == "working":
            return
        paid = job.paid if job else 0
        charged = {"charged": {"currency": gateway.CURRENCY, "micros": paid}} if paid else {}
        await self.gateway.person("SettleSubmission", submission_id=name, note="seen", **charged)

    @stateful.precondition(lambda self: self._laws.rows)
    @stateful.rule(pick=PICK, verb=st.sampled_from(["FetchSubmission", "CancelSubmission"]))
    def a_person_asks(self, pick: int, verb: str) -> None:
        self._run(self.gateway.person(verb, submission_id=_of(sorted(self._laws.rows), pick)))

    # The laws.

    @stateful.invariant()
    def the_laws_are_kept(self) -> None:
        self._is_sound = False
        self._run(self._check())
        assert not self._log.seen, self._log.seen
        self._is_sound = True

    async def _check(self) -> None:
        async with self._database.house() as conn:
            await self._laws.check(conn, self.outside)

    def teardown(self) -> None:
        """Let everything end, as well as it can; then nothing may be left."""
        try:
            if self._is_sound and hasattr(self, "gateway"):
                self._run(self._end_well())
        finally:
            if hasattr(self, "gateway"):
                self._run(self.gateway.close())
            self._run(self._database.close())
            self._runner.close()
            logging.getLogger("services.provider_gateway").removeHandler(self._log)

    async def _end_well(self) -> None:
        async with self._database.tenant("acme") as conn:
            await conn.execute(sa.text("UPDATE switches SET released_at = now(), released_by = 'ada'"))
        await self.gateway.set_limit(100)
        for _ in range(40):
            await self._round()
            await self._check()
            if self._is_over():
                break
        assert not self._log.seen, self._log.seen
        self._ended_well()

    async def _round(self) -> None:
        while self.gateway.messages:
            await self.gateway.deliver(self.gateway.messages[0])
        await self.gateway.let_in()
        for worker in range(WORKERS):
            while await self.gateway.claim(worker) or self.outside.calls:
                while self.outside.calls:
                    await self._answer(self.outside.calls[0], 1)
        await self.gateway.hear(None)
        await self._later({"days": 8}, True)

    def _is_over(self) -> bool:
        rows = self._laws.rows.values()
        jobs = self.gateway.jobs.values()
        return all(row["state"] in domain.FINAL for row in rows) and all(job.state in job_domain.JOB_ENDS for job in jobs)

    def _ended_well(self) -> None:
        open_ones = [row["state"] for row in self._laws.rows.values() if row["state"] not in domain.FINAL]
        assert not open_ones, f"never ends: {open_ones}"
        waiting = [job.state for job in self.gateway.jobs.values() if job.state not in job_domain.JOB_ENDS]
        assert not waiting, f"a job never ends: {waiting}"
        for job in self.outside.jobs:
            row = self._laws.rows[job.submission_id]
            is_known = row["state"] in (S.STORED, S.CLIP_EXPIRED) or (row["fault"] or {}).get("reason") == "OUTCOME_UNKNOWN"
            assert is_known or job.state != "done", f"a paid clip is lost: {row['state']}"


def _of(some: Any, pick: int) -> Any:
    return some[pick % len(some)]
