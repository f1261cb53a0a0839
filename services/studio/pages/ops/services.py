"""Services: how each process does, what it was told, what it logs."""

import asyncio
import datetime
from typing import Any

from google.protobuf import duration_pb2
from starlette import requests

from rushes.ops.v1 import ops_service_pb2 as pb
from services.studio.pages import forms, sections, site
from services.studio.pages.ops import frame

_LOUD_S = 600
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
BACK = {600: "ten minutes", 3600: "hour", 86400: "day", 604800: "7 days, all that is kept"}
"""From how many seconds ago events can be said again."""


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """What does not go on anywhere, and the settings of the service that `?settings=` names."""
    chosen = request.query_params.get("settings", "")
    chosen = chosen if chosen in frame.PROCESSES else ""
    *stuck, settings = await asyncio.gather(
        *(frame.tried(of, request, f"ops@{name}.ListStuck", pb.ListStuckRequest()) for name in frame.PROCESSES),
        _settings(of, request, chosen),
    )
    return {
        "stuck": dict(zip(frame.PROCESSES, stuck, strict=True)),
        "chosen": chosen,
        "settings": settings,
        "levels": LEVELS,
        "back": BACK,
        "line": "",
    }


async def _settings(of: site.Site, request: requests.Request, name: str) -> Any:
    return await frame.asked(of, request, f"ops@{name}.DumpConfig", pb.DumpConfigRequest()) if name else None


async def _log(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.SetLogLevelRequest(level=forms.text(form, "level"), lifetime=duration_pb2.Duration(seconds=_LOUD_S))
    await of.ask(request, f"ops@{_service(form)}.SetLogLevel", asked)
    return "level"


async def _replay(of: site.Site, request: requests.Request, form: forms.Form) -> sections.Told:
    name = _service(form)
    asked = pb.ReplayOutboxRequest()
    asked.from_time.FromDatetime(of.services.clock() - datetime.timedelta(seconds=forms.whole(form, "seconds")))
    answer = await frame.asked(of, request, f"ops@{name}.ReplayOutbox", asked)
    events = f"{answer.told.events} event{'s' * (answer.told.events != 1)}"
    return {
        "did": f"{name} says {events} again; who has handled one before does nothing about it.",
        "line": answer.line,
    }


def _service(form: forms.Form) -> str:
    told = forms.text(form, "service")
    return told if told in frame.PROCESSES else frame.PROCESSES[0]


SECTION = sections.Section(
    "/ops/services",
    "ops/services.html",
    frame.tab(read),
    acts={"log": _log, "replay": _replay},
    says={"level": "That process logs so for ten minutes."},
)
