"""The audit: what was decided about money, keys and access, and the proof that none of it was changed since."""

import asyncio
from typing import Any

from starlette import requests

from rushes.ops.v1 import audit_service_pb2 as pb
from services.studio.pages import sections, site
from services.studio.pages.ops import frame


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """The entries of the service that `?service=` names, of `?target=` alone; and with `?verify=1`, every verdict."""
    asked = request.query_params
    service = asked.get("service", "")
    service = service if service in frame.PROCESSES else "provider_gateway"
    page = pb.ListAuditEntriesRequest(target=asked.get("target", ""), page_token=asked.get("page_token", ""))
    entries, verdicts = await asyncio.gather(
        frame.asked(of, request, f"audit@{service}.ListAuditEntries", page),
        _verdicts(of, request, bool(asked.get("verify"))),
    )
    return {
        "service": service,
        "services": frame.PROCESSES,
        "target": page.target,
        "entries": entries,
        "verdicts": verdicts,
    }


async def _verdicts(of: site.Site, request: requests.Request, wanted: bool) -> dict[str, Any]:
    if not wanted:
        return {}
    found = await asyncio.gather(
        *(frame.tried(of, request, f"audit@{name}.VerifyAudit", pb.VerifyAuditRequest()) for name in frame.PROCESSES)
    )
    return dict(zip(frame.PROCESSES, found, strict=True))


SECTION = sections.Section("/ops/audit", "ops/audit.html", frame.tab(read))
