"""The verbs of guests."""

import secrets
import uuid

from libs import audit, auth, ids
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, domain, guests, store, wire
from services.storyboard.api import desk


class Visitors(desk.Desk):
    """Make a storyboard without an account, and claim it with one."""

    async def CreateGuestStoryboard(
        self, request: pb.CreateGuestStoryboardRequest, context: desk.Context
    ) -> pb.CreateGuestStoryboardResponse:
        """A tenant of its own: to row-level security a guest is like everybody else."""
        now = self._clock()
        guest = self._guests.welcome(secrets.token_bytes(16), now)
        content = asks.guest(request, guest.tenant_id)
        board = domain.created(content, guest.tenant_id, ids.new, now, now + guests.KEPT)
        async with self._database.tenant(guest.tenant_id) as conn:
            await store.insert_once(
                conn, board, guests.SUBJECT, "CreateGuestStoryboard", str(uuid.uuid4()), asks.digest(request).hex()
            )
        response = pb.CreateGuestStoryboardResponse(storyboard=wire.from_storyboard(board), claim_code=guest.code)
        response.expire_time.FromDatetime(guest.expires_at)
        return response

    async def ClaimStoryboard(
        self, request: pb.ClaimStoryboardRequest, context: desk.Context
    ) -> pb.ClaimStoryboardResponse:
        """In the scope of the house, for it goes from one tenant to another; the code says from which."""
        caller, guest = auth.caller(), self._guests.guest(request.claim_code, self._clock())
        if guests.is_guest(caller.tenant_id):
            raise guests.SignInFirst
        storyboard_id = asks.storyboard_id(request.storyboard_id)
        async with self._database.house() as conn:
            board = await store.lock_any(conn, [guest.tenant_id, caller.tenant_id], storyboard_id)
            if board.tenant_id != caller.tenant_id:
                await store.move_to_tenant(conn, board, caller.tenant_id, str(uuid.uuid4()))
                await audit.note(conn, caller.tenant_id, "storyboard_claimed", storyboard_id)
            board = await store.get(conn, caller.tenant_id, storyboard_id)
        return pb.ClaimStoryboardResponse(storyboard=wire.from_storyboard(board))
