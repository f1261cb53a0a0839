"""The buckets that Veo's clips lie in, told as the JSON API of Google Cloud Storage tells them."""

import re
import sys
import urllib.parse
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox import domain, fields, stage, wire

_PAGE = range(1, 1001)
_FILE = "/sample_0.mp4"
_PLACE = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])/?(.*)")


def place(uri: object) -> tuple[str | None, str]:
    """The bucket and the prefix that a clip goes to; no bucket when it is wanted in the answer. Raises Refused."""
    if uri is None:
        return None, ""
    match = _PLACE.fullmatch(str(uri))
    if match is None:
        raise fields.invalid("storageUri", uri, "gs://BUCKET/PREFIX")
    return match[1], match[2] and match[2].rstrip("/") + "/"


def path_of(clip: domain.Clip) -> str:
    """Vertex puts each operation's clips into a folder that it names itself."""
    return f"{clip.order.notes['prefix']}{clip.id.removeprefix(domain.ID_PREFIX['veo'])}{_FILE}"


class Bucket:
    """The objects of a bucket are the finished clips whose `storageUri` is there."""

    def __init__(self, door: stage.Stage) -> None:
        """`door` is that of Veo's dialect."""
        self._stage = door

    async def list(self, request: Request, key: str) -> Response:
        """The objects under a prefix, in the order of their names. Raises Refused."""
        query, prefix = request.query_params, request.query_params.get("prefix", "")
        limit = fields.whole(query.get("maxResults", "1000"), "maxResults", _PAGE)
        start = fields.whole(query.get("pageToken", "0"), "pageToken", range(10**9))
        stored = [clip for clip in self._stage.page(None, sys.maxsize, False)[0] if _is_in(clip, request)]
        found = sorted((clip for clip in stored if path_of(clip).startswith(prefix)), key=path_of)
        told: dict[str, Any] = {"kind": "storage#objects"}
        if len(found) > start + limit:
            told["nextPageToken"] = str(start + limit)
        if page := found[start : start + limit]:
            told["items"] = [_object(request, clip) for clip in page]
        return JSONResponse(told)

    async def object(self, request: Request, key: str) -> Response:
        """One object, or with `alt=media` its bytes. Raises Refused."""
        path = request.path_params["object"]
        clip = self._stage.find(domain.ID_PREFIX["veo"] + path.removesuffix(_FILE).rpartition("/")[2])
        if not _is_in(clip, request) or path_of(clip) != path:
            raise wire.Refused(404, "not_found", f"No such object: {request.path_params['bucket']}/{path[:200]}")
        if request.query_params.get("alt") == "media":
            return self._stage.content(request, clip.id)
        return JSONResponse(_object(request, clip))


def _is_in(clip: domain.Clip, request: Request) -> bool:
    stored = clip.status == "completed" and clip.footage is not None
    return stored and clip.order.notes["bucket"] == request.path_params["bucket"]


def _object(request: Request, clip: domain.Clip) -> dict[str, Any]:
    bucket, path, footage = clip.order.notes["bucket"], path_of(clip), clip.footage
    own = f"{request.base_url}vertex/storage/v1/b/{bucket}/o/{urllib.parse.quote(path, safe='')}"
    made = fields.moment(clip.ended_at)
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{path}/1",
        "name": path,
        "bucket": bucket,
        "generation": "1",
        "contentType": "video/mp4",
        "size": str(footage.size_bytes if footage else 0),
        "timeCreated": made,
        "updated": made,
        "selfLink": own,
        "mediaLink": f"{own}?generation=1&alt=media",
    }
