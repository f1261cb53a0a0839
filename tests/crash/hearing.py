"""A receiver of webhooks that hears a round, over real HTTP: what never came, and what came as something else."""

import contextlib
import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from libs import rpc
from rushes.job.v1 import webhook_pb2, webhook_service_pb2_grpc
from rushes.job.v1 import webhook_service_pb2 as pb
from tests.crash import rig as rigs
from tests.integration.job import hooks

_AT_ONCE = 4
_EXPIRE = """
    UPDATE webhook_deliveries SET leased_until = now()
    WHERE leased_until BETWEEN now() AND now() + make_interval(secs => 60 - $1)"""
"""A lease lasts a minute: whoever has held one for that long is gone, or stands still."""
_STATES = """
    SELECT DISTINCT 'job.' || lower(l.state), l.job_id, l.version FROM job_log l JOIN jobs j ON j.id = l.job_id
    WHERE j.production_id = ANY($1) AND l.state <> l.state_before
    UNION SELECT 'job.' || lower(coalesce((
        SELECT l.state_before FROM job_log l WHERE l.job_id = j.id ORDER BY l.id LIMIT 1), j.state)), j.id, 0
    FROM jobs j WHERE j.production_id = ANY($1)
    UNION SELECT 'production.' || lower(state), id, 0 FROM productions WHERE id = ANY($1)"""
"""Each change of a job with its version; 0 where it is not on record: what a job began as, and a production became."""


class Hearing:
    """What one endpoint of the tenant, which wants everything, has heard."""

    def __init__(self, rig: rigs.Rig, receiver: hooks.Receiver, secret: str) -> None:
        self._rig, self._receiver, self._secret = rig, receiver, secret

    async def pass_by(self) -> None:
        """A moment in which the minute of a dead sender passes."""
        await self._rig.rows("job", _EXPIRE, rigs.LEASE_S)

    async def wrong(self, production_ids: Sequence[str]) -> tuple[str, ...]:
        """Every state of their jobs, and their own last ones, that were not told; and what was told wrongly."""
        told, found = self._told(), list(self._otherwise())
        for kind, one, version in await self._rig.rows("job", _STATES, list(production_ids)):
            if (kind, one, version) not in told:
                found.append(f"never told: {kind} {one} {version}")
        return tuple(found)

    def _told(self) -> set[tuple[str, str, int]]:
        events = self._receiver.events()
        versions = {(event["type"], _whose(event), event["data"]["version"]) for event in events}
        return versions | {(event["type"], _whose(event), 0) for event in events}

    def _otherwise(self) -> Iterator[str]:
        """One event comes under one id alone, one id with one body alone, and nothing comes unsigned."""
        bodies, ids = defaultdict[str, set[bytes]](set), defaultdict[tuple[str, str, int], set[str]](set)
        for _, headers, body in self._receiver.requests:
            event, name = json.loads(body), headers["webhook-id"]
            bodies[name].add(body)
            ids[event["type"], _whose(event), event["data"]["version"]].add(name)
            if not hooks.is_signed(headers, body, self._secret):
                yield f"not signed: {name}"
        yield from (f"told in {len(some)} ways: {name}" for name, some in bodies.items() if len(some) > 1)
        yield from (f"told under {len(some)} ids: {event}" for event, some in ids.items() if len(some) > 1)


@contextlib.asynccontextmanager
async def hearing(rig: rigs.Rig) -> AsyncIterator[Hearing]:
    """Hear everything meanwhile; the endpoint is gone afterwards."""
    wanted = webhook_pb2.WebhookEndpoint(concurrency=_AT_ONCE)
    async with hooks.receiving() as receiver, rpc.connect(rig.of.address("job")) as channel:
        stub, wanted.url = webhook_service_pb2_grpc.WebhookServiceStub(channel), receiver.address
        request = pb.CreateWebhookEndpointRequest(request_id=str(uuid.uuid4()), webhook_endpoint=wanted)
        made = await rig.call(stub.CreateWebhookEndpoint, request)
        try:
            yield Hearing(rig, receiver, made.secret)
        finally:
            gone = pb.DeleteWebhookEndpointRequest(webhook_endpoint_id=made.webhook_endpoint.id)
            await rig.call(stub.DeleteWebhookEndpoint, gone)


def _whose(event: dict[str, Any]) -> str:
    """The id of what has a new state."""
    whose: str = event["data"].get("job_id") or event["data"]["production_id"]
    return whose
