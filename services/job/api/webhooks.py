"""WebhookService: endpoints of the tenant's own, and what was sent there."""

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import audit, auth, db, ids, paging, rpc
from rushes.job.v1 import webhook_pb2, webhook_service_pb2_grpc
from rushes.job.v1 import webhook_service_pb2 as pb
from services.job import domain, webhook_sender, webhook_store, webhook_wire, webhooks
from services.job.api import desk

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebhookApi(webhook_service_pb2_grpc.WebhookServiceServicer):
    """The verbs of webhook endpoints; every member of a tenant may use them."""

    database: db.Database
    sender: webhook_sender.Sender
    keys: webhooks.Keys
    clock: Callable[[], datetime]
    private: bool

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, context: desk.Context
    ) -> pb.CreateWebhookEndpointResponse:
        """The secret is made, not kept: a repeat is shown the same one."""
        tenant_id, now = auth.caller().tenant_id, self.clock()
        self.keys.check()
        webhook_wire.check_create(request, self.private)
        made = webhook_wire.new(request, (ids.new("whe"), tenant_id), self.keys.current, now)
        digest = webhook_wire.digest(request)
        async with self.database.tenant(tenant_id) as conn:
            before = await webhook_store.insert_once(conn, made, request.request_id, digest)
            if not before:
                await _note(conn, "webhook_endpoint_created", made)
        if before and before[1] != digest:
            raise domain.RequestIdReused(request_id=request.request_id)
        if before:
            rpc.replayed()
        found = before[0] if before else made
        if found.state is webhooks.EndpointState.DELETED:
            raise webhooks.WebhookEndpointNotFound(webhook_endpoint_id=found.id)
        is_new = found.secret_version == 1 and now < found.created_at + webhooks.SHOWN_FOR
        secret = webhooks.shown(self.keys.secret(found)) if is_new else ""
        return pb.CreateWebhookEndpointResponse(webhook_endpoint=webhook_wire.endpoint(found), secret=secret)

    async def GetWebhookEndpoint(
        self, request: pb.GetWebhookEndpointRequest, context: desk.Context
    ) -> pb.GetWebhookEndpointResponse:
        """Everything but the secret."""
        return pb.GetWebhookEndpointResponse(webhook_endpoint=await self._whole(request.webhook_endpoint_id))

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, context: desk.Context
    ) -> pb.ListWebhookEndpointsResponse:
        """Newest first."""
        page = paging.by_id(request.page_size, request.page_token, "webhook endpoints")
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await webhook_store.page(conn, tenant_id, page.below, page.most)
        shown, more = page.cut(found)
        return pb.ListWebhookEndpointsResponse(
            webhook_endpoints=map(webhook_wire.endpoint, shown), next_page_token=more
        )

    async def UpdateWebhookEndpoint(
        self, request: pb.UpdateWebhookEndpointRequest, context: desk.Context
    ) -> pb.UpdateWebhookEndpointResponse:
        """The named fields."""
        tenant_id, wanted = auth.caller().tenant_id, request.webhook_endpoint
        changes, state = webhook_wire.changes(request, self.private), webhook_wire.state(request)
        async with self.database.tenant(tenant_id) as conn:
            before = await webhook_store.get(conn, tenant_id, wanted.id, lock=True)
            if wanted.etag and wanted.etag != webhook_wire.etag(before):
                raise webhooks.WebhookEndpointStale(webhook_endpoint_id=before.id)
            after = dataclasses.replace(before, **changes)
            after = webhooks.switched(after, state) if state else after
            after = dataclasses.replace(after, version=before.version + 1, updated_at=self.clock())
            await webhook_store.save(conn, after)
            await _note(conn, "webhook_endpoint_updated", after)
        return pb.UpdateWebhookEndpointResponse(webhook_endpoint=await self._whole(after.id))

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, context: desk.Context
    ) -> pb.DeleteWebhookEndpointResponse:
        """What was sent is remembered for 30 days, where nobody can see it."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            await webhook_store.delete(conn, tenant_id, request.webhook_endpoint_id, self.clock())
            await audit.note(conn, tenant_id, "webhook_endpoint_deleted", request.webhook_endpoint_id)
        log.info("webhook_endpoint_deleted", extra={"endpoint_id": request.webhook_endpoint_id})
        return pb.DeleteWebhookEndpointResponse()

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: desk.Context
    ) -> pb.RotateWebhookSecretResponse:
        """The next version, and the old one signs too for a day."""
        tenant_id = auth.caller().tenant_id
        self.keys.check()
        async with self.database.tenant(tenant_id) as conn:
            before = await webhook_store.get(conn, tenant_id, request.webhook_endpoint_id, lock=True)
            after = webhooks.rotated(before, request.secret_version, self.keys.current, self.clock())
            await webhook_store.save(conn, after)
            await _note(conn, "webhook_secret_rotated", after, secret_version=after.secret_version)
        message = webhook_wire.endpoint(after)
        secret = webhooks.shown(self.keys.secret(after))
        return pb.RotateWebhookSecretResponse(webhook_endpoint=message, secret=secret)

    async def TestWebhookEndpoint(
        self, request: pb.TestWebhookEndpointRequest, context: desk.Context
    ) -> pb.TestWebhookEndpointResponse:
        """Sent from here, now."""
        made = await self.sender.test(await self._endpoint(request.webhook_endpoint_id))
        return pb.TestWebhookEndpointResponse(webhook_delivery=await self._delivery(made.id))

    async def GetWebhookDelivery(
        self, request: pb.GetWebhookDeliveryRequest, context: desk.Context
    ) -> pb.GetWebhookDeliveryResponse:
        """With its log."""
        return pb.GetWebhookDeliveryResponse(webhook_delivery=await self._delivery(request.webhook_delivery_id))

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: desk.Context
    ) -> pb.ListWebhookDeliveriesResponse:
        """Newest first."""
        bound = f"webhook deliveries {request.webhook_endpoint_id} {request.state}"
        page = paging.by_id(request.page_size, request.page_token, bound)
        endpoint = await self._endpoint(request.webhook_endpoint_id)
        name = webhook_pb2.WebhookDelivery.State.Name(request.state).removeprefix("STATE_")
        state = webhooks.DeliveryState(name) if request.state else None
        async with self.database.tenant(endpoint.tenant_id) as conn:
            found = await webhook_store.page_of(conn, endpoint.id, state, page.below, page.most)
        shown, more = page.cut(found)
        return pb.ListWebhookDeliveriesResponse(
            webhook_deliveries=map(webhook_wire.delivery, shown), next_page_token=more
        )

    async def ReplayWebhookDeliveries(
        self, request: pb.ReplayWebhookDeliveriesRequest, context: desk.Context
    ) -> pb.ReplayWebhookDeliveriesResponse:
        """One, or all of a time."""
        which = webhook_wire.replay(request)
        endpoint = await self._endpoint(request.webhook_endpoint_id)
        async with self.database.tenant(endpoint.tenant_id) as conn:
            count = await webhook_store.replay(conn, endpoint.id, which, self.clock())
        self.sender.due.set()
        log.info("webhooks_replayed", extra={"endpoint_id": endpoint.id, "deliveries": count})
        return pb.ReplayWebhookDeliveriesResponse(deliveries=count)

    async def _endpoint(self, endpoint_id: str) -> webhooks.Endpoint:
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            return await webhook_store.get(conn, tenant_id, endpoint_id)

    async def _whole(self, endpoint_id: str) -> webhook_pb2.WebhookEndpoint:
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await webhook_store.get(conn, tenant_id, endpoint_id)
            return webhook_wire.endpoint(found, await webhook_store.pending(conn, found.id))

    async def _delivery(self, delivery_id: str) -> webhook_pb2.WebhookDelivery:
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await webhook_store.get_delivery(conn, tenant_id, delivery_id)
            return webhook_wire.delivery(found, await webhook_store.attempts(conn, found.id))


async def _note(conn: AsyncConnection, action: str, endpoint: webhooks.Endpoint, **facts: int) -> None:
    log.info(action, extra={"endpoint_id": endpoint.id, "subject": auth.caller().subject})
    await audit.note(conn, endpoint.tenant_id, action, endpoint.id, **facts)
