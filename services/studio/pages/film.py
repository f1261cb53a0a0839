"""The film page: a cut to watch, what it is made of, the others, and the next one."""

import asyncio
import hashlib
import urllib.parse
import uuid
from typing import Any

import fastapi
from fastapi import responses
from starlette import requests

from rushes.compiler.v1 import compiler_service_pb2 as compiler
from rushes.compiler.v1 import film_pb2
from rushes.type.v1 import edit_list_pb2
from services.studio.pages import candidates, captions, cuts, cutting, shown, site

_PLACE = "/p/{storyboard_id}/film"
_RATE = 24
_FORMS = uuid.UUID("0b9f7c2e-5f0d-5d55-9d3a-6d0f3a3e7c41")
"""The namespace of the request ids of forms."""


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/film, its making and its captions."""
    router = fastapi.APIRouter()

    @router.get(_PLACE)
    async def show(
        request: requests.Request, storyboard_id: str, film: str = "", same: bool = False
    ) -> responses.Response:
        told, made = await asyncio.gather(
            cuts.reel(of, request, storyboard_id), candidates.productions(of, request, storyboard_id, 1)
        )
        cut = told.shown(film)
        if cut:
            cut = cut._replace(film=await _film(of, request, cut.film.id))
        page = {"reel": told, "cut": cut, "same": same, "same_origin": _is_ours(of, request)}
        return of.show(request, "film.html", page | _of_cut(told, cut, made))

    @router.post(_PLACE)
    async def make(request: requests.Request, storyboard_id: str) -> responses.Response:
        form = await request.form()
        told = await cuts.reel(of, request, storyboard_id)
        takes = await cuts.sources(of, request, told)
        wanted = cutting.edit_list(told.board, takes, cutting.read(form), _rate(told.shown("")))
        if known := cuts.same(told, wanted):
            return responses.RedirectResponse(f"{request.url.path}?film={known.film.id}&same=1", 303)
        asked = compiler.CreateFilmRequest(request_id=_key(form, wanted), edit_list=wanted, storyboard_id=storyboard_id)
        made = (await of.ask(request, "compiler.CreateFilm", asked)).film
        return responses.RedirectResponse(f"{request.url.path}?film={made.id}", 303)

    @router.get(_PLACE + "/{film_id}/making")
    async def making(request: requests.Request, storyboard_id: str, film_id: str) -> responses.Response:
        film = await _film(of, request, film_id)
        place, ended = f"/p/{storyboard_id}/film?film={film_id}", film.state in cuts.ENDS
        if not site.wants_fragment(request):
            return responses.RedirectResponse(place, 303)
        if ended and _awaits(request, film_id):
            return responses.Response(status_code=200, headers={"hx-redirect": place})
        return of.show(request, "parts/making.html", {"film": film, "id": storyboard_id})

    @router.post(_PLACE + "/{film_id}/cancel")
    async def cancel(request: requests.Request, storyboard_id: str, film_id: str) -> responses.Response:
        await of.ask(request, "compiler.CancelFilm", compiler.CancelFilmRequest(film_id=film_id))
        return responses.RedirectResponse(f"/p/{storyboard_id}/film", 303)

    @router.get(_PLACE + "/{film_id}/captions.vtt")
    async def vtt(request: requests.Request, storyboard_id: str, film_id: str) -> responses.Response:
        text = captions.vtt(await _film(of, request, film_id))
        return responses.Response(text, media_type="text/vtt", headers={"cache-control": "no-store"})

    return router


async def _film(of: site.Site, request: requests.Request, film_id: str) -> film_pb2.Film:
    film: film_pb2.Film = (await of.ask(request, "compiler.GetFilm", compiler.GetFilmRequest(film_id=film_id))).film
    return film


def _awaits(request: requests.Request, film_id: str) -> bool:
    """Whether the page was opened for this film: who watches another one is not interrupted."""
    return dict(urllib.parse.parse_qsl(site.page(request).query)).get("film") == film_id


def _of_cut(told: cuts.Reel, cut: cuts.Cut | None, made: list[Any]) -> dict[str, Any]:
    newest = next((one for one in told.cuts if one.is_done), None)
    chosen = cutting.chosen(cut.film.edit_list, told.board) if cut else cutting.Settings()
    return {
        "absent": shown.absent(told, cut, made),
        "news": shown.news(told, newest) if newest else (),
        "newest": newest,
        "next": told.cuts[0].number + 1 if told.cuts else 1,
        "key": str(uuid.uuid4()),
        "settings": chosen,
        "choices": cutting,
        "sizes": cutting.sizes(told.board),
        "captioned": cut is not None and captions.has(cut.film),
        "makers": shown.makers(cut.film) if cut else {},
        "numbers": {scene.id: number for number, scene in enumerate(told.board.scenes, 1)},
        "ticks": shown.ticks(cut.film) if cut and cut.is_done else (),
    }


def _rate(cut: cuts.Cut | None) -> int:
    """The rate that lengths of cards and fades are counted at."""
    return round(cut.rate) or _RATE if cut else _RATE


def _is_ours(of: site.Site, request: requests.Request) -> bool:
    """Whether scripts of the page may read media: they may read what is served beside it."""
    return of.media_origin() == f"{request.url.scheme}://{request.url.netloc}"


def _key(form: Any, wanted: edit_list_pb2.EditList) -> str:
    """One for a form and what it asks for: sent twice it makes one film, sent with other settings another."""
    told = f"{form.get('key', '')} {hashlib.sha256(wanted.SerializeToString(deterministic=True)).hexdigest()}"
    return str(uuid.uuid5(_FORMS, told))
