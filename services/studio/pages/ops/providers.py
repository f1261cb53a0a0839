"""Providers as traffic sees them: breakers, what is under way, what waits to be rescued; and stopping to buy."""

import asyncio

from starlette import requests

from rushes.job.v1 import job_service_pb2 as jobs
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from services.studio.pages import sections, site
from services.studio.pages.ops import frame
from services.studio.pages.settings import providers


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """The endpoints that have a key here, those that have none, the switches that are thrown, and the last hour."""
    by_provider = jobs.GetQueueStatsRequest(group_by=jobs.GetQueueStatsRequest.GROUP_BY_PROVIDER, every_tenant=True)
    found, switches, speed = await asyncio.gather(
        frame.asked(of, request, "gateway.ListEndpoints", pb.ListEndpointsRequest()),
        frame.asked(of, request, "gateway.ListSpendSwitches", pb.ListSpendSwitchesRequest()),
        frame.tried(of, request, "jobs.GetQueueStats", by_provider),
    )
    return {
        "line": found.line,
        "used": [it for it in found.told.endpoints if it.accounts],
        "unused": [it.name for it in found.told.endpoints if not it.accounts],
        "switches": switches,
        "speed": speed,
    }


SECTION = sections.Section(
    "/ops/providers",
    "ops/providers.html",
    frame.tab(read),
    acts={"throw": providers.throw, "release": providers.release},
    says={
        "stopped": "Stopped: nothing more is bought there. What is paid is finished and kept.",
        "released": "Buying goes on; what waited is tried again.",
    },
)
