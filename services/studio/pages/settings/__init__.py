"""The owner's pages: keys of providers, budgets, webhooks, tokens, people, and the account of whoever looks."""

import fastapi
from starlette import requests, responses

from services.studio.pages import sections, site
from services.studio.pages.settings import account, budgets, people, providers, tokens, webhooks


def routes(of: site.Site) -> fastapi.APIRouter:
    """/settings and what is below it."""
    router = fastapi.APIRouter()

    @router.get("/settings")
    async def first() -> responses.RedirectResponse:
        return responses.RedirectResponse("/settings/providers", 303)

    for room in (providers, budgets, webhooks, tokens, people, account):
        room.SECTION.attach(router, of)
    _SHORTCUTS.attach(router, of)
    people.attach_undo(router, of)
    return router


async def _nothing(of: site.Site, request: requests.Request) -> sections.Told:
    return {}


_SHORTCUTS = sections.Section("/settings/shortcuts", "settings/shortcuts.html", _nothing)
