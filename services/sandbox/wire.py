"""What every dialect needs of HTTP: bodies read with a limit, images checked, clips sent with ranges."""

import asyncio
import base64
import binascii
import io
import json
import urllib.parse
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from services.sandbox import domain

MAX_BODY = 40 * 2**20
MAX_IMAGE = 20 * 2**20
_MAX_PIXELS = 50_000_000
_LARGE = 2**18
_FORMATS = {"PNG", "JPEG", "WEBP"}


class Refused(Exception):
    """A request that gets an error: HTTP status, the dialect's code, one sentence, and the field it is about.

    `headers` go with the answer; `details` into its body, in dialects of Google.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.headers, self.details = dict(headers or {}), details


class Dropped(Response):
    """No answer, or only the first pieces of one: the connection is closed."""

    def __init__(self, pieces: AsyncIterator[bytes] | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is to send, and hang up."""
        if self._pieces:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        # ASGI has no word for hanging up; `receive` is a method of uvicorn's connection, which has its transport.
        cycle: Any = receive.__self__  # type: ignore[attr-defined]
        cycle.transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def header(request: Request, name: str) -> str | None:
    """A name that the caller has given, cut to a length we keep; None when there is none."""
    return request.headers.get(name, "").strip()[:200] or None


def callback_url(value: object, param: str) -> str | None:
    """An absolute http address; None when there is none. Raises Refused."""
    if value in (None, ""):
        return None
    try:
        parts = urllib.parse.urlsplit(str(value))
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise Refused(400, "invalid_value", f"{param} should be an absolute http or https address.", param)
    return str(value)


def check_length(request: Request) -> None:
    """Refuse a body that is too large, or that does not say how large it is."""
    length = request.headers.get("content-length")
    if length is None or not length.isdigit():
        raise Refused(411, "length_required", "Send the body with a Content-Length header.")
    if int(length) > MAX_BODY:
        raise Refused(413, "request_too_large", f"The body may be at most {MAX_BODY // 2**20} MiB.")


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises Refused."""
    check_length(request)
    body = await request.body()
    try:
        value = await asyncio.to_thread(json.loads, body) if len(body) > _LARGE else json.loads(body)
    except ValueError:
        raise Refused(400, "invalid_json", "The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Refused(400, "invalid_json", "The body should be a JSON object.")
    return value


def from_base64(text: object, param: str) -> bytes:
    """The bytes of base64 text, with or without `data:…;base64,` before it. Raises Refused."""
    try:
        return base64.b64decode(str(text).partition(";base64,")[2] or str(text), validate=True)
    except binascii.Error:
        raise Refused(400, "invalid_base64", f"{param} is not valid base64.", param) from None


async def checked_image(image: bytes, param: str) -> bytes:
    """The same bytes, when they are a picture we can open. Raises Refused."""
    if len(image) > MAX_IMAGE:
        raise Refused(400, "image_too_large", f"{param} may be at most {MAX_IMAGE // 2**20} MiB.", param)
    try:
        await asyncio.to_thread(_open, image)
    except Exception:
        raise Refused(
            400, "invalid_image", f"{param} should be a PNG, JPEG or WebP image of at most 50 megapixels.", param
        ) from None
    return image


def _open(image: bytes) -> None:
    with PIL.Image.open(io.BytesIO(image), formats=sorted(_FORMATS)) as picture:
        if picture.width * picture.height > _MAX_PIXELS:
            raise ValueError("too many pixels")
        picture.load()


def clip_response(request: Request, reels: Path, footage: domain.Footage, in_memory: bytes) -> Response:
    """The bytes of a clip, whole or the range that was asked for, under an ETag that only changes with them."""
    headers = {"etag": f'"{footage.sha256}"', "cache-control": "private", "accept-ranges": "bytes"}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if in_memory and "range" not in request.headers:
        return Response(in_memory, headers=headers, media_type="video/mp4")
    return FileResponse(reels / f"{footage.name}.mp4", headers=headers, media_type="video/mp4")
