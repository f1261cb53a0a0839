"""ShareService: links are made, listed, taken back, and opened by whoever has one."""

import asyncio
import secrets
from typing import Any

import grpc.aio

from libs import audit, auth, ids, paging, rpc
from rushes.compiler.v1 import share_service_pb2 as pb
from rushes.compiler.v1 import share_service_pb2_grpc as pb_grpc
from services.compiler import domain, exports, manifest, orders, share_store, share_wire, shares, store, wire, workshop

Context = grpc.aio.ServicerContext[Any, Any]

_SEALED_AT_ONCE = 2  # each takes 16 MiB, and a processor for a moment


class ShareApi(pb_grpc.ShareServiceServicer):
    """Answers the tenant, and strangers who have a link."""

    def __init__(self, shop: workshop.Workshop) -> None:
        self._shop, self._database, self._clock = shop, shop.database, shop.clock
        self._few = asyncio.Semaphore(_SEALED_AT_ONCE)

    async def CreateShare(self, request: pb.CreateShareRequest, context: Context) -> pb.CreateShareResponse:
        """Its secret exists here and with the caller, and nowhere else."""
        caller, now = auth.caller(), self._clock()
        terms = share_wire.terms(request, caller.tenant_id, now)
        secret, salt = shares.secret(secrets.token_bytes(shares.CHANCE_BYTES)), secrets.token_bytes(shares.SALT_BYTES)
        wanted = shares.Share(
            id=ids.new("share"),
            tenant_id=caller.tenant_id,
            film_id=request.film_id,
            take_id=request.take.take_id,
            snapshot=await self._snapshot(caller.tenant_id, request),
            hint=shares.hint(secret),
            allow_download=terms.allow_download,
            created_by=caller.subject,
            created_at=now,
            expires_at=terms.expires_at,
            salt=salt,
            seal=await self._sealed(terms.passphrase, salt) if terms.passphrase else None,
        )
        made = await self._kept(wanted, shares.digest(secret), request.request_id)
        is_new = made.id == wanted.id
        if not is_new:
            rpc.replayed()
        return pb.CreateShareResponse(share=share_wire.to_share(made), secret=secret if is_new else "")

    async def GetShare(self, request: pb.GetShareRequest, context: Context) -> pb.GetShareResponse:
        """The share as it stands."""
        place = share_store.Place(auth.caller().tenant_id, request.share_id)
        async with self._database.tenant(place.tenant_id) as conn:
            found = await share_store.get(conn, place)
        return pb.GetShareResponse(share=share_wire.to_share(found))

    async def ListShares(self, request: pb.ListSharesRequest, context: Context) -> pb.ListSharesResponse:
        """Newest first."""
        bound = f"shares {request.film_id} {request.take_id}"
        page, tenant_id = paging.by_id(request.page_size, request.page_token, bound), auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            found = await share_store.page(conn, tenant_id, request.film_id, request.take_id, page.below, page.most)
        shown, more = page.cut(found)
        return pb.ListSharesResponse(shares=map(share_wire.to_share, shown), next_page_token=more)

    async def RevokeShare(self, request: pb.RevokeShareRequest, context: Context) -> pb.RevokeShareResponse:
        """Once; it stays in the list."""
        place = share_store.Place(auth.caller().tenant_id, request.share_id)
        async with self._database.tenant(place.tenant_id) as conn:
            found = await share_store.lock(conn, place)
            if found.revoked_at is None:
                await share_store.revoke(conn, place, self._clock())
                found = await share_store.get(conn, place)
                await audit.note(conn, place.tenant_id, "share_revoked", found.id, views=found.views)
        return pb.RevokeShareResponse(share=share_wire.to_share(found))

    async def OpenShare(self, request: pb.OpenShareRequest, context: Context) -> pb.OpenShareResponse:
        """For whoever has the secret, and the passphrase where there is one."""
        share, now = await self._known(request.secret), self._clock()
        shares.check_open(share, now)
        if request.ticket:
            shares.check_ticket(share, request.ticket, now)
        else:
            await self._admit(share, request.passphrase)
            async with self._database.tenant(share.tenant_id) as conn:
                await share_store.count_view(conn, share_store.place(share), now)
        ticket = request.ticket or shares.ticket(share, now)
        return pb.OpenShareResponse(view=share_wire.to_view(share), ticket=ticket)

    async def _snapshot(self, tenant_id: str, request: pb.CreateShareRequest) -> shares.Snapshot:
        if request.HasField("take"):
            said = request.take
            poster = await self._stored(said.poster.key) if said.HasField("poster") else None
            return share_wire.of_take(said, await self._stored(said.clip.key), poster)
        async with self._database.tenant(tenant_id) as conn:
            film = await store.get_film(conn, tenant_id, request.film_id)
        _, told = exports.files(film)
        async with self._shop.room.order() as folder:
            path = folder / orders.MANIFEST
            await self._shop.files.get_file(told.key, path)
            text = await asyncio.to_thread(path.read_text, "utf-8")
        assert film.result is not None, "it has files"
        made = manifest.read(text)
        return shares.of_film(film.result, made, wire.file_title(film, made.title))

    async def _stored(self, key: str) -> domain.Media:
        """What is stored there. Raises BlobMissing, and Invalid for what can be no key."""
        found = await self._shop.files.stat(key)
        return domain.Media(key, found.content_type, found.size, found.sha256 or "")

    async def _kept(self, wanted: shares.Share, digest: bytes, request_id: str) -> shares.Share:
        async with self._database.tenant(wanted.tenant_id) as conn:
            made = await share_store.insert_once(conn, wanted, digest, request_id)
            if made.id == wanted.id:
                await audit.note(
                    conn,
                    made.tenant_id,
                    "share_created",
                    made.id,
                    of=made.film_id or made.take_id,
                    expires=made.expires_at.isoformat(),
                    passphrase=made.seal is not None,
                    download=made.allow_download,
                )
        if (made.film_id, made.take_id) != (wanted.film_id, wanted.take_id):
            raise domain.RequestIdReused(request_id=request_id)
        return made

    async def _known(self, secret: str) -> shares.Share:
        async with self._database.house() as conn:
            place = await share_store.find(conn, shares.digest(secret))
        if place is None:
            raise shares.ShareUnknown
        async with self._database.tenant(place.tenant_id) as conn:
            return await share_store.get(conn, place)

    async def _admit(self, share: shares.Share, passphrase: str) -> None:
        """Raises PassphraseNeeded, PassphraseWrong and PassphraseTriesExhausted."""
        if share.seal is None:
            return
        if not passphrase:
            raise shares.PassphraseNeeded
        place = share_store.place(share)
        async with self._database.tenant(place.tenant_id) as conn:
            wait_s = await share_store.take_try(conn, place)
        if wait_s:
            raise shares.PassphraseTriesExhausted(retry_after_s=wait_s)
        shares.check_passphrase(share.seal, await self._sealed(passphrase, share.salt))
        async with self._database.tenant(place.tenant_id) as conn:
            await share_store.give_back_try(conn, place)

    async def _sealed(self, passphrase: str, salt: bytes) -> bytes:
        async with self._few:
            return await asyncio.to_thread(shares.sealed, passphrase, salt)


def servicer(shop: workshop.Workshop) -> rpc.Servicer:
    """How it is served."""
    return rpc.Servicer(pb_grpc.add_ShareServiceServicer_to_server, ShareApi(shop), "rushes.compiler.v1.ShareService")
