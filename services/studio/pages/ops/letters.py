"""Dead letters: events that a service has given up on, and having them handled again or never."""

import asyncio

from starlette import requests

from rushes.ops.v1 import dead_letter_service_pb2 as pb
from services.studio.pages import forms, sections, site
from services.studio.pages.ops import frame

_HEARERS = ("job", "provider_gateway", "compiler")
_STATES = {
    "dead": pb.DeadLetter.STATE_DEAD,
    "handled": pb.DeadLetter.STATE_HANDLED,
    "discarded": pb.DeadLetter.STATE_DISCARDED,
}


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """The letters of every service in the state that `?state=` names."""
    state = request.query_params.get("state", "")
    state = state if state in _STATES else "dead"
    asked = pb.ListDeadLettersRequest(state=_STATES[state])
    answers = await asyncio.gather(
        *(frame.tried(of, request, f"letters@{name}.ListDeadLetters", asked) for name in _HEARERS)
    )
    return {"state": state, "states": list(_STATES), "answers": dict(zip(_HEARERS, answers, strict=True))}


async def _retry(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.RetryDeadLetterRequest(event_id=forms.text(form, "id"))
    answer = await of.ask(request, f"letters@{_service(form)}.RetryDeadLetter", asked)
    return "handled" if answer.dead_letter.state == pb.DeadLetter.STATE_HANDLED else "dead"


async def _discard(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.DiscardDeadLetterRequest(event_id=forms.text(form, "id"), note=forms.text(form, "note"))
    await of.ask(request, f"letters@{_service(form)}.DiscardDeadLetter", asked)
    return "discarded"


def _service(form: forms.Form) -> str:
    told = forms.text(form, "service")
    return told if told in _HEARERS else _HEARERS[0]


SECTION = sections.Section(
    "/ops/dead-letters",
    "ops/letters.html",
    frame.tab(read),
    acts={"retry": _retry, "discard": _discard},
    says={
        "handled": "Handled.",
        "dead": "It could not be handled this time either; the reason is fresh.",
        "discarded": "Discarded: it never counts, even if it comes again.",
    },
)
