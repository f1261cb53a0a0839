"""Leads to stored media: a signed address that is good for a while, as a redirect and as JSON."""

from typing import Any

from google.protobuf import timestamp_pb2
from starlette import responses

from rushes.compiler.v1 import compiler_service_pb2 as compiler_pb
from rushes.type.v1 import media_pb2
from services.studio.rest import calls, refusals

FILM_PARTS = {
    "mp4": "video",
    "poster": "poster",
    "contact_sheet": "contact_sheet",
    "sprite": "sprite",
    "sprite_vtt": "sprite_vtt",
    "captions_vtt": "captions_vtt",
    "captions_srt": "captions_srt",
    "manifest": "manifest",
}
TAKE_PARTS = ("mp4", "poster", "last_frame")
_GOOD_FOR_S = 3600
_POSTER_PIXELS, _LONGEST_TITLE = 640, 200


async def of_film(asked: calls.Asked) -> responses.Response:
    """A file of a finished film."""
    film = (await asked.ask("compiler.GetFilm", asked.message)).film
    wanted = FILM_PARTS[asked.request.query_params.get("format", "mp4")]
    if not film.HasField(wanted):
        raise _absent(f"The film {film.id} has no {wanted}, or not yet.")
    return led(getattr(film, wanted))


async def of_take(asked: calls.Asked) -> responses.Response:
    """The clip of a take, or a still of it."""
    take = (await asked.ask("jobs.GetTake", asked.message)).take
    wanted = asked.request.query_params.get("format", "mp4")
    if wanted == "poster":
        still = compiler_pb.ExtractStillRequest(clip=take.clip, longest_side=_POSTER_PIXELS)
        return led((await asked.ask("compiler.ExtractStill", still)).media)
    if wanted == "last_frame" and not take.HasField("last_frame"):
        raise _absent(f"The last frame of the take {take.id} was not kept.")
    blob = take.last_frame if wanted == "last_frame" else take.clip
    title = asked.request.query_params.get("title") or f"scene {take.scene_number:03} {take.scene_title}".strip()
    return led(signed(asked.services, blob, title[:_LONGEST_TITLE]))


def signed(services: calls.Services, blob: Any, title: str) -> media_pb2.Media:
    """A blob with an address that is good for an hour; `title` becomes the name of the file."""
    now = services.clock()
    name = f"{title}.{blob.key.rpartition('.')[2]}".replace("/", " ")
    expires = timestamp_pb2.Timestamp(seconds=int(now.timestamp()) + _GOOD_FOR_S)
    return media_pb2.Media(
        url=services.store.sign(blob.key, _GOOD_FOR_S, name, now),
        expire_time=expires,
        file_name=name,
        content_type=blob.content_type,
        size_bytes=blob.size_bytes,
        sha256=blob.sha256,
    )


def led(told: media_pb2.Media) -> responses.Response:
    """A redirect to the bytes, whose body says the same."""
    return calls.written(told, 307, {"location": told.url, "cache-control": "no-store"})


def _absent(detail: str) -> refusals.Refusal:
    return refusals.Refusal(404, "MEDIA_MISSING", detail)
