"""What every page is made with: the services, asked as whoever looks, the templates, and addresses of media."""

import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Any

import jinja2
from google.protobuf import message
from starlette import requests, responses

from services.studio import assets, door
from services.studio.pages import people, said, ways, words
from services.studio.rest import calls

_TEMPLATES = pathlib.Path(__file__).parents[1] / "templates"
_MEDIA_S = 3600


class Site:
    """One for the process; holds nothing of anybody who looks."""

    def __init__(self, services: calls.Services, files: assets.Assets, by: door.Door = door.ANYWHERE) -> None:
        self.services, self.files, self.by = services, files, by
        loader = jinja2.FileSystemLoader(_TEMPLATES)
        self._pages = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._pages.filters |= words.FILTERS
        self._pages.globals |= {"asset": files.url, "states": words.STATES, "media": self.media, "quote": ways.quote}

    async def ask(self, request: requests.Request, call: str, asked: message.Message) -> Any:
        """The answer of a call such as "jobs.GetJob", as the person who looks. Raises AioRpcError."""
        return await self.services.ask(call, request, asked)

    def render(self, template: str, told: Mapping[str, Any]) -> str:
        """A template as text: for partials that are streamed, and for fragments."""
        return self._pages.get_template(template).render(told)

    def show(
        self, request: requests.Request, template: str, told: Mapping[str, Any], status: int = 200
    ) -> responses.Response:
        """A page, or a fragment of one. `told` is for the template; `path`, `person` and `said` it always knows."""
        signed_in, person = "authorization" in request.headers, people.looking(request.scope)
        left = None if wants_fragment(request) else said.found(request)
        known = {"path": request.url.path, "signed_in": signed_in, "person": person, "said": left}
        page = self.render(template, {**known, **told})
        response = responses.HTMLResponse(page, status, {"cache-control": "no-store"})
        if left:
            said.forget(response)
        return response

    def media(self, key: str, name: str | None = None) -> str:
        """The address of a file for an hour; with a name, to be saved under it. Empty for no key."""
        return self.services.store.sign(key, _MEDIA_S, name, self.services.clock()) if key else ""

    def media_origin(self) -> str:
        """Where media are served from, as a policy of content names it."""
        told = urllib.parse.urlsplit(self.media("t/x/x"))
        return f"{told.scheme}://{told.netloc}"


def wants_fragment(request: requests.Request) -> bool:
    """Whether htmx asks for a part of a page, rather than a person for the whole."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-request-type") != "full"


def page(request: requests.Request) -> urllib.parse.SplitResult:
    """The address of the page that asks for a part of itself; empty when none does."""
    return urllib.parse.urlsplit(request.headers.get("hx-current-url", ""))
