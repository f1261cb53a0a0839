"""Fetches a stored file through its signed address: whole, verified and in one step, or not at all."""

import asyncio
import hashlib
import http.client
import urllib.request
from pathlib import Path

from rushes.type.v1 import media_pb2
from services.cli import exits

_TRIES = 4
_PIECE_BYTES = 1 << 20


async def fetch(media: media_pb2.Media, path: Path) -> None:
    """Write the file. Raises Ended when it cannot be fetched, is not what was promised, or cannot be written."""
    for attempt in range(_TRIES):
        try:
            return await asyncio.to_thread(_fetch, media, path)
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            trouble = getattr(error, "reason", None) or error
        await asyncio.sleep(0.2 * 2**attempt)
    raise exits.Ended(f"{path} cannot be fetched: {trouble}. The same command tries again.")


def _fetch(media: media_pb2.Media, path: Path) -> None:
    draft, digest = path.with_name(f".{path.name}.part"), hashlib.sha256()
    try:
        with urllib.request.urlopen(media.url, timeout=30) as response, draft.open("wb") as file:
            while piece := response.read(_PIECE_BYTES):
                file.write(piece)
                digest.update(piece)
        if digest.hexdigest() != media.sha256:
            raise http.client.HTTPException("it arrived damaged")
        draft.replace(path)
    except OSError as error:
        if error.filename or error.errno == 28:
            raise exits.Ended(f"{path} cannot be written: {error.strerror}. Choose another place with -o.") from None
        raise
    finally:
        draft.unlink(missing_ok=True)
