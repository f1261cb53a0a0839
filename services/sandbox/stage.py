"""Where a dialect meets the lab: every create, poll, list, cancel and download passes here, and may be lied about."""

import asyncio
import collections
import dataclasses
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox import content, disaster, domain, lab, refusal, wire

Handler = Callable[[Request, str], Awaitable[Response]]
"""Answers a request that came with this key. Raises Refused."""
Endpoint = Callable[[Request], Awaitable[Response]]
Answer = Callable[[domain.Clip], Awaitable[Response]]
"""What a create answers, once the clip is in the ledger."""
_FLAP = 2
"""Which poll after the end says that the work goes on."""


class Stage:
    """One dialect's door to the lab. The clips it gives out are as they are to be told, not always as they are."""

    def __init__(
        self,
        films: lab.Lab,
        dialect: domain.Dialect,
        noun: str,
        key_of: Callable[[Request], str],
        error_of: Callable[[wire.Refused], Response],
    ) -> None:
        """`noun` is the dialect's word for a clip; `key_of` reads the API key of a request, raising Refused when there
        is none; `error_of` puts a refusal into the dialect's envelope, with its headers."""
        self._lab, self._dialect, self._noun = films, dialect, noun
        self._key_of, self._error_of = key_of, error_of
        self._times: collections.Counter[tuple[str, ...]] = collections.Counter()
        known, _ = films.page(dialect, None, sys.maxsize, False, _revokes)
        self._revoked = {clip.order.key_sha256 for clip in known}
        self._late: set[asyncio.Task[None]] = set()

    def asks(self, handler: Handler) -> Endpoint:
        """The endpoint of a route that creates nothing."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request, self._admitted(request))
            except wire.Refused as refused:
                return self._error_of(refused)
            except disaster.Unknown as unknown:
                return self._error_of(wire.Refused(400, "unknown_disaster", str(unknown), "prompt"))
            except lab.KeyReused:
                said = "This Idempotency-Key came with another order."
                return self._error_of(wire.Refused(422, "idempotency_key_reused", said))
            except OSError as fault:
                said = f"The sandbox cannot write: {fault.strerror}."
                return self._error_of(wire.Refused(500, "internal", said))

        return endpoint

    def creates(self, handler: Handler) -> Endpoint:
        """The endpoint of a create route: the ledger gets a `post` for every request, also for those refused."""
        ask = self.asks(handler)

        async def endpoint(request: Request) -> Response:
            try:
                return await ask(request)
            finally:
                if not hasattr(request.state, "posted"):
                    name = wire.header(request, "x-client-request-id")
                    await self._lab.note(self._dialect, request.scope["path"], name, None)

        return endpoint

    def _admitted(self, request: Request) -> str:
        key = self._key_of(request)
        if self._revoked and domain.digest(key) in self._revoked:
            raise wire.Refused(401, "invalid_api_key", "This API key was revoked.")
        return key

    async def create(self, request: Request, key: str, order: domain.Order, answer: Answer) -> Response:
        """Take an order and answer it, or whatever its disasters make of that. Raises Refused, KeyReused, OSError."""
        request.state.posted = True
        noted = self._lab.note(self._dialect, request.scope["path"], order.client_ref, order.key_sha256)
        try:
            plan = disaster.read(key, order.prompt)
            if order.callback_url:
                order = dataclasses.replace(order, base_url=str(request.base_url))
            if plan:
                return await self._lie(plan, dataclasses.replace(order, disasters=str(plan)), answer)
            return await answer(await self._lab.create(order))
        finally:
            await noted  # on the disk before anyone is answered

    async def _lie(self, plan: disaster.Plan, order: domain.Order, answer: Answer) -> Response:
        def first(mode: disaster.Mode, times: float) -> bool:
            return self._first(times, mode, order.key_sha256, order.client_ref or domain.digest(order.prompt))

        if refused := refusal.of(plan, order.model, first, self._lab.clock()):
            raise refused
        if disaster.Mode.ERROR_JSON_200 in plan:
            response = self._error_of(wire.Refused(500, "server_error", "Something went wrong."))
            response.status_code = 200
            return response
        if disaster.Mode.LATE_CREATE in plan:
            self._create_later(plan.number(disaster.Mode.LATE_CREATE), plan, order)
            return wire.Dropped()
        before = self._last_of(order.key_sha256) if disaster.Mode.ID_COLLISION in plan else None
        clip = await self._create(plan, order)
        for mode in (disaster.Mode.DROP_REPLY, disaster.Mode.ERROR_AFTER_CREATE):
            if mode in plan and first(mode, plan.number(mode)):
                return self._unanswered(mode)
        told = _told(clip)
        response = await answer(dataclasses.replace(told, id=before.id) if before else told)
        return self._without(clip, response) if disaster.Mode.ID_MISSING in plan else response

    async def _create(self, plan: disaster.Plan, order: domain.Order) -> domain.Clip:
        clip = await self._lab.create(order)
        if disaster.Mode.DUPLICATE_CREATE in plan:
            await self._lab.create(dataclasses.replace(order, repeat_key=None, own_id=None))
        if disaster.Mode.KEY_REVOKED in plan:
            self._revoked.add(order.key_sha256)
        if disaster.Mode.WEBHOOK_EARLY in plan:
            await self._lab.finished(clip)
            await self._lab.sender.call(clip)
        return clip

    def _create_later(self, seconds: float, plan: disaster.Plan, order: domain.Order) -> None:
        async def create() -> None:
            await asyncio.sleep(seconds)
            await self._create(plan, order)

        task = asyncio.create_task(create())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _unanswered(self, mode: disaster.Mode) -> Response:
        if mode is disaster.Mode.DROP_REPLY:
            return wire.Dropped()
        said = "The server had an error while processing your request."
        return self._error_of(wire.Refused(500, "server_error", said))

    def _last_of(self, key_sha256: str) -> domain.Clip | None:
        clips, _ = self._lab.page(self._dialect, None, 1, True, lambda clip: clip.order.key_sha256 == key_sha256)
        return clips[0] if clips else None

    def poll(self, id: str) -> domain.Clip:
        """The clip of that id, as a status request is told of it. Raises Refused (404)."""
        clip = self.find(id)
        plan = clip.order.plan
        if not plan:
            return clip
        if disaster.Mode.HIDDEN in plan and self._first(plan.number(disaster.Mode.HIDDEN), disaster.Mode.HIDDEN, id):
            raise self._missing(id)
        if (
            disaster.Mode.STATUS_FLAP in plan
            and clip.status == "completed"
            and self._count(disaster.Mode.STATUS_FLAP, id) == _FLAP
        ):
            return dataclasses.replace(clip, status="in_progress", footage=None)
        return clip

    def find(self, id: str) -> domain.Clip:
        """The clip of that id, for anything but a status request. Raises Refused (404)."""
        return _told(self._clip(id))

    def page(self, after: str | None, limit: int, newest_first: bool) -> tuple[list[domain.Clip], bool]:
        """At most `limit` clips in the order of creation, behind the one called `after`; and whether more follow."""
        clips, more = self._lab.page(self._dialect, after, limit, newest_first, self._is_listed)
        return [_told(clip) for clip in clips], more

    def _is_listed(self, clip: domain.Clip) -> bool:
        plan = clip.order.plan
        if disaster.Mode.LIST_LAG not in plan:
            return True
        return self._lab.clock() >= clip.created_at + timedelta(seconds=plan.number(disaster.Mode.LIST_LAG))

    async def finished(self, id: str) -> domain.Clip:
        """The clip of that id once it has ended, whatever its end is. Raises Refused (404)."""
        await self._lab.finished(self._clip(id))
        return self.find(id)

    async def cancel(self, id: str) -> domain.Clip:
        """Stop the clip if it is not too late; as it is now. Raises Refused (404), OSError."""
        clip = self._clip(id)
        await self._lab.cancel(clip)
        return _told(clip)

    async def delete(self, id: str) -> None:
        """Forget the clip; one that is not done is stopped. Raises Refused (404), OSError."""
        await self._lab.delete(self._clip(id))

    def content(self, request: Request, id: str) -> Response:
        """The bytes of a clip that is done. Raises Refused."""
        return content.response(request, self._lab, self._clip(id))

    def _clip(self, id: str) -> domain.Clip:
        clip = self._lab.find(self._dialect, id)
        if clip is None:
            raise self._missing(id)
        return clip

    def _missing(self, id: str) -> wire.Refused:
        return wire.Refused(404, "not_found", f"There is no {self._noun} '{id[:80]}'.", f"{self._noun}_id")

    def _without(self, clip: domain.Clip, response: Response) -> Response:
        """The same answer without any field that holds the id."""
        bare = clip.order.own_id or clip.id.removeprefix(domain.ID_PREFIX[self._dialect])

        def strip(value: Any) -> Any:
            if isinstance(value, list):
                return [strip(one) for one in value]
            if isinstance(value, dict):
                return {name: strip(one) for name, one in value.items() if not (isinstance(one, str) and bare in one)}
            return value

        return JSONResponse(strip(json.loads(bytes(response.body))), response.status_code)

    def _first(self, times: float, *name: str) -> bool:
        return self._count(*name) <= times

    def _count(self, *name: str) -> int:
        self._times[name] += 1
        return self._times[name]


def _revokes(clip: domain.Clip) -> bool:
    return disaster.Mode.KEY_REVOKED in clip.order.plan


def _told(clip: domain.Clip) -> domain.Clip:
    if disaster.Mode.EMPTY_SUCCESS in clip.order.plan:
        return dataclasses.replace(clip, footage=None)
    return clip
