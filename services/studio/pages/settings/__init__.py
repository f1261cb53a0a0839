"""The owner's pages: keys of providers, budgets, webhooks, tokens, and how the studio behaves for whoever looks."""

import fastapi
from starlette import requests, responses

from services.studio.pages import sections, site
from services.studio.pages.settings import budgets, providers, tokens, webhooks


def routes(of: site.Site) -> fastapi.APIRouter:
    """/settings and what is below it."""
    router = fastapi.APIRouter()

    @router.get("/settings")
    async def first() -> responses.RedirectResponse:
        return responses.RedirectResponse("/settings/providers", 303)

    for section in (providers.SECTION, budgets.SECTION, webhooks.SECTION, tokens.SECTION, *_OF_THE_BROWSER):
        section.attach(router, of)
    return router


async def _nothing(of: site.Site, request: requests.Request) -> sections.Told:
    return {}


_OF_THE_BROWSER = [
    sections.Section(f"/settings/{name}", f"settings/{name}.html", _nothing) for name in ("account", "shortcuts")
]
