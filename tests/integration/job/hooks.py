"""A receiver of webhooks over real HTTP, and the job service that sends them."""

import asyncio
import base64
import contextlib
import datetime
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from google.protobuf import field_mask_pb2

from libs import rpc
from rushes.job.v1 import webhook_pb2, webhook_service_pb2, webhook_service_pb2_grpc
from services.job import webhook_sender, webhook_store, webhooks
from services.job.api import webhooks as webhook_api

KEYS = webhooks.Keys({"one": "k" * 32, "two": "l" * 32}, "one")


class Receiver:
    """Keeps what comes to each path, and answers `statuses[path]`, or waits for `gate` when it has one."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: dict[str, int] = {}
        self.gate: dict[str, asyncio.Event] = {}
        self.most: dict[str, int] = {}
        self._busy: dict[str, int] = {}
        self.address = ""

    async def hear(self, request: web.Request) -> web.Response:
        body, path = await request.read(), request.path
        self.requests.append((path, dict(request.headers), body))
        self._busy[path] = self._busy.get(path, 0) + 1
        self.most[path] = max(self.most.get(path, 0), self._busy[path])
        try:
            if path in self.gate:
                await self.gate[path].wait()
        finally:
            self._busy[path] -= 1
        status = self.statuses.get(path, 204)
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else {})

    def ids(self, path: str = "/") -> list[str]:
        return [headers["webhook-id"] for at, headers, _ in self.requests if at == path]

    def events(self, path: str = "/") -> list[dict[str, Any]]:
        return [json.loads(body) for at, _, body in self.requests if at == path]


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """As the specification tells receivers to verify, by none of our code."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    told = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(mark, wanted) for version, mark in told)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver, app = Receiver(), web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.hear)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        for gate in receiver.gate.values():
            gate.set()
        await runner.cleanup()


class Hooks:
    """WebhookService behind its door, and its sender, which a test turns by hand."""

    crew: Any

    def __init__(self, database: Any, clock: Any, post: webhook_sender.Post) -> None:
        self.database, self.clock, self.post = database, clock, post
        self.sender = self.another()
        self.api = webhook_api.WebhookApi(database, self.sender, KEYS, clock, post.allows_private)

    def another(self) -> webhook_sender.Sender:
        """A sender as another replica has it."""
        return webhook_sender.Sender(self.database, self.post, KEYS, self.clock, lambda: 0.0)

    def servicer(self) -> rpc.Servicer:
        add = webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server
        return rpc.Servicer(add, self.api, "rushes.job.v1.WebhookService")

    async def __call__(self, verb: str, tenant: str = "acme", **fields: Any) -> Any:
        request = getattr(webhook_service_pb2, f"{verb}Request")(**fields)
        stub = webhook_service_pb2_grpc.WebhookServiceStub(self.crew.door.channel)
        return await getattr(stub, verb)(request, metadata=self.crew.issuer.bearer(tenant), timeout=15)

    async def create(self, url: str, tenant: str = "acme", request_id: str = "", **more: Any) -> Any:
        wanted = webhook_pb2.WebhookEndpoint(url=url, **more)
        request_id = request_id or str(uuid.uuid4())
        return await self("CreateWebhookEndpoint", tenant, request_id=request_id, webhook_endpoint=wanted)

    async def update(self, endpoint: Any, *paths: str, **fields: Any) -> Any:
        wanted = webhook_pb2.WebhookEndpoint(id=endpoint.id, etag=endpoint.etag, **fields)
        mask = field_mask_pb2.FieldMask(paths=paths)
        return (await self("UpdateWebhookEndpoint", webhook_endpoint=wanted, update_mask=mask)).webhook_endpoint

    async def endpoint(self, endpoint_id: str) -> Any:
        return (await self("GetWebhookEndpoint", webhook_endpoint_id=endpoint_id)).webhook_endpoint

    async def turn(self, sender: webhook_sender.Sender | None = None, times: int = 1) -> int:
        """Claim and see it through; how many were sent."""
        sender, sent = sender or self.sender, 0
        for _ in range(times):
            sent += await sender.claim()
            await sender.settle()
        return sent

    async def say(self, endpoint_id: str, count: int, tenant: str = "acme") -> list[str]:
        """Deliveries of no meaning, as the triggers write them; their ids in order."""
        query = sa.text("""
            INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, type, data, state, due_at, created_at)
            SELECT webhook_delivery_id(), :tenant, :endpoint, 'job.running', jsonb_build_object('n', n), 'PENDING',
              CAST(:now AS timestamptz), CAST(:now AS timestamptz) FROM generate_series(1, :count) n RETURNING id""")
        values = {"tenant": tenant, "endpoint": endpoint_id, "now": self.clock(), "count": count}
        async with self.database.house() as conn:
            return list((await conn.execute(query, values)).scalars())

    async def deliveries(self, endpoint_id: str) -> list[webhooks.Delivery]:
        """Oldest first."""
        async with self.database.house() as conn:
            found = await webhook_store.page_of(conn, endpoint_id, None, None, 10_000)
        return found[::-1]

    def later(self, **by: float) -> None:
        self.clock.now += datetime.timedelta(**by)
