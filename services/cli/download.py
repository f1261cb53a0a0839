"""Fetches a stored file through its signed address: whole, verified and in one step, or not at all."""

import asyncio
import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from rushes.type.v1 import media_pb2
from services.cli import exits

_PAUSES_S = (0.1, 0.5, 1.5, 4.0, 8.0)  # a studio that was killed is back by then
_SILENCE_S = 30.0
_PIECE_BYTES = 1 << 20


async def fetch(media: media_pb2.Media, path: Path) -> None:
    """Write the file. Raises Ended when it cannot be fetched, is not what was promised, or cannot be written."""
    for pause_s in (*_PAUSES_S, None):
        try:
            return await asyncio.to_thread(_fetch, media, path)
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            if pause_s is None:
                trouble = getattr(error, "reason", error)
                raise exits.Ended(f"{path} cannot be fetched: {trouble}. The same command tries again.") from None
            await asyncio.sleep(pause_s)
        except OSError as error:
            raise exits.Ended(
                f"{path} cannot be written: {error.strerror}. Choose another place with -o: the film is kept, and "
                "is fetched without being made or paid again."
            ) from None


def _fetch(media: media_pb2.Media, path: Path) -> None:
    draft, digest = path.with_name(f".{path.name}.part"), hashlib.sha256()
    try:
        with draft.open("wb") as file, urllib.request.urlopen(media.url, timeout=_SILENCE_S) as response:
            while piece := response.read(_PIECE_BYTES):
                file.write(piece)
                digest.update(piece)
        if digest.hexdigest() != media.sha256:
            raise exits.Ended(f"{path} cannot be fetched: it arrived damaged. The same command tries again.")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
