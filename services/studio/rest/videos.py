"""The protocol of OpenAI's Videos API under /v1/videos: a video is a film of one prompt, with a budget before it."""

import contextlib
import hashlib
import json
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import grpc.aio
from starlette import datastructures, formparsers, requests, responses

from rushes.compiler.v1 import compiler_service_pb2
from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.storyboard.v1 import storyboard_pb2
from services.studio.rest import binding, calls, media, problems, refusals, single

_State = job_pb2.Production
_STATUSES = {
    _State.STATE_SUCCEEDED: "completed",
    _State.STATE_FAILED: "failed",
    _State.STATE_CANCELED: "failed",
    _State.STATE_NEEDS_APPROVAL: "queued",
}
_TYPES = {401: "authentication_error", 402: "insufficient_quota", 403: "permission_error", 429: "rate_limit_error"}
_VARIANTS = {"video": "video", "thumbnail": "poster", "spritesheet": "sprite"}
_KNOWN = ("prompt", "model", "seconds", "size", "input_reference", "preset")
_NOT_HERE = (
    ("POST", "/v1/videos/{video_id}/remix"),
    ("POST", "/v1/videos/edits"),
    ("POST", "/v1/videos/extensions"),
    ("POST", "/v1/videos/characters"),
    ("GET", "/v1/videos/characters/{character_id}"),
)
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
_PAGE, _MOST_PAGE, _READ_AT_ONCE = 20, 100, 200
_REMEMBERED, _REMEMBERED_S = 10_000, 600.0
_MOST_BYTES = 20_000_000

Handler = Callable[["Videos", requests.Request, Mapping[str, str]], Awaitable[responses.Response]]


class Videos:
    """All addresses of the protocol; what is refused is said as its clients know it."""

    def __init__(self, services: calls.Services) -> None:
        self._services = services
        self._sent: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def routes(self) -> list[tuple[str, str, Callable[..., Awaitable[responses.Response]]]]:
        """Method, path and what answers."""
        one = "/v1/videos/{video_id}"
        return [
            ("POST", "/v1/videos", self._door(Videos._create)),
            ("GET", "/v1/videos", self._door(Videos._list)),
            ("GET", one, self._door(Videos._get)),
            ("DELETE", one, self._door(Videos._delete)),
            ("GET", one + "/content", self._door(Videos._content)),
            *((method, path, self._door(Videos._refuse)) for method, path in _NOT_HERE),
        ]

    def _door(self, handler: Handler) -> Callable[..., Awaitable[responses.Response]]:
        async def answer(request: requests.Request, path: Mapping[str, str]) -> responses.Response:
            try:
                return await handler(self, request, path)
            except grpc.aio.AioRpcError as fault:
                return _refused(refusals.of(fault))
            except refusals.Refusal as refused:
                return _refused(refused)

        return answer

    def _films(self, request: requests.Request) -> single.Films:
        return single.Films(self._services, request)

    async def _create(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        told = await _told(request)
        asked = wanted(told)
        films = self._films(request)
        production, _ = await films.make(asked, self._key(request, told))
        return responses.JSONResponse(video(*await films.production(production.id)))

    async def _get(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        return responses.JSONResponse(video(*await self._films(request).production(path["video_id"])))

    async def _delete(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        await self._films(request).delete(path["video_id"])
        return responses.JSONResponse({"id": path["video_id"], "object": "video.deleted", "deleted": True})

    async def _content(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        films = self._films(request)
        production, _ = await films.production(path["video_id"])
        variant = request.query_params.get("variant", "video")
        if variant not in _VARIANTS:
            raise refusals.bad_request([{"parameter": "variant", "detail": f"should be one of {', '.join(_VARIANTS)}"}])
        if production.state != _State.STATE_SUCCEEDED:
            raise refusals.Refusal(404, "MEDIA_MISSING", "The video is not ready yet; ask for its status.")
        asked = compiler_service_pb2.GetFilmRequest(film_id=production.film_id)
        return media.led(getattr((await films.ask("compiler.GetFilm", asked)).film, _VARIANTS[variant]))

    async def _refuse(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        name = "remixes" if "video_id" in path else request.url.path.split("/")[3]
        detail = f"No {name} are made by this protocol; edit the storyboard under /v1/storyboards, and film it again."
        raise refusals.Refusal(400, "UNSUPPORTED", detail)

    async def _list(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        films, query = self._films(request), request.query_params
        text, order, after = query.get("limit", str(_PAGE)), query.get("order", "desc"), query.get("after", "")
        if not text.isdecimal() or not 1 <= int(text[:4]) <= _MOST_PAGE:
            raise refusals.bad_request([{"parameter": "limit", "detail": f"should be 1 to {_MOST_PAGE}"}])
        if order not in ("asc", "desc"):
            raise refusals.bad_request([{"parameter": "order", "detail": "should be asc or desc"}])
        found, more = await self._page(films, after, int(text), order == "asc")
        ids = [one["id"] for one in found]
        told = {"object": "list", "data": found, "has_more": more}
        return responses.JSONResponse(told | {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None})

    async def _page(self, films: single.Films, after: str, most: int, upwards: bool) -> tuple[list[Any], bool]:
        """Videos behind that one, and whether there are more; what is deleted is left out."""
        found: list[Any] = []
        async with contextlib.aclosing(_ids(films, after, upwards)) as ids:
            async for one in ids:
                if shown := await _shown(films, one):
                    found.append(shown)
                if len(found) > most:
                    return found[:most], True
        return found, False

    def _key(self, request: requests.Request, told: Mapping[str, Any]) -> str:
        """The request_id: of the Idempotency-Key; without one, a client's own retry has that of what it repeats."""
        if "idempotency-key" in request.headers:
            return binding.request_id(request)
        whole = json.dumps([request.headers.get("authorization", ""), sorted(told.items())])
        digest, now = hashlib.sha256(whole.encode()).digest(), time.monotonic()
        sent_at, key = self._sent.get(digest, (0.0, ""))
        is_retry = request.headers.get("x-stainless-retry-count", "0") != "0" and now - sent_at < _REMEMBERED_S
        if not (key and is_retry):
            key = str(uuid.uuid4())
        self._sent[digest] = now, key
        self._sent.move_to_end(digest)
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        return key


def video(production: job_pb2.Production, board: storyboard_pb2.Storyboard) -> dict[str, Any]:
    """A production as the protocol has it."""
    status = _STATUSES.get(production.state) or _status_of_jobs(production)
    specs = [job.spec for job in production.jobs]
    told: dict[str, Any] = {
        "id": production.id,
        "object": "video",
        "created_at": production.create_time.seconds,
        "completed_at": production.end_time.seconds if status == "completed" else None,
        "expires_at": None,
        "model": specs[0].model if specs else board.model,
        "status": status,
        "progress": 100 if status == "completed" else int(production.film_progress * 100),
        "prompt": single.words(board),
        "seconds": str(sum(scene.duration.seconds for scene in board.scenes)),
        "size": f"{board.size.width}x{board.size.height}" if board.HasField("size") else "1280x720",
        "remixed_from_video_id": None,
        "error": None,
    }
    if status == "failed":
        faults = [job.error for job in production.jobs if job.error.reason] or [production.error]
        reason = faults[0].reason or "CANCELED"
        told["error"] = {"code": reason.lower(), "message": faults[0].message or "The video was cancelled."}
    return told


def _status_of_jobs(production: job_pb2.Production) -> str:
    begun = any(job.state not in (job_pb2.Job.STATE_WAITING, job_pb2.Job.STATE_UNSPECIFIED) for job in production.jobs)
    return "in_progress" if begun or not production.jobs else "queued"


async def _ids(films: single.Films, after: str, upwards: bool) -> AsyncGenerator[str]:
    """The productions behind that one: ids sort by time, and lists come newest first."""
    asked, all_of_them = job_service_pb2.ListProductionsRequest(page_size=_READ_AT_ONCE), list[str]()
    while True:
        answer = await films.ask("jobs.ListProductions", asked)
        for one in answer.productions:
            if upwards:
                all_of_them.append(one.id)
            elif not after or one.id < after:
                yield one.id
        asked.page_token = answer.next_page_token
        if not asked.page_token or (upwards and after and all_of_them[-1] <= after):
            break
    for one_id in reversed(all_of_them):
        if one_id > after:
            yield one_id


async def _shown(films: single.Films, production_id: str) -> dict[str, Any] | None:
    try:
        return video(*await films.production(production_id))
    except refusals.Refusal:
        return None
    except grpc.aio.AioRpcError as fault:
        if fault.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise


async def _told(request: requests.Request) -> dict[str, Any]:
    """The fields of a form or of a JSON object. Raises Refusal."""
    if not request.headers.get("content-type", "").startswith(("multipart/form-data", "application/x-www-form")):
        told = await binding.document(request)
        if not isinstance(told, dict):
            raise refusals.bad_request([{"pointer": "", "detail": "should be an object"}], 400)
        return told
    size = request.headers.get("content-length", "")
    if not size.isdecimal() or int(size[:10]) > _MOST_BYTES:
        raise refusals.Refusal(413, "TOO_LARGE", f"A form says its length, and is not larger than {_MOST_BYTES} bytes.")
    try:
        async with request.form(max_files=1, max_fields=20) as form:
            return {name: _field(value) for name, value in form.items()}
    except formparsers.MultiPartException:
        raise refusals.bad_request([{"pointer": "", "detail": "is no form"}], 400) from None


def _field(value: datastructures.UploadFile | str) -> str:
    return value if isinstance(value, str) else "(a file)"


def wanted(told: Mapping[str, Any]) -> single.Wanted:
    """What the fields ask for. Raises Refusal."""
    faults = [{"pointer": f"/{name}", "detail": "is not known here"} for name in told if name not in _KNOWN]
    texts = {name: str(told.get(name) or "") for name in _KNOWN}
    if texts["input_reference"]:
        faults.append(
            {"pointer": "/input_reference", "detail": "is not taken here; use the references of a storyboard"}
        )
    if texts["seconds"] and not (texts["seconds"].isdecimal() and 1 <= int(texts["seconds"][:4]) <= 60):
        faults.append({"pointer": "/seconds", "detail": "should be a whole number of seconds, 1 to 60"})
    size = _SIZE.fullmatch(texts["size"] or "00x00")
    if size is None:
        faults.append({"pointer": "/size", "detail": "should be like 1280x720"})
    if faults or size is None:
        raise refusals.bad_request(faults)
    seconds = int(texts["seconds"] or 0)
    return single.Wanted(texts["prompt"], texts["model"], seconds, (int(size[1]), int(size[2])), texts["preset"])


def _refused(refused: refusals.Refusal) -> responses.Response:
    """What went wrong in the protocol's words."""
    status = 400 if refused.status == 422 else refused.status
    first = next(iter(refused.errors), {})
    param = first.get("pointer", "").strip("/") or first.get("parameter") or None
    told = {
        "message": " ".join([refused.detail, *(_sentence(it) for it in refused.errors)]),
        "type": _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
        "param": param,
        "code": refused.reason.lower(),
    }
    headers = problems.waits(refused)
    if not refused.retryable:
        headers["x-should-retry"] = "false"
    return responses.JSONResponse({"error": told}, status, headers)


def _sentence(fault: Mapping[str, str]) -> str:
    place = fault.get("pointer", "").strip("/") or fault.get("parameter", "")
    return f"{place} {fault['detail']}.".strip()
