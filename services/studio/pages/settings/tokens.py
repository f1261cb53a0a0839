"""API tokens: for programs, which cannot sign in; each is shown once."""

import uuid
from typing import Any

from starlette import requests

from rushes.access.v1 import token_service_pb2 as pb
from rushes.type.v1 import access_pb2
from services.studio.pages import forms, sections, site

_SHOWN = 200
ROLES = ("ROLE_VIEWER", "ROLE_EDITOR", "ROLE_OWNER", "ROLE_SERVICE")


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """Everything on the page."""
    found: Any = await of.ask(request, "tokens.ListApiTokens", pb.ListApiTokensRequest(page_size=_SHOWN))
    now = of.services.clock().timestamp()
    return {
        "request_id": str(uuid.uuid4()),
        "roles": [(name, name.removeprefix("ROLE_").capitalize()) for name in ROLES],
        "tokens": found.api_tokens,
        "now": now,
        "shown": None,
    }


async def _make(of: site.Site, request: requests.Request, form: forms.Form) -> sections.Told:
    role = forms.text(form, "role")
    asked = pb.CreateApiTokenRequest(
        request_id=forms.request_id(form),
        api_token=pb.ApiToken(
            name=forms.text(form, "name"),
            role=access_pb2.Role.Value(role) if role in ROLES else access_pb2.ROLE_UNSPECIFIED,
            scopes=forms.text(form, "scopes").split(),
            expire_time=forms.days_from(of.services.clock(), forms.whole(form, "days")),
        ),
    )
    made = await of.ask(request, "tokens.CreateApiToken", asked)
    return {"shown": made.secret, "did": "" if made.secret else "That token was made already, and shown then."}


SECTION = sections.Section(
    "/settings/tokens",
    "settings/tokens.html",
    read,
    acts={
        "make": _make,
        "revoke": sections.naming("tokens.RevokeApiToken", pb.RevokeApiTokenRequest, "api_token_id", "revoked"),
    },
    says={"revoked": "Revoked: within 30 seconds no service knows it."},
)
