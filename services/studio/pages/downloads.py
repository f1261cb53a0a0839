"""What can be taken home of a film: its files, and exports that are made when they are asked for."""

from typing import NamedTuple

import fastapi
from fastapi import responses
from starlette import requests

from rushes.compiler.v1 import compiler_service_pb2 as compiler
from rushes.compiler.v1 import export_pb2, film_pb2
from rushes.type.v1 import media_pb2
from services.studio.pages import site

_PLACE = "/p/{storyboard_id}/film/{film_id}"
_FILES = {
    "mp4": ("video", "Film, MP4"),
    "poster": ("poster", "Poster"),
    "contact_sheet": ("contact_sheet", "Contact sheet"),
    "captions_vtt": ("captions_vtt", "Captions, WebVTT"),
    "captions_srt": ("captions_srt", "Captions, SubRip"),
    "manifest": ("manifest", "Provenance manifest"),
}
_EXPORTS = {
    "scenes": "Every clip, ZIP",
    "otio": "Timeline, OpenTimelineIO",
    "fcpxml": "Timeline, FCPXML",
    "edl": "Timeline, EDL",
    "csv": "Shot list, CSV",
    "hls": "For streaming, HLS",
}
_Export = export_pb2.Export


class Item(NamedTuple):
    """A file: where it is asked for, and what it is called and weighs once it is there."""

    title: str
    place: str
    file: media_pb2.Media | None
    export: export_pb2.Export | None = None

    @property
    def under_way(self) -> bool:
        """Whether it is under way."""
        return self.export is not None and self.export.state in (_Export.STATE_QUEUED, _Export.STATE_RUNNING)


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/film/{film}/downloads and its exports."""
    router = fastapi.APIRouter()

    @router.get(_PLACE + "/downloads")
    async def downloads(request: requests.Request, storyboard_id: str, film_id: str) -> responses.Response:
        return await _show(of, request, storyboard_id, film_id)

    @router.post(_PLACE + "/exports/{name}")
    async def export(request: requests.Request, storyboard_id: str, film_id: str, name: str) -> responses.Response:
        kind = _Export.Format.Value(f"FORMAT_{name.upper()}") if name in _EXPORTS else _Export.FORMAT_UNSPECIFIED
        await of.ask(request, "compiler.ExportFilm", compiler.ExportFilmRequest(film_id=film_id, format=kind))
        if site.wants_fragment(request):
            return await _show(of, request, storyboard_id, film_id)
        return responses.RedirectResponse(f"/p/{storyboard_id}/film/{film_id}/downloads", 303)

    @router.get(_PLACE + "/exports/{name}")
    async def fetch(request: requests.Request, storyboard_id: str, film_id: str, name: str) -> responses.Response:
        """To the file, under an address that is good now."""
        told = await of.ask(request, "compiler.ListExports", compiler.ListExportsRequest(film_id=film_id))
        found = next((one.media.url for one in told.exports if _name(one) == name), "")
        place = found or f"/p/{storyboard_id}/film?film={film_id}#downloads"
        return responses.RedirectResponse(place, 307, {"cache-control": "no-store"})

    return router


async def _show(of: site.Site, request: requests.Request, storyboard_id: str, film_id: str) -> responses.Response:
    film = (await of.ask(request, "compiler.GetFilm", compiler.GetFilmRequest(film_id=film_id))).film
    told = await of.ask(request, "compiler.ListExports", compiler.ListExportsRequest(film_id=film_id))
    items = _items(storyboard_id, film, told.exports)
    template = "parts/downloads.html" if site.wants_fragment(request) else "downloads.html"
    return of.show(request, template, {"items": items, "film": film, "id": storyboard_id})


def _items(storyboard_id: str, film: film_pb2.Film, exports: list[export_pb2.Export]) -> list[Item]:
    files = [
        Item(title, f"/v1/films/{film.id}:media?format={part}", getattr(film, field))
        for part, (field, title) in _FILES.items()
        if film.HasField(field)  # type: ignore[arg-type]
    ]
    made = {_name(one): one for one in exports}
    place = _PLACE.format(storyboard_id=storyboard_id, film_id=film.id) + "/exports/"
    return [*files, *(_exported(title, place + name, made.get(name)) for name, title in _EXPORTS.items())]


def _exported(title: str, place: str, export: export_pb2.Export | None) -> Item:
    done = export is not None and export.state == _Export.STATE_COMPLETED
    return Item(title, place, export.media if export and done else None, export)


def _name(export: export_pb2.Export) -> str:
    return _Export.Format.Name(export.format).removeprefix("FORMAT_").lower()
