"""Webhooks: which addresses are told, which of them answer, and what waits for those that do not."""

import asyncio

from starlette import requests

from rushes.job.v1 import webhook_service_pb2 as pb
from services.studio.pages import sections, site
from services.studio.pages.ops import frame

_MOST = 20


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """The newest endpoints of the caller's tenant, each with what it has still to be told."""
    found = await frame.asked(
        of, request, "webhooks.ListWebhookEndpoints", pb.ListWebhookEndpointsRequest(page_size=_MOST)
    )
    asked = (pb.GetWebhookEndpointRequest(webhook_endpoint_id=one.id) for one in found.told.webhook_endpoints)
    counted = await asyncio.gather(*(of.ask(request, "webhooks.GetWebhookEndpoint", it) for it in asked))
    return {"line": found.line, "endpoints": [it.webhook_endpoint for it in counted]}


SECTION = sections.Section("/ops/webhooks", "ops/webhooks.html", frame.tab(read))
