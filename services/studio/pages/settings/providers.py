"""Keys of providers, which go in and never come out; what can be bought with them; and the switches that stop it."""

import asyncio
import itertools
import uuid

import grpc.aio
from starlette import requests

from rushes.ops.v1 import audit_service_pb2 as audit
from rushes.provider_gateway.v1 import credential_pb2, ledger_pb2, model_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from services.studio.pages import forms, sections, site

_MOST = 200
_SCOPES = ledger_pb2.SpendSwitch.Scope
_UPDATE = ("gateway.UpdateCredential", pb.UpdateCredentialRequest, "credential")


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """Everything on the page."""
    keys, models, endpoints, switches, added_by = await asyncio.gather(
        of.ask(request, "gateway.ListCredentials", pb.ListCredentialsRequest(page_size=_MOST)),
        of.ask(request, "gateway.ListModels", pb.ListModelsRequest()),
        of.ask(request, "gateway.ListEndpoints", pb.ListEndpointsRequest()),
        of.ask(request, "gateway.ListSpendSwitches", pb.ListSpendSwitchesRequest()),
        _added_by(of, request),
    )
    sold = [it for it in models.models if it.state != model_pb2.Model.STATE_RETIRED]
    by_seller = itertools.groupby(sorted(sold, key=_seller), _seller)
    return {
        "request_id": str(uuid.uuid4()),
        "credentials": keys.credentials,
        "added_by": added_by,
        "endpoints": endpoints.endpoints,
        "switches": switches.spend_switches,
        "models": [(seller, list(group)) for (_, seller), group in by_seller],
        "retired": [it for it in models.models if it.state == model_pb2.Model.STATE_RETIRED],
        "installed": {it.name for it in endpoints.endpoints if it.accounts},
    }


def _seller(of: model_pb2.Model) -> tuple[bool, str]:
    """Who sells it, the stand-in before all others, whatever it is sold as."""
    return (False, "Stand-in") if of.play_money else (True, of.endpoint)


async def _added_by(of: site.Site, request: requests.Request) -> dict[str, str]:
    """Who installed which key, as the audit has it; nothing for who may not read the audit."""
    try:
        found = await of.ask(
            request, "audit@provider_gateway.ListAuditEntries", audit.ListAuditEntriesRequest(page_size=_MOST)
        )
    except grpc.aio.AioRpcError:
        return {}
    return {it.target: it.actor for it in found.audit_entries if it.action == "credential_created"}


async def _install(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.CreateCredentialRequest(
        request_id=forms.request_id(form),
        endpoint=forms.text(form, "endpoint"),
        name=forms.text(form, "name"),
        key=forms.text(form, "key"),
        base_url=forms.text(form, "base_url"),
        settings=forms.pairs(form, "settings"),
        webhook_secret=forms.text(form, "webhook_secret"),
        per_minute=forms.whole(form, "per_minute"),
        most_at_once=forms.whole(form, "most_at_once"),
    )
    await of.ask(request, "gateway.CreateCredential", asked)
    return "installed"


async def _verify(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.VerifyCredentialRequest(credential_id=forms.text(form, "id"))
    found = await of.ask(request, "gateway.VerifyCredential", asked)
    return "refused" if found.credential.refusal else "verified"


async def _replace(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    asked = pb.RotateCredentialRequest(
        credential_id=forms.text(form, "id"), key=forms.text(form, "key"), etag=forms.text(form, "etag")
    )
    await of.ask(request, "gateway.RotateCredential", asked)
    return "replaced"


async def throw(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    """Stop buying; the field `what` is a scope and its target, such as "SCOPE_ENDPOINT fal"."""
    scope, _, target = forms.text(form, "what").partition(" ")
    asked = pb.ThrowSpendSwitchRequest(
        scope=forms.one_of(_SCOPES, "what", scope), target=target, reason=forms.text(form, "reason")
    )
    await of.ask(request, "gateway.ThrowSpendSwitch", asked)
    return "stopped"


release = sections.naming("gateway.ReleaseSpendSwitch", pb.ReleaseSpendSwitchRequest, "spend_switch_id", "released")
"""Let buying go on."""


SECTION = sections.Section(
    "/settings/providers",
    "settings/providers.html",
    read,
    acts={
        "install": _install,
        "verify": _verify,
        "replace": _replace,
        "disable": sections.turning(*_UPDATE, credential_pb2.Credential.STATE_DISABLED, "disabled"),
        "enable": sections.turning(*_UPDATE, credential_pb2.Credential.STATE_ENABLED, "enabled"),
        "remove": sections.naming("gateway.DeleteCredential", pb.DeleteCredentialRequest, "credential_id", "removed"),
        "throw": throw,
        "release": release,
    },
    says={
        "installed": "The key is installed. It was encrypted at once, and cannot be shown again.",
        "verified": "The provider accepts the key.",
        "refused": "The provider refuses the key; it says why beside it.",
        "replaced": "The key is replaced. What the old one bought is finished with the new one.",
        "disabled": "Disabled: it buys nothing more, and finishes what it has bought.",
        "enabled": "Enabled: it is used for what is ordered from now on.",
        "removed": "The key is destroyed.",
        "stopped": "Stopped: nothing more is bought there. What is paid is finished and kept.",
        "released": "Buying goes on; what waited is tried again.",
    },
)
