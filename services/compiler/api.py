"""CompilerService: one method per RPC."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from libs import auth, ids, outbox, paging, rpc, telemetry
from rushes.compiler.v1 import compiler_service_pb2, film_pb2
from services.compiler import domain, export_store, export_wire, exports, extraction, store, uploads, wire, workshop

_LOOK_EVERY_S = 0.25
_HEARTBEAT_S = 20.0

Context = grpc.aio.ServicerContext[Any, Any]


class CompilerApi(uploads.Uploads):
    """Answers callers; `draining` ends the watches of a server that is going away."""

    def __init__(self, shop: workshop.Workshop) -> None:
        super().__init__(shop.files)
        self._database, self._clock = shop.database, shop.clock
        self._stills, self._bell = extraction.Stills(shop), shop.bell
        self.draining = asyncio.Event()

    async def CreateFilm(
        self, request: compiler_service_pb2.CreateFilmRequest, context: Context
    ) -> compiler_service_pb2.CreateFilmResponse:
        """Write the film down; a worker finds it there."""
        tenant_id = auth.caller().tenant_id
        wire.check_create_film(request, tenant_id)
        whose, trace = request.storyboard_id, telemetry.traceparent()
        film = wire.new_film(request.edit_list, tenant_id, "", ids.new("film"), self._clock(), trace, whose)
        async with self._database.tenant(tenant_id) as conn:
            kept = await store.insert_film_once(conn, film, request.request_id)
        self._bell.ring()
        if (kept.edit_list, kept.storyboard_id) != (film.edit_list, film.storyboard_id):
            raise domain.RequestIdReused(request_id=request.request_id)
        if kept.id != film.id:
            rpc.replayed()
        return compiler_service_pb2.CreateFilmResponse(film=self._seen(kept))

    async def GetFilm(
        self, request: compiler_service_pb2.GetFilmRequest, context: Context
    ) -> compiler_service_pb2.GetFilmResponse:
        """The film as it stands."""
        return compiler_service_pb2.GetFilmResponse(film=self._seen(await self._film(request.film_id)))

    async def ListFilms(
        self, request: compiler_service_pb2.ListFilmsRequest, context: Context
    ) -> compiler_service_pb2.ListFilmsResponse:
        """Newest first, without addresses."""
        only = {"production_id": request.production_id, "storyboard_id": request.storyboard_id}
        page = paging.by_id(request.page_size, request.page_token, f"films {' '.join(only.values())}")
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            found = await store.list_films(conn, tenant_id, only, page.below, page.most)
        shown, more = page.cut(found)
        messages = [wire.to_film(film, None, self._clock()) for film in shown]
        return compiler_service_pb2.ListFilmsResponse(films=messages, next_page_token=more)

    async def WatchFilm(
        self, request: compiler_service_pb2.WatchFilmRequest, context: Context
    ) -> AsyncIterator[compiler_service_pb2.WatchFilmResponse]:
        """The film as it is, then after every change, until it can change no more."""
        seen, quiet_s, ear = request.after_version, 0.0, self._bell.ear()
        while True:
            film = await self._film(request.film_id)
            if film.version != seen:
                seen, quiet_s = film.version, 0.0
                yield compiler_service_pb2.WatchFilmResponse(film=self._seen(film))
            if film.state in domain.ENDS:
                return
            quiet_s += await self._pause(ear)
            if quiet_s >= _HEARTBEAT_S:
                quiet_s = 0.0
                yield compiler_service_pb2.WatchFilmResponse()

    async def CancelFilm(
        self, request: compiler_service_pb2.CancelFilmRequest, context: Context
    ) -> compiler_service_pb2.CancelFilmResponse:
        """Stop the work; its worker notices when it next renews its lease."""
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            film = await store.lock_film(conn, tenant_id, request.film_id)
            canceled = domain.canceled(film, self._clock())
            if canceled is not film:
                canceled = await store.cancel(conn, canceled)
                await outbox.put(conn, *filter(None, [wire.news(canceled)]))
        return compiler_service_pb2.CancelFilmResponse(film=self._seen(canceled))

    async def ExportFilm(
        self, request: compiler_service_pb2.ExportFilmRequest, context: Context
    ) -> compiler_service_pb2.ExportFilmResponse:
        """Write the export down, when it is not there yet; a worker finds it there."""
        kind = export_wire.format_of(request)
        film = await self._film(request.film_id)
        async with self._database.tenant(film.tenant_id) as conn:
            export = await export_store.want(conn, exports.of(film, kind, self._clock()))
        title = wire.file_title(film, wire.edit_list(film).title)
        seen = export_wire.to_export(export, title, self._sign, self._clock())
        return compiler_service_pb2.ExportFilmResponse(export=seen)

    async def ListExports(
        self, request: compiler_service_pb2.ListExportsRequest, context: Context
    ) -> compiler_service_pb2.ListExportsResponse:
        """All that were asked for, with addresses."""
        film, now = await self._film(request.film_id), self._clock()
        async with self._database.tenant(film.tenant_id) as conn:
            found = await export_store.of_film(conn, film)
        title = wire.file_title(film, wire.edit_list(film).title)
        seen = [export_wire.to_export(export, title, self._sign, now) for export in found]
        return compiler_service_pb2.ListExportsResponse(exports=seen)

    async def ExtractStill(
        self, request: compiler_service_pb2.ExtractStillRequest, context: Context
    ) -> compiler_service_pb2.ExtractStillResponse:
        """Take the picture, unless it was taken before."""
        tenant_id = auth.caller().tenant_id
        wanted = export_wire.still_of(request, tenant_id)
        still = await self._stills.take(tenant_id, request.clip.key, wanted)
        return export_wire.to_still(still, self._sign, self._clock())

    async def _film(self, film_id: str) -> domain.Film:
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            return await store.get_film(conn, tenant_id, film_id)

    def _seen(self, film: domain.Film) -> film_pb2.Film:
        return wire.to_film(film, self._sign, self._clock())

    def _sign(self, key: str, file_name: str) -> str:
        return self._files.sign(key, wire.SIGNED_S, file_name, self._clock())

    async def _pause(self, ear: asyncio.Event) -> float:
        """Wait a little, or less when something has moved; returns how many seconds. Raises rpc.ServerDraining."""
        clock = asyncio.get_running_loop().time
        began, waits = clock(), [asyncio.ensure_future(event.wait()) for event in (self.draining, ear)]
        try:
            await asyncio.wait(waits, timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        if self.draining.is_set():
            raise rpc.ServerDraining
        ear.clear()
        return clock() - began
