"""Serves the media of a folder behind signed addresses, whole or a range of them."""

from collections.abc import Callable
from datetime import datetime

import fastapi
from fastapi import responses

from libs import blobs


def routes(store: blobs.Blobs, clock: Callable[[], datetime]) -> fastapi.APIRouter:
    """/media; with an S3 store nothing is there, since its own server is asked."""
    router = fastapi.APIRouter()

    @router.api_route("/media/{key:path}", methods=["GET", "HEAD"])
    async def media(key: str, expires: int, signature: str, name: str = "") -> fastapi.Response:
        known = isinstance(store, blobs.FolderStore) and store.verify_signature(key, expires, name, signature, clock())
        path = store.path_of(key) if known and isinstance(store, blobs.FolderStore) else None
        if path is None or not path.is_file():
            return responses.PlainTextResponse("This address is not valid any more; ask for the film again.\n", 404)
        blob = await store.stat(key)
        disposition = {"content-disposition": blobs.disposition(name)} if name else {}
        return responses.FileResponse(path, media_type=blob.content_type, headers=disposition)

    return router
