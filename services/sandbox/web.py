"""The HTTP application: both dialects on one port."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.sandbox import google, lab, openai


def app(films: lab.Lab) -> Starlette:
    """The application: `/healthz`, `/v1/videos`, `/v1/interactions` and the files of interactions."""
    return Starlette(routes=[*openai.routes(films), *google.routes(films), Route("/healthz", _healthz)])


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")
