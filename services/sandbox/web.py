"""The HTTP application: every dialect on one port."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.sandbox import (
    chat,
    content,
    domain,
    fal,
    google,
    lab,
    openai,
    openrouter,
    replicate,
    runware,
    veo,
    webhooks,
)

WEBHOOKS: Mapping[domain.Dialect, webhooks.Write] = {
    "openai": openai.webhook,
    "google": google.webhook,
    "fal": fal.webhook,
    "openrouter": openrouter.webhook,
    "runware": runware.webhook,
    "replicate": replicate.webhook,
}


def app(films: lab.Lab) -> Starlette:
    """The application: `/healthz`, the clips at addresses without a key, and the routes of each dialect."""
    routes = [
        Route("/healthz", _healthz),
        *openai.routes(films),
        *google.routes(films),
        *veo.routes(films),
        *fal.routes(films),
        *openrouter.routes(films),
        *runware.routes(films),
        *replicate.routes(films),
        *chat.routes(films),
        *content.routes(films),
    ]
    return Starlette(routes=routes)


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")
