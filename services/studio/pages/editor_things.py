"""The cast drawer: people, places and props that are added, renamed everywhere, shown by stills and taken out."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import fastapi
from starlette import datastructures, requests, responses

from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway
from rushes.provider_gateway.v1 import submission_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from rushes.type.v1 import money_pb2
from services.studio.pages import editor_acts, editor_board, site
from services.studio.rest import calls, files, refusals

_WORDS = {"characters": "profile", "locations": "description", "props": "description"}
_PIECE, _UPLOAD_S = 500_000, 120.0
_CAST = {"open": "cast"}


def routes(of: site.Site) -> fastapi.APIRouter:
    """The forms of the drawers."""
    router = fastapi.APIRouter()

    @router.post("/p/{storyboard_id}/things/{kind}")
    async def add(request: requests.Request, storyboard_id: str, kind: str) -> responses.Response:
        form, board = await request.form(), await editor_board.Looks(of, request, storyboard_id).board()
        things(board, kind).add(**{"name": _text(form, "name"), _WORDS[kind]: _text(form, "words")})
        return await _edit(of, request, board, [kind])

    @router.post("/p/{storyboard_id}/things/{kind}/{thing_id}")
    async def change(request: requests.Request, storyboard_id: str, kind: str, thing_id: str) -> responses.Response:
        """Words and name of one; the scenes that call it by its name call it by the new one. Or it is taken out."""
        form, board = await request.form(), await editor_board.Looks(of, request, storyboard_id).board()
        one = next((it for it in things(board, kind) if it.id == thing_id), None)
        if one is None:
            raise refusals.Refusal(404, "THING_NOT_FOUND", "The storyboard has no such character, location or prop.")
        if form.get("do") == "delete":
            _rename(board, kind, one.name, "")
            things(board, kind).remove(one)
        else:
            _rename(board, kind, one.name, _text(form, "name"))
            one.name = _text(form, "name")
            setattr(one, _WORDS[kind], _text(form, "words"))
        return await _edit(of, request, board, [kind, "scenes"])

    @router.post("/p/{storyboard_id}/stills/{thing_id}")
    async def still(request: requests.Request, storyboard_id: str, thing_id: str) -> responses.Response:
        await editor_board.Looks(of, request, storyboard_id).board()  # who may not do it does not fill our disk
        file = (await request.form()).get("still")
        if not isinstance(file, datastructures.UploadFile) or file.content_type not in files.STILLS:
            raise refusals.bad_request([{"pointer": "/still", "detail": "should be a PNG, JPEG or WebP picture"}])
        call = of.services.stub("boards.UploadReference")
        await call(_pieces(storyboard_id, thing_id, file), timeout=_UPLOAD_S, metadata=calls.bearer(request))
        return await editor_acts.shown(of, request, storyboard_id, _CAST)

    @router.post("/p/{storyboard_id}/budget")
    async def budget(request: requests.Request, storyboard_id: str) -> responses.Response:
        form = await request.form()
        try:
            micros = round(float(_text(form, "limit")) * 1_000_000)
        except (ValueError, OverflowError):
            raise refusals.bad_request(
                [{"pointer": "/limit", "detail": "should be an amount such as 100.00"}]
            ) from None
        asked = gateway.SetBudgetRequest(
            limit=money_pb2.Money(currency=_text(form, "currency"), micros=micros),
            scope=submission_pb2.Budget.SCOPE_STORYBOARD,
            scope_id=storyboard_id,
        )
        await of.ask(request, "gateway.SetBudget", asked)
        return await editor_acts.shown(of, request, storyboard_id, {"open": "project"})

    return router


def things(board: storyboard_pb2.Storyboard, kind: str) -> Any:
    """The list of that kind. Raises Refusal for another word."""
    if kind not in _WORDS:
        raise refusals.Refusal(404, "ROUTE_NOT_FOUND", "There is nothing at this address.")
    return getattr(board, kind)


async def _edit(
    of: site.Site, request: requests.Request, board: storyboard_pb2.Storyboard, kinds: list[str]
) -> responses.Response:
    edit = boards.UpdateStoryboardRequest(storyboard=board)
    edit.update_mask.paths.extend(kinds)
    await of.ask(request, "boards.UpdateStoryboard", edit)
    return await editor_acts.shown(of, request, board.id, _CAST)


def _rename(board: storyboard_pb2.Storyboard, kind: str, old: str, new: str) -> None:
    """In every scene; without a new name it is left out."""
    for scene in board.scenes:
        if kind == "locations":
            scene.location = new if scene.location == old else scene.location
        else:
            field = "cast" if kind == "characters" else "props"
            names = [new if name == old else name for name in getattr(scene, field)]
            scene.ClearField(field)  # type: ignore[arg-type]
            getattr(scene, field).extend(name for name in names if name)


def _text(form: datastructures.FormData, name: str) -> str:
    return str(form.get(name, "")).replace("\r\n", "\n").strip()


async def _pieces(storyboard_id: str, thing_id: str, file: datastructures.UploadFile) -> AsyncIterator[Any]:
    """The facts, then the picture; its form has it on the disk."""
    digest = hashlib.sha256()
    while data := await file.read(_PIECE):
        digest.update(data)
    await file.seek(0)
    facts = boards.UploadReferenceRequest.Facts(
        storyboard_id=storyboard_id,
        thing_id=thing_id,
        content_type=file.content_type or "",
        size_bytes=file.size or 0,
        sha256=digest.hexdigest(),
    )
    yield boards.UploadReferenceRequest(facts=facts)
    while data := await file.read(_PIECE):
        yield boards.UploadReferenceRequest(data=data)
