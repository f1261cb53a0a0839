"""The studio's application: REST for programs, pages for people, and what both tell the browser to trust."""

from collections.abc import Callable, Mapping
from datetime import datetime

import grpc.aio
from starlette import types

from libs import blobs
from services.studio import assets, door, session
from services.studio.pages import app as pages
from services.studio.pages import site as sites
from services.studio.rest import app as rest
from services.studio.rest import calls

_PROGRAMS = ("/v1/", "/api/")
# Signed addresses of media are made to be given away; nothing else of ours is shown inside of another's page.
_GIVEN_AWAY = "/media/"
_SECRET = "/s/"
_NEEDED_BY_NO_PAGE = "camera=(), geolocation=(), microphone=(), midi=(), payment=(), usb=()"


def build(
    channels: Mapping[str, grpc.aio.Channel],
    store: blobs.Blobs,
    clock: Callable[[], datetime],
    by: door.Door = door.ANYWHERE,
) -> types.ASGIApp:
    """The application; `channels` are the services behind, by name."""
    services = calls.Services(channels, store, clock)
    site = sites.Site(services, assets.Assets(), by)
    return _Doors(rest.App(services), pages.build(site), site.media_origin(), by)


class _Doors:
    """Programs to REST, people to the pages; every answer tells the browser to trust nothing else."""

    def __init__(self, programs: types.ASGIApp, people: types.ASGIApp, media_origin: str, by: door.Door) -> None:
        self._programs, self._people, self._by = programs, people, by
        self._headers = [
            (b"content-security-policy", _policy(media_origin).encode()),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"permissions-policy", _NEEDED_BY_NO_PAGE.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        shown_by = b"cross-origin" if scope["path"].startswith(_GIVEN_AWAY) else b"same-origin"
        # With `no-referrer`, browsers say `Origin: null` of our own forms, and nobody could tell them from others'; but
        # the address of a link is its secret.
        told_to = b"no-referrer" if scope["path"].startswith(_SECRET) else b"same-origin"

        async def guarded(message: types.Message) -> None:
            if message["type"] == "http.response.start":
                own = [(b"cross-origin-resource-policy", shown_by), (b"referrer-policy", told_to)]
                message["headers"] = [*message.get("headers", ()), *self._headers, *own]
            await send(message)

        inside = self._programs if f"{scope['path']}/".startswith(_PROGRAMS) else self._people
        await inside(session.admit(scope, self._by), receive, guarded)


def _policy(media_origin: str) -> str:
    """Nothing from elsewhere and nothing inline; pictures and films besides from where they are kept."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
        f"img-src 'self' data: {media_origin}; media-src 'self' {media_origin}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
