"""Lets people in: what they bring becomes a session of their browser, or is refused in their words."""

import re
from typing import Any

import grpc
import grpc.aio
from starlette import requests, responses

from rushes.access.v1 import session_service_pb2 as pb
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from services.studio import session
from services.studio.pages import devices, site
from services.studio.rest import calls, problems, refusals

_TICKET = re.compile(r"[A-Za-z0-9_-]{22}")
_TOKEN = re.compile(r"[A-Za-z0-9_.~+/-]{1,6000}=*")
_OURS, _CODE = "rushes_", "rushes_guest_"
_SESSION, _GUEST = "Bearer rushes_session_", f"Bearer {_CODE}"
_MOST_CLAIMED = 50
_WORDS = {
    "TICKET_INVALID": "That address was used already, or its time is over: `rushes studio` prints another, "
    "and an owner invites anew.",
    "PERSON_REMOVED": "You are known, but an owner has removed you here: ask one of them to let you in again.",
    "ROLE_MISSING": "You are known, but have no role here: ask an owner, or whoever looks after this house.",
    "CALLS_EXHAUSTED": "Too many have tried to sign in just now. Wait a minute.",
    "GUESTS_OFF": "This house takes no guests: sign in.",
}
_NOT_ACCEPTED = "That token is not accepted: it may be mistyped or have ended."
_HELD = ("WHOLE_TOKEN_NEEDED", "SCOPE_MISSING")


class Doorman:
    """One for the process."""

    def __init__(self, of: site.Site) -> None:
        self._of = of

    def ask(self, request: requests.Request, next: str, refused: refusals.Refusal | None = None) -> responses.Response:
        """The sign-in page, with what was wrong."""
        by, headers = self._of.by, problems.waits(refused) if refused else {}
        told = {
            "next": inside(next),
            "refused": refused.detail if refused else "",
            "provider": by.provider.name if by.provider else "",
            "guests": by.guests,
        }
        response = self._of.show(request, "signin.html", told, refused.status if refused else 200)
        response.headers.update(headers)
        return response

    async def let_in(
        self, request: requests.Request, brought: str, next: str, name: str = "", wrong: str = _NOT_ACCEPTED
    ) -> responses.Response:
        """Sign in with a ticket or a token; `wrong` is what is said of one that is not accepted. Raises AioRpcError
        when that is not refused, but impossible now.
        """
        if not _TOKEN.fullmatch(brought):
            return self.ask(request, next, refusals.Refusal(401, "TOKEN_INVALID", wrong))
        try:
            secret, seconds = await self._exchange(brought, name, devices.told(request))
        except grpc.aio.AioRpcError as fault:
            refused = refusals.of(fault)
            if refused.status not in (401, 403, 429):
                raise
            if refused.reason == "TICKET_INVALID" and await self._is_known(request):
                return responses.RedirectResponse(inside(next), 303)  # the same address, opened twice
            refused.detail = _WORDS.get(refused.reason, wrong)
            return self.ask(request, next, refused)
        await self._leave_behind(request, secret)
        response = responses.RedirectResponse(inside(next), 303)
        session.keep(response, session.TOKEN, secret, seconds, session.is_secure(request.scope, self._of.by))
        return response

    async def as_guest(self, request: requests.Request) -> responses.Response:
        """Begin a storyboard without an account; its code is who the browser is from then on."""
        if await self._is_known(request):
            return responses.RedirectResponse("/", 303)
        asked = boards.CreateGuestStoryboardRequest(storyboard=storyboard_pb2.Storyboard(name="Untitled"))
        try:
            made = await self._of.services.ask("boards.CreateGuestStoryboard", request, asked)
        except grpc.aio.AioRpcError as fault:
            refused = refusals.of(fault)
            refused.detail = _WORDS.get(refused.reason, refused.detail)
            return self.ask(request, "/", refused)
        response = responses.RedirectResponse(f"/p/{made.storyboard.id}", 303)
        seconds = self._until(made.expire_time)
        session.keep(response, session.TOKEN, made.claim_code, seconds, session.is_secure(request.scope, self._of.by))
        return response

    async def out(self, request: requests.Request) -> responses.Response:
        """The session ends here and, as soon as it hears of it, with every service."""
        await self._end(request)
        response = responses.RedirectResponse("/signin", 303)
        session.drop(response, session.TOKEN, session.is_secure(request.scope, self._of.by))
        return response

    async def _exchange(self, brought: str, name: str, device: str) -> tuple[str, int | None]:
        """What the browser is to keep, and for how many seconds. Raises AioRpcError."""
        if _TICKET.fullmatch(brought):
            begun = await self._call("RedeemTicket", "", pb.RedeemTicketRequest(ticket=brought, device=device))
            return begun.secret, self._until(begun.session.expire_time)
        if not brought.startswith(_OURS):
            try:
                asked = pb.CreateSessionRequest(name=name, device=device)
                begun = await self._call("CreateSession", brought, asked)
                return begun.secret, self._until(begun.session.expire_time)
            except grpc.aio.AioRpcError as fault:
                if refusals.of(fault).reason not in _HELD:
                    raise
        known = await self._call("GetCaller", brought, pb.GetCallerRequest())
        return brought, self._until(known.caller.expire_time) if known.caller.HasField("expire_time") else None

    async def _leave_behind(self, request: requests.Request, secret: str) -> None:
        """Who the browser was before: what a guest made comes along, and a session ends."""
        before = request.headers.get("authorization", "")
        if before.startswith(_GUEST) and not secret.startswith(_CODE) and await self._is_known(request):
            asked = boards.ListStoryboardsRequest(page_size=_MOST_CLAIMED)
            theirs = (await self._of.ask(request, "boards.ListStoryboards", asked)).storyboards
            claim = self._of.services.stub("boards.ClaimStoryboard")
            for board in theirs:
                wish = boards.ClaimStoryboardRequest(storyboard_id=board.id, claim_code=before.partition(" ")[2])
                await claim(wish, timeout=calls.CALL_S, metadata=_bearer(secret))
        elif before != f"Bearer {secret}":
            await self._end(request)

    async def _end(self, request: requests.Request) -> None:
        if not request.headers.get("authorization", "").startswith(_SESSION):
            return
        try:
            await self._of.ask(request, "sessions.EndSession", pb.EndSessionRequest())
        except grpc.aio.AioRpcError:
            return  # it ends by itself; to stay signed in because a service is away helps nobody

    async def _is_known(self, request: requests.Request) -> bool:
        try:
            await self._of.ask(request, "sessions.GetCaller", pb.GetCallerRequest())
        except grpc.aio.AioRpcError:
            return False
        return True

    async def _call(self, verb: str, token: str, asked: Any) -> Any:
        call = self._of.services.stub(f"sessions.{verb}")
        return await call(asked, timeout=calls.CALL_S, metadata=_bearer(token) if token else ())

    def _until(self, moment: Any) -> int:
        return max(1, int(moment.seconds - self._of.services.clock().timestamp()))


def inside(address: str) -> str:
    """A place of ours to go on to; an address that leads elsewhere leads home."""
    plain = "".join(character for character in address if character.isprintable())
    return plain if plain.startswith("/") and not plain.startswith(("//", "/\\")) else "/"


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)
