"""The operator's pages: what waits, what nobody could handle, money at stake, providers, services, and the audit."""

import fastapi
from starlette import responses

from services.studio.pages import site
from services.studio.pages.ops import audit, letters, money, providers, queues, services, webhooks


def routes(of: site.Site) -> fastapi.APIRouter:
    """/ops and what is below it."""
    router = fastapi.APIRouter()

    @router.get("/ops")
    async def first() -> responses.RedirectResponse:
        return responses.RedirectResponse("/ops/queues", 303)

    for tab in (queues, letters, money, providers, services, webhooks, audit):
        tab.SECTION.attach(router, of)
    return router
