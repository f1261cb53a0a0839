"""A whole gateway in one event loop of its own: its verbs, its workers, its job service, and the time."""

import asyncio
import collections
import dataclasses
import uuid
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from libs import auth, bus, db, errors, ids, outbox
from rushes.job.v1 import events_pb2 as job_pb
from rushes.provider_gateway.v1 import events_pb2, quote_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from services.job import domain as job_domain
from services.job import lifecycle as job_lifecycle
from services.provider_gateway import (
    api,
    budgets,
    callbacks,
    domain,
    events,
    evidence,
    keyring,
    recorder,
    settings,
    store,
    switches,
    walls,
    works,
)
from services.provider_gateway.providers import registry
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop
from tests.integration.provider_gateway.machine import outside

ADA = auth.Caller("acme", "ada", frozenset({budgets.OPERATOR}))
ENDPOINT, CURRENCY = "sandbox-openai", "XTS"
SCENES = 6
LEASE_S = 600.0
"""Longer than a story takes: leases run out when the story says so."""

S = domain.State
_PAST = sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 0, 1)


class Gateway:
    """What the story moves; to be made and used inside one running event loop."""

    def __init__(self, database: db.Database, capabilities: dict[str, Any]) -> None:
        self.database, self.clock = database, house.Ahead()
        self.offer = shop.selling(ENDPOINT, polls_by_list=False, **capabilities)
        self.outside = outside.Outside(self.clock, self.offer.endpoints[ENDPOINT].capabilities)
        self.workers: list[works.Works] = []
        self.owners: list[str] = []
        self.jobs: dict[str, job_domain.Job] = {}
        self.messages: list[Any] = []
        self._heard: set[str] = set()
        self._quote = quote_pb2.Quote()
        self._born = collections.Counter[int]()
        self.api = api.GatewayApi(database, self.offer, house.LIMITS, self.clock, self._keys("api"), shop.SAFE)

    async def open(self, workers: int) -> None:
        """Quote every scene, of two prompts only, while there is money for all."""
        specs = [house.spec("A lighthouse." if number % 2 else "A fog.") for number in range(SCENES)]
        items = [quote_pb2.QuoteItem(scene_id=f"scene_{number}", spec=one) for number, one in enumerate(specs, 1)]
        answer = await self.verb("CreateQuote", request_id=str(uuid.uuid4()), items=items)
        self._quote.CopyFrom(answer.quote)
        for number in range(workers):
            self.owners.append("")
            self.workers.append(self._born_again(number))

    def _keys(self, owner: str) -> keyring.Keyring:
        told = {ENDPOINT: settings.Installed(base_url=shop.NOWHERE, key=shop.KEY)}
        installed = registry.installed(self.offer, told)

        def build(*_: object) -> outside.Provider:
            return outside.Provider(self.outside, owner)

        return keyring.Keyring(self.database, self.offer, installed, shop.SAFE, build, self.clock, private=True)

    def _born_again(self, number: int) -> works.Works:
        self._born[number] += 1
        self.owners[number] = owner = f"worker-{number}-{self._born[number]}"
        downloads: Any = outside.Downloads(self.outside, owner)
        addresses = callbacks.Addresses(None, "secret")
        means = works.Means(self.database, self.offer, self._keys(owner), downloads, addresses, self.clock)
        return works.Works(means, owner, LEASE_S, 4)

    async def verb(self, name: str, **fields: Any) -> Any:
        """Call a verb as Ada."""
        with auth.acting_as(ADA):
            return await getattr(self.api, name)(getattr(pb, f"{name}Request")(**fields), None)

    async def quiet(self) -> None:
        """Return once nobody does anything but wait for the outside."""
        async with asyncio.timeout(30):
            while (
                busy := {*asyncio.all_tasks()} - {call.task for call in self.outside.calls} - {asyncio.current_task()}
            ):
                await asyncio.wait([*busy, self.outside.asked], return_when=asyncio.FIRST_COMPLETED)

    # The job service.

    def begin(self) -> None:
        """A job asks for its first clip."""
        number = len(self.jobs)
        job = dataclasses.replace(_JOB, id=ids.new("job"), scene_number=number)
        self.jobs[job.id] = job
        self._ask(job)

    def _ask(self, job: job_domain.Job) -> None:
        wanted = {"job_id": job.id, "attempt": job.attempt}
        self.messages.append(house.order(self._quote, job.scene_number, **wanted))

    def cancel(self, job: job_domain.Job) -> None:
        """A person does not want it any more."""
        self.jobs[job.id] = after = job_lifecycle.cancel_job(job, self.clock())
        if after is not job:
            self.messages.append(job_pb.CancelRequested(tenant_id=job.tenant_id, job_id=job.id))

    async def deliver(self, message: Any) -> None:
        """The gateway hears of it."""
        self.messages.remove(message)
        handler = events.Events(self.workers[0].admission, self.clock).handlers()[type(message)]
        async with self.database.house() as conn:
            if isinstance(handler, bus.Together):
                await handler.handle(conn, [bus.Heard(message, {"traceparent": house.TRACE})])
            else:
                await handler(conn, message)

    async def hear(self, pick: int | None) -> None:
        """The job service hears one piece of news, or all."""
        async with self.database.house() as conn:
            rows = list(await conn.execute(sa.select(outbox.OUTBOX).order_by(outbox.OUTBOX.c.id)))
        fresh = [row for row in rows if row.id not in self._heard]
        for row in fresh if pick is None else fresh[pick % len(fresh) :][:1] if fresh else []:
            self._heard.add(row.id)
            kind = getattr(events_pb2, row.subject.rpartition(".")[2])
            self._learn(kind.FromString(row.payload))

    def _learn(self, event: Any) -> None:
        job = self.jobs[event.job_id]
        if isinstance(event, events_pb2.ClipStored):
            self.jobs[job.id] = job_lifecycle.clip_stored(job, _TAKE, event.cost.micros, self.clock())
        elif isinstance(event, events_pb2.SubmissionFailed) and event.attempt == job.attempt:
            fault = job_domain.Fault(event.reason, event.message)
            after = job_lifecycle.submission_failed(job, fault, event.cost.micros, event.retryable, self.clock())
            self.jobs[job.id] = after
            if after.attempt > job.attempt:
                self._ask(after)

    # The workers.

    async def claim(self, number: int) -> int:
        """Let a worker take what there is for it; what it sends, it sends now, by the story's clock."""
        claimed = await self.workers[number].driver.claim()
        table = store.SUBMISSIONS
        sending = sa.and_(table.c.state == S.SENDING, table.c.sent_at <= sa.func.now())
        async with self.database.house() as conn:
            await conn.execute(sa.update(table).where(sending).values(sent_at=self.clock()))
        await self.quiet()
        return claimed

    async def crash(self, number: int) -> None:
        """A process ends; what it had sent is still on its way."""
        calls = [call for call in self.outside.calls if call.owner == self.owners[number]]
        self.outside.late += [call for call in calls if call.is_sent and not call.is_decided]
        await _end([call.task for call in calls])
        self.workers[number] = self._born_again(number)

    async def answer(self, call: outside.Call, answer: Any) -> None:
        """Something comes back, or is raised."""
        if isinstance(answer, Exception):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)
        await asyncio.sleep(0)
        await self.quiet()

    async def lease_runs_out(self, submission_id: str) -> None:
        """Its worker is slow, or thought dead."""
        await self._change(store.SUBMISSIONS.c.id == submission_id, lease_until=_PAST)

    async def missed_often(self, submission_id: str) -> None:
        """As many polls as are forgiven have not found it."""
        free = sa.and_(store.SUBMISSIONS.c.state == S.ACCEPTED, store.SUBMISSIONS.c.lease_owner.is_(None))
        await self._change(sa.and_(free, store.SUBMISSIONS.c.id == submission_id), tries=19)

    async def _change(self, which: Any, **values: Any) -> None:
        async with self.database.house() as conn:
            await conn.execute(sa.update(store.SUBMISSIONS).where(which).values(values))

    # Time, money, evidence and people.

    async def time_passes(self, **by: float) -> None:
        """It is later: what waited until then is due, and who is gone holds nothing any more."""
        self.clock.forward(**by)
        table = store.SUBMISSIONS.c
        await self._change(table.next_action_at <= self.clock(), next_action_at=_PAST)
        await self._change(~db.one_of(table.lease_owner, self.owners), lease_until=_PAST)
        for worker in self.workers:
            await worker.gates.share()
        await self.workers[0].gates.probe()

    async def set_limit(self, clips: int) -> None:
        """So many clips may be paid for."""
        async with self.database.tenant("acme") as conn:
            await walls.set_limit(conn, "acme", CURRENCY, budgets.OWN, clips * 100_000, self.clock())

    async def switch(self, is_thrown: bool | None = None) -> None:
        """Throw the tenant's switch, or release it: what it is not now, unless told."""
        async with self.database.tenant("acme") as conn:
            thrown = await switches.thrown(conn, "acme")
            for one in thrown:
                await switches.release(conn, "acme", one.id, "ada", self.clock())
            if not thrown and is_thrown is None:
                await switches.throw(conn, "acme", budgets.Reach.TENANT, "", "a test", "ada", self.clock())

    async def let_in(self) -> None:
        """Those that were parked try again."""
        await self.workers[0].admission.let_in(self.database)

    async def called_back(self, row: Any, job: outside.Job) -> None:
        """What a callback that names the job writes down."""
        learned = domain.Evidence(domain.Learned.CALLBACK, self.clock(), job.name)
        async with self.database.house() as conn:
            await recorder.heard(conn, [evidence.Piece(store.submission_of(row), learned)])

    async def person(self, verb: str, **fields: Any) -> None:
        """A person decides; what is no longer possible is refused."""
        try:
            await self.verb(verb, **fields)
        except errors.Error:
            return

    async def close(self) -> None:
        """End everything."""
        await _end([call.task for call in self.outside.calls])


async def _end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


_TAKE = job_domain.Take("take_1", job_domain.Media("t/acme/one.mp4", "video/mp4", 1, "ab" * 32), None, True, house.NOW)
_JOB = job_domain.Job(
    id="",
    production_id="prod_1",
    tenant_id="acme",
    scene_id="",
    scene_number=0,
    scene_title="",
    seam=0,
    spec=b"",
    waits_for=None,
    last_frame_wanted=False,
    currency=CURRENCY,
    quoted_micros=100_000,
    created_at=house.NOW,
    updated_at=house.NOW,
)
