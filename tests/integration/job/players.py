"""Two replicas of the job service and all who play with them at once: people, the bus, the gateway, the compiler."""

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import sqlalchemy as sa

from libs import bus, outbox
from rushes.job.v1 import events_pb2, job_pb2
from rushes.type.v1 import clip_pb2
from services.job import domain, gauges, store, takes
from services.provider_gateway import domain as paid
from services.provider_gateway import events as gateway_events
from services.provider_gateway import store as paid_store
from tests.integration.job import fates, news

CUT, LAST_FRAME = clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME
REFUSALS = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)
_BLOCKED = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Stage:
    """One tenant's story: what it has, what is on its way between the services, and what was answered."""

    def __init__(self, line: Any, replicas: Sequence[Any], chance: random.Random, tenant: str) -> None:
        self.line, self.replicas, self.chance, self.tenant = line, replicas, chance, tenant
        self.clock, self.jobs_database = replicas[0].behind.clock, replicas[0].database
        self.orders, self.news = list[Any](), list[Any]()
        self.board: Any = None
        self.order: dict[str, Any] = {}
        self.productions, self.jobs, self.takes = list[domain.Production](), list[domain.Job](), list[domain.Take]()
        self.answers = Counter[str]()
        self.done, self.moving = list[tuple[str, str]](), set[str]()
        self._ears = gateway_events.Events(line.admission, self.clock).handlers()
        self._desk = asyncio.Lock()

    async def call(self, verb: str, **fields: Any) -> Any:
        """One verb at either replica; None where it is refused as it may be. All other faults are findings."""
        try:
            answer = await self.chance.choice(self.replicas)(verb, self.tenant, **fields)
        except grpc.aio.AioRpcError as fault:
            if fault.code() not in REFUSALS:
                raise
            self.answers[f"{verb} refused"] += 1
            return None
        self.answers[verb] += 1
        self.done += [(verb, fields.get("take_id", ""))]
        return answer

    async def begin(self) -> None:
        """A board with cuts and chains, its quote, and the first production of it."""
        seams = [CUT, *self.chance.choices((CUT, LAST_FRAME), k=self.chance.randint(1, 3))]
        self.board = await self.line.board(*seams, tenant=self.tenant)
        quote = await self.line.quote(self.board, self.tenant)
        names = {"storyboard_id": self.board.id, "revision": self.board.revision, "quote_id": quote.id}
        self.order = {"request_id": str(uuid.UUID(int=self.chance.getrandbits(128))), **names}
        await self.create()
        await self.look()

    async def create(self) -> None:
        """A production: the first again, or one more, made anew or by its plan."""
        order = dict(self.order)
        if self.productions and self.chance.random() < 0.6:
            order["request_id"] = str(uuid.UUID(int=self.chance.getrandbits(128)))
            pick = self.chance.choice((job_pb2.AUTO_PICK_FIRST, job_pb2.AUTO_PICK_NEVER))
            order["options"] = {"auto_pick": pick}
            if self.chance.random() < 0.3:
                order["options"]["approve_above_micros"] = 0
            if self.chance.random() < 0.5:
                asked = {name: order[name] for name in ("storyboard_id", "revision", "quote_id", "options")}
                if not (answer := await self.call("PlanProduction", **asked)):
                    return
                order |= {"plan_digest": answer.plan.digest, "quote_id": answer.plan.quote_id}
        await self.call("CreateProduction", **order)

    async def look(self) -> None:
        """What there is by now."""
        async with self.jobs_database.tenant(self.tenant) as conn:
            self.productions = await store.list_productions(conn, self.tenant, "", None, 1000)
            self.jobs = await store.list_jobs(conn, self.tenant, None, None, 1000)
            self.takes = await takes.page(conn, self.tenant, "", "", False, None, 1000)

    async def carry(self) -> None:
        """The bus takes what was said, some of it twice, in no order."""
        for database, pool in ((self.jobs_database, self.orders), (self.line.gateway_database, self.news)):
            async with database.house() as conn:
                said = await outbox.unpublished(conn, 1000)
                await outbox.mark_published(conn, [event.id for event in said])
            for event in map(outbox.read, said):
                self._send(pool, event)

    def _send(self, pool: list[Any], event: Any) -> None:
        if isinstance(event, events_pb2.FilmRequested):
            pool, told = self.news, self._film(event.production_id)
        else:
            told = [event]
        for one in told:
            pool += [one] * self.chance.choice((1, 1, 2))
        self.chance.shuffle(pool)

    def _film(self, production_id: str) -> list[Any]:
        end = news.film_failed if self.chance.random() < 0.1 else news.film_completed
        parts = [news.film_progressed(production_id, part, self.tenant) for part in (0.3, 0.7)]
        return [*parts, end(production_id, self.tenant)]

    def arrived(self, most: int) -> list[Any]:
        """Some of what is on its way to the job service; now and then it will come once more, long after."""
        batch = [self.news.pop() for _ in range(min(len(self.news), most))]
        self.moving = {event.job_id for event in batch if hasattr(event, "job_id")} or self.moving
        self.news[:0] = [event for event in batch if self.chance.random() < 0.1]
        return batch

    async def hear(self) -> None:
        """One replica hears some news, or both hear the same at once."""
        batch = self.arrived(self.chance.randint(1, 4))
        both = self.chance.random() < 0.3
        ears = self.replicas if both else [self.chance.choice(self.replicas)]
        await asyncio.gather(*(heard(ear, batch) for ear in ears))
        self.answers["news"] += len(batch) * len(ears)

    async def order_clips(self) -> None:
        """The gateway hears of some orders and cancels."""
        batch = [self.orders.pop() for _ in range(min(len(self.orders), self.chance.randint(1, 6)))]
        async with self._desk:
            await self._check_free([event for event in batch if isinstance(event, events_pb2.ClipRequested)])
            for kind, handler in self._ears.items():
                events = [event for event in batch if isinstance(event, kind)]
                async with self.line.gateway_database.house() as conn:
                    if events and isinstance(handler, bus.Together):
                        await handler.handle(conn, [bus.Heard(event, news.TRACE) for event in events])
                    elif not isinstance(handler, bus.Together):
                        for event in events:
                            await handler(conn, event)

    async def _check_free(self, orders: Sequence[events_pb2.ClipRequested]) -> None:
        """Whatever was ordered for the same take before has ended, and costs nothing."""
        bought = await self.submissions()
        async with self.jobs_database.tenant(self.tenant) as conn:
            jobs = await store.find_jobs(conn, self.tenant, {order.job_id for order in orders})
        for order in orders:
            before = [one for one in bought if one.job_id == order.job_id and one.attempt < order.attempt]
            before += [one for one in bought if one.job_id == jobs[order.job_id].retries]
            assert all(fates.is_free(one) for one in before), f"{order.job_id} is ordered twice"

    async def buy(self) -> None:
        """The provider does something about some of what is open."""
        opened = [one for one in await self.submissions() if one.state not in paid.FINAL]
        for one in self.chance.sample(opened, min(len(opened), self.chance.randint(1, 6))):
            for _ in range(self.chance.randint(1, 4)):
                await fates.befall(self.line.gateway_database, self.tenant, one.id, self.chance, self.clock())

    async def submissions(self) -> list[paid.Submission]:
        async with self.line.gateway_database.tenant(self.tenant) as conn:
            return await paid_store.list_submissions(conn, self.tenant, None, "", None, 1000)

    async def person(self) -> None:
        """A verb that changes something, at random."""
        moving = [job for job in self.jobs if job.id in self.moving]
        one = self.chance.choice(moving if moving and self.chance.random() < 0.6 else self.jobs)
        job, production = one.id, one.production_id
        verbs: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (1, self.create),
            (2, lambda: self.call("CancelJob", job_id=job)),
            (6, lambda: self.call("RetryJob", job_id=job)),
            (2, lambda: self.call("PauseProduction", production_id=production)),
            (4, lambda: self.call("ResumeProduction", production_id=production)),
            (2, lambda: self.call("ApproveProduction", production_id=production)),
        ]
        if self.chance.random() < 0.1:
            verbs.append((2, lambda: self.call("CancelProduction", production_id=production)))
        if self.takes:
            count = Counter(take.scene_id for take in self.takes)
            disputed = [take for take in self.takes if take.scene_id == count.most_common(1)[0][0]]
            take = self.chance.choice(disputed if self.chance.random() < 0.7 else self.takes).id
            verbs += [
                (4, lambda: self.call("PickTake", take_id=take)),
                (3, lambda: self.call("UnpickTake", take_id=take)),
                (1, lambda: self.call("NoteTake", take_id=take, note="Again.")),
            ]
        weights, what = zip(*verbs, strict=True)
        await self.chance.choices(what, weights)[0]()

    async def read(self) -> None:
        """A snapshot is whole, whatever goes on; and the service measures itself."""
        answer = await self.call("GetProduction", production_id=self.chance.choice(self.productions).id)
        made = answer.production
        assert made.cost.micros == sum(job.cost.micros for job in made.jobs)
        assert all(job.version <= made.version for job in made.jobs)
        await gauges.Gauges(self.jobs_database, self.clock).look()

    async def round(self) -> None:
        """Several at once, while somebody holds what they all need until they have read what they go by."""
        await self.carry()
        await self.look()
        acts: Sequence[Callable[[], Awaitable[None]]] = (self.person, self.hear, self.order_clips, self.buy, self.read)
        self.done, playing = [], []
        async with self._holding() as conn:
            for act in self.chance.choices(acts, (8, 4, 2, 3, 1), k=self.chance.randint(2, 7)):
                playing.append(asyncio.ensure_future(act()))
                await asyncio.sleep(self.chance.choice((0, 0, 0.005)))
            await _stand(conn, playing)
        await asyncio.gather(*playing)
        await self._check_picks()

    async def _check_picks(self) -> None:
        """A scene for which somebody has just picked is empty only if that very take was unpicked."""
        await self.look()
        picked, unpicked = ({id for verb, id in self.done if verb == f"{which}Take"} for which in ("Pick", "Unpick"))
        if "CreateProduction" in {verb for verb, _ in self.done}:
            return  # it picks too
        full = {take.scene_id for take in self.takes if take.picked}
        chosen = {take.scene_id for take in self.takes if take.id in picked}
        chosen -= {take.scene_id for take in self.takes if take.id in picked & unpicked}
        assert chosen <= full, f"a scene has lost its take to whoever unpicked another: {self.done}"

    @contextlib.asynccontextmanager
    async def _holding(self) -> AsyncIterator[Any]:
        """Nobody, or one who holds a production, or picks in the storyboard, or has heard news and not committed."""
        what = self.chance.choice(("nothing", "production", "production", "picks", "news", "news"))
        async with contextlib.AsyncExitStack() as stack:
            if what == "news" and self.news:
                conn = await stack.enter_async_context(self.replicas[0].hearing(*self.arrived(1)))
            else:
                conn = await stack.enter_async_context(self.jobs_database.house())
            if what == "production":
                await store.lock_production(conn, self.tenant, self.chance.choice(self.productions).id)
            if what == "picks":
                await takes.queue(conn, [self.board.id])
            yield conn


async def heard(ear: Any, batch: Sequence[Any]) -> None:
    """Each kind in a transaction of its own, as the bus brings them."""
    for kind in {type(event) for event in batch}:
        await ear.hear(*(event for event in batch if type(event) is kind))


async def _stand(conn: Any, playing: Sequence[asyncio.Future[None]]) -> None:
    """Return once each is done, or waits for a lock, or has had a while."""
    for _ in range(12):
        blocked = (await conn.execute(_BLOCKED)).scalar_one()
        if (blocked and sum(not one.done() for one in playing) <= blocked) or all(one.done() for one in playing):
            return
        await asyncio.sleep(0.01)
