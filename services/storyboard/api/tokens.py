"""TokenService: API tokens are made, listed, taken back, and known again."""

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc.aio

from libs import api_tokens, audit, auth, db, errors, ids, moments, paging, rpc
from rushes.access.v1 import token_service_pb2 as pb
from rushes.access.v1 import token_service_pb2_grpc as pb_grpc
from rushes.type.v1 import access_pb2
from services.storyboard import access_wire, domain, token_store, tokens
from services.storyboard.api import standing

Context = grpc.aio.ServicerContext[Any, Any]

_LONGEST_NAME, _MOST_SCOPES = 100, 20
_ROLES = ("viewer", "editor", "owner", "service")
_SCOPE = re.compile(r"rushes:(read|[a-z_]{1,40}(:read)?)")


@dataclass(frozen=True)
class TokenApi(pb_grpc.TokenServiceServicer):
    """Answers owners, and whoever has a token."""

    database: db.Database
    clock: Callable[[], datetime]

    async def CreateApiToken(self, request: pb.CreateApiTokenRequest, context: Context) -> pb.CreateApiTokenResponse:
        """Its secret exists here and with the caller, and nowhere else."""
        caller, secret = auth.caller(), tokens.secret(secrets.token_bytes(tokens.CHANCE_BYTES))
        tokens.check_maker(caller.subject, caller.scopes is not None)
        wanted = _wanted(request, caller, self.clock())
        async with self.database.tenant(caller.tenant_id) as conn:
            await standing.check_owner(conn, caller)
            made = await token_store.insert_once(conn, wanted, tokens.digest(secret), request.request_id)
            if made.id == wanted.id:
                await _note(conn, "api_token_created", made)
        if made.id == wanted.id:
            return pb.CreateApiTokenResponse(api_token=_message(made), secret=secret)
        if _terms(made) != _terms(wanted):
            raise domain.RequestIdReused(request_id=request.request_id)
        rpc.replayed()
        return pb.CreateApiTokenResponse(api_token=_message(made))

    async def ListApiTokens(self, request: pb.ListApiTokensRequest, context: Context) -> pb.ListApiTokensResponse:
        """Newest first."""
        page, tenant_id = paging.by_id(request.page_size, request.page_token, "api tokens"), auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await token_store.page(conn, tenant_id, page.below, page.most)
        shown, more = page.cut(found)
        return pb.ListApiTokensResponse(api_tokens=map(_message, shown), next_page_token=more)

    async def RevokeApiToken(self, request: pb.RevokeApiTokenRequest, context: Context) -> pb.RevokeApiTokenResponse:
        """Once; it stays in the list."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await token_store.lock(conn, tenant_id, request.api_token_id)
            if found.revoked_at is None:
                await token_store.revoke(conn, found.id, self.clock())
                found = await token_store.lock(conn, tenant_id, found.id)
                await _note(conn, "api_token_revoked", found)
        return pb.RevokeApiTokenResponse(api_token=_message(found))

    async def IdentifyApiToken(
        self, request: pb.IdentifyApiTokenRequest, context: Context
    ) -> pb.IdentifyApiTokenResponse:
        """For the other services."""
        found = await self._known(request.secret)
        return pb.IdentifyApiTokenResponse(tenant_id=found.tenant_id, api_token=_message(found))

    def servicer(self) -> rpc.Servicer:
        """How it is served."""
        return rpc.Servicer(pb_grpc.add_TokenServiceServicer_to_server, self, "rushes.access.v1.TokenService")

    def knowing(self, others: auth.Verifies) -> api_tokens.Verifier:
        """A verifier for this service's own door, which leaves other callers to others."""
        return api_tokens.Verifier(others, {api_tokens.PREFIX: self._identify})

    async def _identify(self, token: str) -> auth.Caller:
        found = await self._known(token)
        return api_tokens.caller(found.tenant_id, _message(found), token)

    async def _known(self, token: str) -> tokens.ApiToken:
        async with self.database.house() as conn:
            found = await token_store.find(conn, tokens.digest(token))
        if found is None or found.revoked_at is not None:
            raise auth.TokenInvalid(why="no API token is like it, or it was taken back")
        if self.clock() >= found.expires_at:
            raise auth.TokenExpired
        return found


async def _note(conn: Any, action: str, of: tokens.ApiToken) -> None:
    await audit.note(conn, of.tenant_id, action, of.id, role=of.role, scopes=" ".join(of.scopes))


def _wanted(request: pb.CreateApiTokenRequest, by: auth.Caller, now: datetime) -> tokens.ApiToken:
    """Raises Invalid."""
    said = request.api_token
    role = access_pb2.Role.Name(said.role).removeprefix("ROLE_").lower()
    ends = access_wire.moment(said.expire_time) if said.HasField("expire_time") else now + tokens.LIVES
    name = said.name.strip()
    rules = {
        "request_id": (_is_uuid(request.request_id), "should be a UUID"),
        "api_token.name": (1 <= len(name) <= _LONGEST_NAME, f"should be 1 to {_LONGEST_NAME} characters"),
        "api_token.role": (role in _ROLES, f"should be one of {', '.join(_ROLES)}"),
        "api_token.scopes": (
            len(said.scopes) <= _MOST_SCOPES and all(map(_SCOPE.fullmatch, said.scopes)),
            f"should be up to {_MOST_SCOPES}, such as rushes:job, rushes:job:read or rushes:read",
        ),
        "api_token.expire_time": (
            now < ends <= now + tokens.LIVES_AT_MOST,
            f"should be in the next {tokens.LIVES_AT_MOST.days} days",
        ),
    }
    wrong = [errors.Violation(field, should) for field, (is_kept, should) in rules.items() if not is_kept]
    if wrong:
        raise errors.Invalid(wrong)
    scopes = tuple(dict.fromkeys(said.scopes))
    return tokens.ApiToken(ids.new("token"), by.tenant_id, name, role, scopes, by.subject, now, ends)


def _terms(of: tokens.ApiToken) -> tuple[object, ...]:
    """What tells two requests apart: when it expires is counted from now where nothing is said."""
    return of.name, of.role, of.scopes


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _message(of: tokens.ApiToken) -> pb.ApiToken:
    return pb.ApiToken(
        id=of.id,
        name=of.name,
        role=access_pb2.Role.Value(f"ROLE_{of.role.upper()}"),
        scopes=of.scopes,
        created_by=of.created_by,
        create_time=moments.stamp(of.created_at),
        expire_time=moments.stamp(of.expires_at),
        revoke_time=moments.stamp(of.revoked_at),
    )
