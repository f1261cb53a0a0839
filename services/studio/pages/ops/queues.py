"""Queues: what waits and runs for each model, and holding one back."""

import asyncio

from starlette import requests

from rushes.job.v1 import job_service_pb2 as jobs
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway
from services.studio.pages import sections, site
from services.studio.pages.ops import frame
from services.studio.pages.settings import providers

_GROUPS = {
    "model": jobs.GetQueueStatsRequest.GROUP_BY_MODEL,
    "provider": jobs.GetQueueStatsRequest.GROUP_BY_PROVIDER,
    "tenant": jobs.GetQueueStatsRequest.GROUP_BY_TENANT,
}


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """The lines of the queue, by model unless `?by=` says otherwise, and what is held back."""
    by = request.query_params.get("by", "")
    by = by if by in _GROUPS else "model"
    stats, switches = await asyncio.gather(
        frame.asked(
            of, request, "jobs.GetQueueStats", jobs.GetQueueStatsRequest(group_by=_GROUPS[by], every_tenant=True)
        ),
        frame.tried(of, request, "gateway.ListSpendSwitches", gateway.ListSpendSwitchesRequest()),
    )
    stopped = switches.told.spend_switches if switches.told else []
    shown = {it.key for it in stats.told.lines} if by == "model" else set()
    return {
        "by": by,
        "groups": list(_GROUPS),
        "stats": stats,
        "paused": {it.target: it for it in stopped if it.target in shown},
        "switches": [it for it in stopped if it.target not in shown],
    }


SECTION = sections.Section(
    "/ops/queues",
    "ops/queues.html",
    frame.tab(read),
    acts={"throw": providers.throw, "release": providers.release},
    says={"stopped": "Paused: nothing more is bought from it by your tenant.", "released": "It goes on."},
)
