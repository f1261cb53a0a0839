"""Money at stake: paid calls whose outcome nobody knows, what is known of them, and a person's word."""

import asyncio
from typing import Any

from starlette import requests

from rushes.ops.v1 import ops_service_pb2 as ops
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from rushes.provider_gateway.v1 import submission_pb2
from rushes.type.v1 import money_pb2
from services.studio.pages import forms, sections, site
from services.studio.pages.ops import frame

_MOST = 200
_OPEN = (submission_pb2.Submission.STATE_UNKNOWN, submission_pb2.Submission.STATE_UNRESOLVED)


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """Every open question of the caller's tenant, what does not go on anywhere, and the evidence of `?submission=`."""
    chosen = request.query_params.get("submission", "")
    *lists, balances, stuck, evidence = await asyncio.gather(
        *(
            frame.asked(of, request, "gateway.ListSubmissions", pb.ListSubmissionsRequest(state=it, page_size=_MOST))
            for it in _OPEN
        ),
        of.ask(request, "gateway.ListBalances", pb.ListBalancesRequest()),
        frame.asked(of, request, "ops@provider_gateway.ListStuck", ops.ListStuckRequest(page_size=_MOST)),
        _evidence(of, request, chosen),
    )
    return {
        "questions": [it for one in lists for it in one.told.submissions],
        "lines": [it.line for it in lists],
        "balances": [it for it in balances.balances if it.unknown.micros or it.suspense.micros],
        "stuck": stuck,
        "chosen": chosen,
        "evidence": evidence,
    }


async def _evidence(of: site.Site, request: requests.Request, submission_id: str) -> Any:
    if not submission_id:
        return None
    return await frame.asked(of, request, "gateway.ListEvidence", pb.ListEvidenceRequest(submission_id=submission_id))


async def _check(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.ReconcileSubmissionRequest(
        submission_id=forms.text(form, "id"),
        provider_job_id=forms.text(form, "provider_job_id"),
        note=forms.text(form, "note"),
    )
    answer = await of.ask(request, "gateway.ReconcileSubmission", asked)
    return "asked" if answer.submission.state in _OPEN else "found"


async def _free(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.SettleSubmissionRequest(submission_id=forms.text(form, "id"), note=forms.text(form, "note"))
    await of.ask(request, "gateway.SettleSubmission", asked)
    return "free"


async def _charged(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    charged: money_pb2.Money = forms.money(form, "charged", forms.text(form, "currency"))
    asked = pb.SettleSubmissionRequest(
        submission_id=forms.text(form, "id"), charged=charged, note=forms.text(form, "note")
    )
    await of.ask(request, "gateway.SettleSubmission", asked)
    return "charged"


SECTION = sections.Section(
    "/ops/money",
    "ops/money.html",
    frame.tab(read),
    acts={"check": _check, "free": _free, "charged": _charged},
    says={
        "asked": "The provider is being asked again; nothing is sent twice.",
        "found": "The outcome is known now.",
        "free": "Settled: it failed, and nothing was charged.",
        "charged": "Settled: it was charged, as the bill says.",
    },
)
