"""The verb of sounds that a film is given: they are taken in pieces, and kept for edit lists to name."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio

from libs import auth, blobs, errors
from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import compiler_service_pb2_grpc
from rushes.type.v1 import media_pb2
from services.compiler import sound_files, wire

DEADLINES_S = {"UploadSound": 300.0}
"""How long the verbs may take that bring many bytes."""

_AT_ONCE = 8  # so many files are on this disk at most


class Uploads(compiler_service_pb2_grpc.CompilerServiceServicer):
    """Takes sounds."""

    def __init__(self, files: blobs.Blobs) -> None:
        self._files, self._few = files, asyncio.Semaphore(_AT_ONCE)

    async def UploadSound(
        self, requests: AsyncIterator[pb.UploadSoundRequest], context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.UploadSoundResponse:
        """Kept under its digest: a repeated upload changes nothing, and does not wait for the bytes."""
        said = _said(await anext(aiter(requests), pb.UploadSoundRequest()))
        key = said.key(auth.caller().tenant_id)
        if not await self._is_kept(key):
            async with self._few:
                await self._keep(requests, said, key)
        sound = media_pb2.Blob(key=key, content_type=said.content_type, size_bytes=said.size_bytes, sha256=said.sha256)
        return pb.UploadSoundResponse(sound=sound)

    async def _is_kept(self, key: str) -> bool:
        try:
            await self._files.stat(key)
        except blobs.BlobMissing:
            return False
        return True

    async def _keep(self, requests: AsyncIterator[pb.UploadSoundRequest], said: sound_files.Upload, key: str) -> None:
        with tempfile.TemporaryDirectory(prefix="rushes-sound-") as folder:
            path = Path(folder) / "sound"
            await _receive(requests, path, said.size_bytes)
            if wrong := await asyncio.to_thread(sound_files.refusal, path, said):
                raise wire.BadRequest([errors.Violation("data", wrong)])
            await self._files.put_file(key, path, said.content_type)


def _said(first: pb.UploadSoundRequest) -> sound_files.Upload:
    """What the first message of an upload says. Raises BadRequest."""
    if not first.HasField("facts"):
        raise wire.BadRequest([errors.Violation("facts", "should be the first message, before the data")])
    said = sound_files.Upload(first.facts.content_type, first.facts.size_bytes, first.facts.sha256)
    if wrong := [errors.Violation(f"facts.{field}", should) for field, should in said.wrong()]:
        raise wire.BadRequest(wrong)
    return said


async def _receive(requests: AsyncIterator[pb.UploadSoundRequest], path: Path, size_bytes: int) -> None:
    """The bytes as a file; never more of them than was said. Raises BadRequest."""
    left = size_bytes
    with path.open("wb") as file:
        async for request in requests:
            left -= len(request.data)
            if not 0 < len(request.data) <= sound_files.LONGEST_PIECE_BYTES or left < 0:
                most = f"should be 1 to {sound_files.LONGEST_PIECE_BYTES} bytes a piece, and size_bytes in all"
                raise wire.BadRequest([errors.Violation("data", most)])
            await asyncio.to_thread(file.write, request.data)
    if left:
        raise wire.BadRequest([errors.Violation("data", f"is {left} bytes short of size_bytes; send all of them")])
