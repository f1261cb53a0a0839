"""Webhooks: addresses of one's own that are told what happens, and what came of telling them."""

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

from starlette import requests

from rushes.job.v1 import job_pb2, webhook_pb2
from rushes.job.v1 import webhook_service_pb2 as pb
from services.studio.pages import forms, sections, site

_SHOWN = 50
_UPDATE = ("webhooks.UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest, "webhook_endpoint")


def _types(kind: str, states: Iterable[str]) -> list[str]:
    return [f"{kind}.*", *(f"{kind}.{it.removeprefix('STATE_').lower()}" for it in states if it != "STATE_UNSPECIFIED")]


EVENTS = _types("production", job_pb2.Production.State.keys()) + _types("job", job_pb2.Job.State.keys())
"""What can be asked for."""


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """Everything on the page; `?endpoint=` and `?delivery=` say what is looked at."""
    chosen, delivery_id = (request.query_params.get(name, "") for name in ("endpoint", "delivery"))
    told: Any = await of.ask(request, "webhooks.ListWebhookEndpoints", pb.ListWebhookEndpointsRequest(page_size=_SHOWN))
    chosen = chosen if any(chosen == one.id for one in told.webhook_endpoints) else ""  # it may just have been removed
    deliveries, delivery = await asyncio.gather(_deliveries(of, request, chosen), _delivery(of, request, delivery_id))
    return {
        "request_id": str(uuid.uuid4()),
        "endpoints": told.webhook_endpoints,
        "events": EVENTS,
        "chosen": chosen,
        "deliveries": deliveries,
        "delivery": delivery,
        "shown": None,
    }


async def _deliveries(of: site.Site, request: requests.Request, endpoint_id: str) -> Any:
    if not endpoint_id:
        return []
    asked = pb.ListWebhookDeliveriesRequest(webhook_endpoint_id=endpoint_id, page_size=_SHOWN)
    return (await of.ask(request, "webhooks.ListWebhookDeliveries", asked)).webhook_deliveries


async def _delivery(of: site.Site, request: requests.Request, delivery_id: str) -> Any:
    if not delivery_id:
        return None
    asked = pb.GetWebhookDeliveryRequest(webhook_delivery_id=delivery_id)
    return (await of.ask(request, "webhooks.GetWebhookDelivery", asked)).webhook_delivery


async def _add(of: site.Site, request: requests.Request, form: forms.Form) -> sections.Told:
    endpoint = webhook_pb2.WebhookEndpoint(
        url=forms.text(form, "url"),
        description=forms.text(form, "description"),
        event_types=[it for it in form.getlist("events") if isinstance(it, str)],
    )
    asked = pb.CreateWebhookEndpointRequest(request_id=forms.request_id(form), webhook_endpoint=endpoint)
    made = await of.ask(request, "webhooks.CreateWebhookEndpoint", asked)
    return {"shown": made.secret, "did": "The endpoint is there." if made.secret else "It was there already."}


async def _rotate(of: site.Site, request: requests.Request, form: forms.Form) -> sections.Told:
    asked = pb.RotateWebhookSecretRequest(
        webhook_endpoint_id=forms.text(form, "id"), secret_version=forms.whole(form, "version")
    )
    made = await of.ask(request, "webhooks.RotateWebhookSecret", asked)
    return {"shown": made.secret, "did": "The secret is new; for 24 hours everything is signed with both."}


async def _test(of: site.Site, request: requests.Request, form: forms.Form) -> sections.Told:
    asked = pb.TestWebhookEndpointRequest(webhook_endpoint_id=forms.text(form, "id"))
    return {"delivery": (await of.ask(request, "webhooks.TestWebhookEndpoint", asked)).webhook_delivery}


async def _replay(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.ReplayWebhookDeliveriesRequest(
        webhook_endpoint_id=forms.text(form, "id"), webhook_delivery_id=forms.text(form, "delivery")
    )
    await of.ask(request, "webhooks.ReplayWebhookDeliveries", asked)
    return "replayed"


SECTION = sections.Section(
    "/settings/webhooks",
    "settings/webhooks.html",
    read,
    acts={
        "add": _add,
        "rotate": _rotate,
        "test": _test,
        "pause": sections.turning(*_UPDATE, webhook_pb2.WebhookEndpoint.STATE_PAUSED, "paused"),
        "enable": sections.turning(*_UPDATE, webhook_pb2.WebhookEndpoint.STATE_ENABLED, "enabled"),
        "remove": sections.naming(
            "webhooks.DeleteWebhookEndpoint", pb.DeleteWebhookEndpointRequest, "webhook_endpoint_id", "removed"
        ),
        "replay": _replay,
    },
    says={
        "paused": "Paused: what happens is kept for 30 days.",
        "enabled": "Enabled: what was kept is sent now.",
        "removed": "Nothing is sent there any more.",
        "replayed": "It is sent again, under its own id.",
    },
)
