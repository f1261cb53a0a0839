"""The verbs of what is seen of people and places."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from libs import auth, blobs, errors
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, domain, guests, stills, store, wire
from services.storyboard.api import desk


class Things(desk.Desk):
    """Take their reference images."""

    async def UploadReference(
        self, requests: AsyncIterator[pb.UploadReferenceRequest], context: desk.Context
    ) -> pb.UploadReferenceResponse:
        """Kept under its digest: a repeated upload changes nothing."""
        first = await anext(aiter(requests), pb.UploadReferenceRequest())
        upload, tenant_id = asks.upload(first), auth.caller().tenant_id
        if guests.is_guest(tenant_id):  # the key would name a tenant that is not the claimer's
            raise guests.SignInFirst
        async with self._database.tenant(tenant_id) as conn:
            board = await store.get(conn, tenant_id, asks.storyboard_id(upload.storyboard_id))
        still = upload.blob(tenant_id)
        asks.reference(board.content, upload, still)  # before the bytes: what cannot be added is not taken
        if self._blobs is None:
            raise blobs.StorageUnavailable(why="RUSHES_BLOBS_URL is not set for the storyboard service")
        with tempfile.TemporaryDirectory(prefix="rushes-still-") as folder:
            path = Path(folder) / "still"
            await _receive(requests, path, upload)
            if wrong := await asyncio.to_thread(stills.refusal, path, upload):
                raise wire.BadRequest([errors.Violation("data", wrong)])
            await self._blobs.put_file(still.key, path, still.content_type)

        def edit(content: domain.Content) -> domain.Content:
            return asks.reference(content, upload, still)

        board = await self._edit(upload.storyboard_id, "", first, edit)
        return pb.UploadReferenceResponse(storyboard=wire.from_storyboard(board))


async def _receive(requests: AsyncIterator[pb.UploadReferenceRequest], path: Path, upload: stills.Upload) -> None:
    """The bytes as a file; never more of them than was said. Raises Invalid."""
    left = upload.size_bytes
    with path.open("wb") as file:
        async for request in requests:
            left -= len(request.data)
            if not request.data or len(request.data) > stills.LONGEST_PIECE_BYTES or left < 0:
                most = f"should be 1 to {stills.LONGEST_PIECE_BYTES} bytes a piece, and size_bytes in all"
                raise wire.BadRequest([errors.Violation("data", most)])
            await asyncio.to_thread(file.write, request.data)
    if left:
        raise wire.BadRequest([errors.Violation("data", f"is {left} bytes short of size_bytes; send all of them")])
