"""Files out of storyboards, and files into them: bodies that are no JSON."""

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import IO, Any

from starlette import requests, responses

from libs import blobs
from rushes.compiler.v1 import compiler_service_pb2 as compiler_pb
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from services.studio.rest import calls, refusals

STILLS = ("image/png", "image/jpeg", "image/webp")
SOUNDS = ("audio/mpeg", "audio/wav", "audio/flac", "audio/mp4", "audio/ogg")
_MOST_STILL, _MOST_SOUND = 10_000_000, 200_000_000
_IN_MEMORY, _PIECE = 1_000_000, 500_000
_UPLOAD_S = 120.0
_MOST_WARNINGS = 20


async def exported(asked: calls.Asked) -> responses.Response:
    """The file of a storyboard; the header `rushes-warnings` tells what cannot be brought back from it."""
    told = await asked.ask("boards.ExportStoryboard", asked.message)
    texts = [it.text for it in told.warnings][:_MOST_WARNINGS]
    headers = {"content-disposition": blobs.disposition(told.file_name), "cache-control": "no-store"}
    return responses.Response(
        told.data, 200, headers | {"rushes-warnings": json.dumps(texts)}, told.content_type or "text/plain"
    )


async def reference(asked: calls.Asked) -> responses.Response:
    """A still of a character or location; the storyboard in its newest revision."""
    kind = _content_type(asked.request)
    board = boards_pb.GetStoryboardRequest(storyboard_id=asked.path["storyboard_id"])
    await asked.ask("boards.GetStoryboard", board)  # who may not do it does not fill our disk

    def first(size: int, sha256: str) -> Any:
        facts = boards_pb.UploadReferenceRequest.Facts(
            storyboard_id=asked.path["storyboard_id"],
            thing_id=asked.path["thing_id"],
            content_type=kind,
            size_bytes=size,
            sha256=sha256,
        )
        return boards_pb.UploadReferenceRequest(facts=facts)

    told = await _uploaded(asked, first, boards_pb.UploadReferenceRequest, _MOST_STILL)
    return calls.answer(asked, told)


async def sound(asked: calls.Asked) -> responses.Response:
    """Music or a narration, for edit lists to name."""
    kind = _content_type(asked.request)
    await asked.ask("compiler.ListFilms", compiler_pb.ListFilmsRequest(page_size=1))  # who may not fills no disk

    def first(size: int, sha256: str) -> Any:
        facts = compiler_pb.UploadSoundRequest.Facts(content_type=kind, size_bytes=size, sha256=sha256)
        return compiler_pb.UploadSoundRequest(facts=facts)

    return calls.answer(asked, await _uploaded(asked, first, compiler_pb.UploadSoundRequest, _MOST_SOUND))


async def _uploaded(asked: calls.Asked, first: Callable[[int, str], Any], piece: Callable[..., Any], most: int) -> Any:
    """The service's answer to the body; it is kept on the disk, as the facts come before the bytes."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        digest = hashlib.sha256()
        size = 0
        async for part in asked.request.stream():
            size += len(part)
            if size > most:
                raise refusals.Refusal(413, "TOO_LARGE", f"The file is larger than {most} bytes.")
            digest.update(part)
            await asyncio.to_thread(file.write, part)
        await asyncio.to_thread(file.seek, 0)
        pieces = _pieces(file, first(size, digest.hexdigest()), piece)
        stub = asked.services.stub(asked.route.call)
        return await stub(pieces, timeout=_UPLOAD_S, metadata=calls.bearer(asked.request))


async def _pieces(file: IO[bytes], first: Any, piece: Callable[..., Any]) -> AsyncIterator[Any]:
    yield first
    while data := await asyncio.to_thread(file.read, _PIECE):
        yield piece(data=data)


def _content_type(request: requests.Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
