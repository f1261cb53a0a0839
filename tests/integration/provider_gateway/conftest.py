"""A provider gateway on a database of its own, a sandbox process to buy from, and drivers to buy with."""

import asyncio
import contextlib
import datetime
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from google.protobuf import duration_pb2

from libs import bus, ids, outbox, rpc
from rushes.job.v1 import events_pb2 as job_pb
from rushes.provider_gateway.v1 import events_pb2, provider_gateway_service_pb2, quote_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc as pb_grpc
from rushes.type.v1 import clip_pb2, media_pb2
from services.cli import environment
from services.provider_gateway import admission, api, budgets, domain, events, evidence, keyring, ledger, store
from tests import ports
from tests.integration.provider_gateway import shop

NAME = "rushes.provider_gateway.v1.ProviderGatewayService"
CONFIGURED = frozenset({*shop.PATHS, "gemini"})
LIMITS = {"USD": 50_000_000, "XTS": 1_000_000_000}
NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"


def spec(prompt: str = "A lighthouse at dusk.", seconds: int = 1, **more: Any) -> clip_pb2.ClipSpec:
    """A small clip of the sandbox: 0.10 play money a second."""
    base = {
        "model": "sandbox/reel-1",
        "prompt": prompt,
        "duration": duration_pb2.Duration(seconds=seconds),
        "size": media_pb2.FrameSize(width=640, height=360),
        "audio": True,
    }
    return clip_pb2.ClipSpec(**base | more)


def once(prompt: str, **more: Any) -> clip_pb2.ClipSpec:
    """A clip that no other test has asked the sandbox of the session for: lists tell it apart."""
    return spec(f"{prompt} {uuid.uuid4().hex}", **more)


class Clock:
    """A clock that a test can put forward."""

    def __init__(self, now: datetime.datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime.datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += datetime.timedelta(**by)


class Ahead:
    """The real time, by which the database says what is due, and more of it when a test wants that."""

    def __init__(self) -> None:
        self._by = datetime.timedelta()

    def __call__(self) -> datetime.datetime:
        return real_time() + self._by

    def forward(self, **by: float) -> None:
        self._by += datetime.timedelta(**by)


class Gateway:
    """The gateway: called as anybody, told the orders, and looked into."""

    def __init__(
        self, place: Any, door: Any, issuer: Any, clock: Callable[[], datetime.datetime], keys: keyring.Keyring
    ) -> None:
        self.place, self.door, self.issuer, self.clock, self.database = place, door, issuer, clock, place.database
        self.draining = asyncio.Event()
        self.keys, self.admission = keys, admission.Admission(shop.OFFER, keys, clock)
        self._handlers = events.Events(self.admission, clock).handlers()
        self._stub = pb_grpc.ProviderGatewayServiceStub(door.channel)

    async def __call__(self, verb: str, tenant: str = "acme", roles: Iterable[str] = ("owner",), **fields: Any) -> Any:
        request = getattr(provider_gateway_service_pb2, f"{verb}Request")(**fields)
        metadata = rpc.bearer(self.issuer.token(tenant, roles=roles))
        return await getattr(self._stub, verb)(request, metadata=metadata, timeout=15)

    async def named(self, **fields: Any) -> Any:
        """An operator says which job of the provider it is."""
        return await self("ReconcileSubmission", roles=["operator"], **fields)

    def watch(self, submission_id: str, after_version: int = 0, tenant: str = "acme") -> Any:
        request = provider_gateway_service_pb2.WatchSubmissionRequest(
            submission_id=submission_id, after_version=after_version
        )
        return self._stub.WatchSubmission(request, metadata=self.issuer.bearer(tenant), timeout=15)

    async def anonymously(self, verb: str) -> Any:
        request = getattr(provider_gateway_service_pb2, f"{verb}Request")()
        return await getattr(self._stub, verb)(request, timeout=15)

    async def quote(self, *specs: clip_pb2.ClipSpec, tenant: str = "acme", request_id: str = "") -> quote_pb2.Quote:
        """A quote with a scene for each clip."""
        items = [quote_pb2.QuoteItem(scene_id=f"scene_{number}", spec=one) for number, one in enumerate(specs, 1)]
        answer = await self("CreateQuote", tenant, request_id=request_id or str(uuid.uuid4()), items=items)
        return answer.quote

    async def orders(self, *specs: clip_pb2.ClipSpec, tenant: str = "acme", **more: Any) -> list[job_pb.ClipRequested]:
        """What the job service says once such a quote was accepted."""
        quote = await self.quote(*specs, tenant=tenant)
        return [order(quote, number, tenant=tenant, **more) for number in range(len(specs))]

    async def hear(self, *said: Any) -> None:
        """Let the gateway hear these orders, or this one cancel, in one transaction."""
        handler = self._handlers[type(said[0])]
        async with self.database.house() as conn:
            if isinstance(handler, bus.Together):
                await handler.handle(conn, [bus.Heard(event, {"traceparent": TRACE}) for event in said])
            else:
                for event in said:
                    await handler(conn, event)

    async def submissions(self, tenant: str = "acme") -> list[domain.Submission]:
        async with self.database.tenant(tenant) as conn:
            found = await store.list_submissions(conn, tenant, None, "", None, 1000)
        return sorted(found, key=lambda one: one.scene_id)

    async def budget(self, tenant: str = "acme", currency: str = "XTS") -> budgets.Budget:
        async with self.database.tenant(tenant) as conn:
            return await ledger.open_budget(conn, tenant, currency, LIMITS[currency])

    async def set_limit(self, micros: int, tenant: str = "acme") -> None:
        await self("SetBudget", tenant, limit={"currency": "XTS", "micros": micros})

    async def postings(self, tenant: str = "acme") -> list[Any]:
        """The tenant's ledger in order."""
        table = ledger.LEDGER
        async with self.database.tenant(tenant) as conn:
            return list(await conn.execute(sa.select(table).where(table.c.tenant_id == tenant).order_by(table.c.at)))

    async def said(self, kind: Any = None) -> list[Any]:
        """What is in the outbox, with its headers."""
        async with self.database.house() as conn:
            rows = list(await conn.execute(sa.select(outbox.OUTBOX).order_by(outbox.OUTBOX.c.id)))
        found = [
            bus.Heard(getattr(events_pb2, row.subject.rpartition(".")[2]).FromString(row.payload), row.headers)
            for row in rows
        ]
        return [one for one in found if kind is None or isinstance(one.event, kind)]

    async def change(self, submission_id: str, **values: Any) -> None:
        """Bend a row, as time or another process would."""
        table = store.SUBMISSIONS
        async with self.database.house() as conn:
            await conn.execute(sa.update(table).where(table.c.id == submission_id).values(values))

    async def make_due(self) -> None:
        """Let the time come of everything that waits."""
        table = store.SUBMISSIONS
        past = sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 0, 1)
        async with self.database.house() as conn:
            await conn.execute(sa.update(table).where(table.c.next_action_at.is_not(None)).values(next_action_at=past))

    async def story(self, submission_id: str) -> list[str]:
        """The states that a submission went through, after its first."""
        query = sa.select(store.SUBMISSION_LOG.c.state).where(store.SUBMISSION_LOG.c.submission_id == submission_id)
        async with self.database.house() as conn:
            return list((await conn.execute(query.order_by(store.SUBMISSION_LOG.c.version))).scalars())

    async def evidence(self, submission_id: str) -> list[domain.Evidence]:
        """What was learned about a submission, oldest first."""
        async with self.database.house() as conn:
            return [row.learned for row in await evidence.about(conn, submission_id)]

    async def money(self, tenant: str = "acme") -> tuple[int, int, int]:
        """What is reserved, spent and in suspense, as budget and ledger say in one voice."""
        budget, lines = await self.budget(tenant), await self.postings(tenant)
        held = (budget.reserved_micros, budget.spent_micros, budget.suspense_micros)
        assert held == tuple(sum(getattr(line, name) for line in lines) for name in ("reserved", "spent", "suspense"))
        return held


def order(quote: quote_pb2.Quote, number: int = 0, **more: Any) -> job_pb.ClipRequested:
    """The order for one item of a quote."""
    item = quote.items[number]
    base = {
        "tenant_id": more.pop("tenant", "acme"),
        "job_id": ids.new("job"),
        "attempt": 1,
        "production_id": "prod_1",
        "storyboard_id": "sb_1",
        "scene_id": item.scene_id,
        "quote_id": quote.id,
        "spec": item.spec,
    }
    return job_pb.ClipRequested(**base | more)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def gateway(database: Any, serve: Any, issuer: Any, clock: Clock) -> AsyncIterator[Gateway]:
    """The gateway at a time of its own."""
    async with open_gateway(database, serve, issuer, clock) as opened:
        yield opened


@pytest.fixture
def ahead() -> Ahead:
    return Ahead()


@pytest.fixture
async def live_gateway(database: Any, serve: Any, issuer: Any, ahead: Ahead) -> AsyncIterator[Gateway]:
    """The gateway at the real time, which drivers need: leases are the database's."""
    async with open_gateway(database, serve, issuer, ahead) as opened:
        yield opened


def real_time() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@contextlib.asynccontextmanager
async def open_gateway(
    database: Any, serve: Any, issuer: Any, clock: Callable[[], datetime.datetime]
) -> AsyncIterator[Gateway]:
    place = await database("provider_gateway")
    keys = shop.keyring_of(place.database, {name: shop.NOWHERE for name in CONFIGURED}, clock)
    behind = api.GatewayApi(place.database, shop.OFFER, LIMITS, clock, keys, shop.SAFE)
    servicer = rpc.Servicer(pb_grpc.add_ProviderGatewayServiceServicer_to_server, behind, NAME)
    opened = Gateway(place, await serve("provider_gateway", servicer), issuer, clock, keys)
    opened.draining = behind.draining
    yield opened
    await keys.close()


@pytest.fixture(scope="session")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[shop.Reel]:
    """One sandbox for the session: what is bought there is told apart by its submissions."""
    home = tmp_path_factory.mktemp("reel")
    address, metrics = (f"127.0.0.1:{ports.free()}" for _ in range(2))
    told = {
        "RUSHES_LISTEN": address,
        "RUSHES_METRICS_LISTEN": metrics,
        "RUSHES_SANDBOX_HOME": str(home),
        "RUSHES_SANDBOX_LATENCY": "0",
        "RUSHES_SANDBOX_INSTANT": "true",
        "RUSHES_LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen([sys.executable, "-m", "services.sandbox"], env=environment.base() | told) as process:
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=9)) as client:
                assert client.get(f"http://{address}/healthz").status_code == 200
            yield shop.Reel(f"http://{address}", home)
        finally:
            process.terminate()


@pytest.fixture
async def crew(live_gateway: Gateway, reel: shop.Reel, tmp_path: Path) -> AsyncIterator[shop.Crew]:
    """Drivers that buy in the sandbox for the live gateway."""
    made = shop.Crew(live_gateway, tmp_path, reel.addresses())
    yield made
    await made.close()
