"""The account of whoever looks: where they are signed in, and how the studio behaves in this browser."""

from typing import Any

from starlette import requests

from rushes.access.v1 import session_service_pb2 as pb
from services.studio.pages import forms, sections, site

_SHOWN = 200


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """Everything on the page."""
    return {"sessions": await _mine(of, request)}


async def _mine(of: site.Site, request: requests.Request) -> Any:
    """This one first."""
    found = await of.ask(request, "sessions.ListSessions", pb.ListSessionsRequest(mine=True, page_size=_SHOWN))
    return sorted(found.sessions, key=lambda it: (not it.current, -it.last_seen_time.seconds))


async def _end(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    if session_id := forms.text(form, "id"):  # without one, it would be that of whoever asks
        await of.ask(request, "sessions.EndSession", pb.EndSessionRequest(session_id=session_id))
    return "ended"


async def _end_others(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    for one in await _mine(of, request):
        if not one.current:
            await of.ask(request, "sessions.EndSession", pb.EndSessionRequest(session_id=one.id))
    return "all"


SECTION = sections.Section(
    "/settings/account",
    "settings/account.html",
    read,
    acts={"end": _end, "end_others": _end_others},
    says={
        "ended": "Ended: that browser has to sign in again, within 30 seconds.",
        "all": "Ended: every other browser has to sign in again, within 30 seconds.",
    },
)
