"""The job service on a database of its own; alone, or with its real neighbours behind real doors."""

import contextlib
import dataclasses
import datetime
import hashlib
import itertools
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
import sqlalchemy.ext.asyncio as sa_async
from google.protobuf import duration_pb2

from libs import bus, ids, outbox, rpc
from rushes.job.v1 import events_pb2, job_service_pb2, job_service_pb2_grpc
from rushes.provider_gateway.v1 import (
    provider_gateway_service_pb2,
    provider_gateway_service_pb2_grpc,
    quote_pb2,
)
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2, storyboard_service_pb2_grpc
from rushes.type.v1 import clip_pb2
from services.job import api, domain, events, planning, store, webhook_sender
from services.provider_gateway import admission
from services.provider_gateway import api as gateway_api
from services.storyboard import api as storyboard_api
from tests.integration.job import hooks, news
from tests.integration.provider_gateway import shop

OFFER = shop.OFFER
SPEC = clip_pb2.ClipSpec(model="sandbox/reel-1", prompt="A lighthouse.").SerializeToString()
DIGEST = hashlib.sha256(SPEC).hexdigest()
SEAMS = {False: domain.Seam.CUT, True: domain.Seam.LAST_FRAME}
LIMITS = {"USD": 50_000_000, "XTS": 1_000_000_000}


class Clock:
    """A clock that a test can put forward."""

    def __init__(self) -> None:
        self.now = news.NOW

    def __call__(self) -> datetime.datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += datetime.timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Crew:
    """The job service: called as anybody, told the news, and looked into."""

    def __init__(self, place: Any, door: Any, issuer: Any, behind: api.JobApi) -> None:
        self.place, self.door, self.issuer, self.database = place, door, issuer, place.database
        self.behind = behind
        self._stub = job_service_pb2_grpc.JobServiceStub(door.channel)

    async def __call__(self, verb: str, tenant: str = "acme", **fields: Any) -> Any:
        request = getattr(job_service_pb2, f"{verb}Request")(**fields)
        return await getattr(self._stub, verb)(request, metadata=self.issuer.bearer(tenant), timeout=15)

    async def anonymously(self, verb: str) -> Any:
        return await getattr(self._stub, verb)(getattr(job_service_pb2, f"{verb}Request")(), timeout=15)

    def watch(self, production_id: str, resume_token: str = "", tenant: str = "acme") -> Any:
        request = job_service_pb2.WatchProductionRequest(production_id=production_id, resume_token=resume_token)
        return self._stub.WatchProduction(request, metadata=self.issuer.bearer(tenant), timeout=15)

    async def begin(
        self,
        *on_last_frame: bool,
        tenant: str = "acme",
        storyboard_id: str = "sb_1",
        options: planning.Options | None = None,
    ) -> list[domain.Job]:
        """A new production with a scene for each flag, as CreateProduction writes it; its jobs."""
        now = news.NOW
        production = domain.Production(
            ids.new("prod"), tenant, storyboard_id, 1, "The Letter", "quote_1", "XTS", 1_000_000, now, now
        )
        if options:
            production = dataclasses.replace(production, auto_pick=options.auto_pick)
        scenes = [
            domain.Scene(f"scene_{number}", f"Scene {number}", SEAMS[flag], SPEC, DIGEST, "sandbox/reel-1", 4)
            for number, flag in enumerate(on_last_frame, 1)
        ]
        planned = planning.everything(scenes, options or planning.Options())
        prices = {scene.scene_id: 500_000 for scene in scenes}
        jobs, slots = planning.jobs(production, planned, prices, ids.new), planning.slots(production, planned)
        async with self.database.tenant(tenant) as conn:
            assert await store.insert_production_once(conn, production, jobs, slots, str(uuid.uuid4()), b"digest")
        return jobs

    async def hear(self, *said: Any) -> None:
        """Let the service hear these at once: one transaction, each kind to its handler, as the bus does."""
        async with self.hearing(*said):
            pass

    @contextlib.asynccontextmanager
    async def hearing(self, *said: Any) -> AsyncIterator[sa_async.AsyncConnection]:
        """As hear; what was heard is committed at the end of the block."""
        async with self.database.house() as conn:
            for kind, group in itertools.groupby(sorted(said, key=_subject), key=type):
                handler = events.HANDLERS[kind]
                if isinstance(handler, bus.Together):
                    await handler.handle(conn, [bus.Heard(event, news.TRACE) for event in group])
                else:
                    for event in group:
                        await handler(conn, event)
            yield conn

    async def production(self, production_id: str, tenant: str = "acme") -> domain.Production:
        async with self.database.tenant(tenant) as conn:
            return await store.get_production(conn, tenant, production_id)

    async def jobs(self, production_id: str, tenant: str = "acme") -> list[domain.Job]:
        """In scene order."""
        async with self.database.tenant(tenant) as conn:
            return await store.jobs_of(conn, await store.get_production(conn, tenant, production_id))

    async def said(self, kind: Any = None, production_id: str = "") -> list[Any]:
        """What is in the outbox; in no promised order where it was said at once."""
        async with self.database.house() as conn:
            rows = list(await conn.execute(sa.select(outbox.OUTBOX).order_by(outbox.OUTBOX.c.id)))
        found = [getattr(events_pb2, row.subject.rpartition(".")[2]).FromString(row.payload) for row in rows]
        return [
            event
            for event in found
            if (kind is None or isinstance(event, kind)) and (not production_id or event.production_id == production_id)
        ]

    async def traces(self) -> set[str]:
        """The trace ids that the outbox goes out with."""
        async with self.database.house() as conn:
            headers = (await conn.execute(sa.select(outbox.OUTBOX.c.headers))).scalars()
            return {one["traceparent"].split("-")[1] for one in headers}


def _subject(event: Any) -> str:
    return str(event.DESCRIPTOR.full_name)


@pytest.fixture
async def crew(database: Any, serve: Any, issuer: Any, clock: Clock) -> Crew:
    """The job service without neighbours: for everything but CreateProduction."""
    place = await database("job")
    behind = api.JobApi(place.database, None, None, clock)
    door = await serve("job", job_servicer(behind))
    door.server.draining = behind.draining
    return Crew(place, door, issuer, behind)


def job_servicer(behind: api.JobApi) -> rpc.Servicer:
    return rpc.Servicer(job_service_pb2_grpc.add_JobServiceServicer_to_server, behind, "rushes.job.v1.JobService")


class Line:
    """Storyboard, gateway and job service, each behind its own door: the main job up to its orders."""

    def __init__(self, crew: Crew, doors: dict[str, Any], gateway_database: Any, admission: Any) -> None:
        self.crew, self.gateway_database, self.admission = crew, gateway_database, admission
        self._stubs = [
            (storyboard_service_pb2, storyboard_service_pb2_grpc.StoryboardServiceStub(doors["storyboard"].channel)),
            (
                provider_gateway_service_pb2,
                provider_gateway_service_pb2_grpc.ProviderGatewayServiceStub(doors["provider_gateway"].channel),
            ),
            (job_service_pb2, job_service_pb2_grpc.JobServiceStub(doors["job"].channel)),
        ]

    async def __call__(self, verb: str, tenant: str = "acme", **fields: Any) -> Any:
        """A call of whichever service has this verb."""
        words, stub = next(pair for pair in self._stubs if hasattr(pair[1], verb))
        request = getattr(words, f"{verb}Request")(**fields)
        return await getattr(stub, verb)(request, metadata=self.crew.issuer.bearer(tenant), timeout=15)

    async def board(self, *seams: int, tenant: str = "acme") -> Any:
        """A new storyboard with a scene for each seam."""
        scenes = [
            storyboard_pb2.Scene(
                title=f"Scene {number}",
                subject=f"A lighthouse, picture {number}",
                duration=duration_pb2.Duration(seconds=3 + number),
                seam=seam,
            )
            for number, seam in enumerate(seams, 1)
        ]
        board = storyboard_pb2.Storyboard(name="The letter", scenes=scenes)
        answer = await self("CreateStoryboard", tenant, request_id=str(uuid.uuid4()), storyboard=board)
        return answer.storyboard

    async def quote(self, board: Any, tenant: str = "acme") -> Any:
        """A quote for the board as it stands."""
        composed = await self("ComposePrompts", tenant, storyboard_id=board.id)
        items = [quote_pb2.QuoteItem(scene_id=one.scene_id, spec=one.spec) for one in composed.prompts]
        return (await self("CreateQuote", tenant, request_id=str(uuid.uuid4()), items=items)).quote

    async def order(self, *seams: int) -> dict[str, Any]:
        """What CreateProduction needs, for a new board."""
        board = await self.board(*seams)
        quote = await self.quote(board)
        return {
            "request_id": str(uuid.uuid4()),
            "storyboard_id": board.id,
            "revision": board.revision,
            "quote_id": quote.id,
        }


@pytest.fixture
async def line(database: Any, serve: Any, issuer: Any, clock: Clock) -> AsyncIterator[Line]:
    names = ("storyboard", "provider_gateway", "job")
    places = {name: await database(name) for name in names}
    boards = storyboard_api.StoryboardApi(places["storyboard"].database, "sandbox/reel-1", clock)
    behind = places["provider_gateway"].database
    keys = shop.keyring_of(behind, {"sandbox-openai": shop.NOWHERE, "sandbox-veo": shop.NOWHERE}, clock)
    gateway = gateway_api.GatewayApi(behind, OFFER, LIMITS, clock, keys, shop.SAFE)
    doors = {
        "storyboard": await serve(
            "storyboard",
            rpc.Servicer(
                storyboard_service_pb2_grpc.add_StoryboardServiceServicer_to_server,
                boards,
                "rushes.storyboard.v1.StoryboardService",
            ),
        ),
        "provider_gateway": await serve(
            "provider_gateway",
            rpc.Servicer(
                provider_gateway_service_pb2_grpc.add_ProviderGatewayServiceServicer_to_server,
                gateway,
                "rushes.provider_gateway.v1.ProviderGatewayService",
            ),
        ),
    }
    jobs = api.JobApi(
        places["job"].database,
        storyboard_service_pb2_grpc.StoryboardServiceStub(doors["storyboard"].channel),
        provider_gateway_service_pb2_grpc.ProviderGatewayServiceStub(doors["provider_gateway"].channel),
        clock,
    )
    doors["job"] = await serve("job", job_servicer(jobs))
    yield Line(Crew(places["job"], doors["job"], issuer, jobs), doors, behind, admission.Admission(OFFER, keys, clock))
    await keys.close()


@pytest.fixture
async def receiver() -> AsyncIterator[hooks.Receiver]:
    async with hooks.receiving() as made:
        yield made


@pytest.fixture
def private() -> bool:
    """Whether webhooks may go to private addresses."""
    return True


@pytest.fixture
async def hooked(database: Any, serve: Any, issuer: Any, clock: Clock, private: bool) -> AsyncIterator[hooks.Hooks]:
    """The job service with its webhooks, whose sender a test turns by hand."""
    place, post = await database("job"), webhook_sender.Post(private)
    made = hooks.Hooks(place.database, clock, post)
    behind = api.JobApi(place.database, None, None, clock)
    made.crew = Crew(place, await serve("job", job_servicer(behind), made.servicer()), issuer, behind)
    yield made
    await post.close()
