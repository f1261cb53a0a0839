"""The characters, locations and props of a storyboard, one by one: each change is an edit of the storyboard."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette import responses

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from services.studio.rest import binding, calls, refusals, shapes

_Change = Callable[[calls.Asked, Any], None]


def adding(kind: str) -> Callable[[calls.Asked], Awaitable[responses.Response]]:
    """Adds the body to that list."""

    def change(asked: calls.Asked, things: Any) -> None:
        _read(asked, things.add())

    return _editing(kind, change)


def changing(kind: str) -> Callable[[calls.Asked], Awaitable[responses.Response]]:
    """Changes the fields of one that the body has; null clears one."""

    def change(asked: calls.Asked, things: Any) -> None:
        thing = things[_place(asked, things)]
        for name in asked.body:
            if name in thing.DESCRIPTOR.fields_by_name:
                thing.ClearField(name)
        _read(asked, thing)

    return _editing(kind, change)


def removing(kind: str) -> Callable[[calls.Asked], Awaitable[responses.Response]]:
    """Takes one out."""

    def change(asked: calls.Asked, things: Any) -> None:
        del things[_place(asked, things)]

    return _editing(kind, change)


def _editing(kind: str, change: _Change) -> Callable[[calls.Asked], Awaitable[responses.Response]]:
    async def do(asked: calls.Asked) -> responses.Response:
        board: storyboard_pb2.Storyboard = (await asked.ask("boards.GetStoryboard", asked.message)).storyboard
        change(asked, getattr(board, kind))
        board.etag = binding.seen(asked.request) or board.etag
        edit = boards_pb.UpdateStoryboardRequest(storyboard=board)
        edit.update_mask.paths.append(kind)
        return calls.answer(asked, await asked.ask("boards.UpdateStoryboard", edit))

    return do


def _place(asked: calls.Asked, things: Any) -> int:
    for index, thing in enumerate(things):
        if thing.id == asked.path["thing_id"]:
            return index
    raise refusals.Refusal(404, "THING_NOT_FOUND", "The storyboard has no such character, location or prop.")


def _read(asked: calls.Asked, thing: Any) -> None:
    faults = shapes.Faults()
    clears = asked.request.method == "PATCH"
    told = {name: it for name, it in asked.body.items() if name != "id" and not (clears and it is None)}
    shapes.shape(thing.DESCRIPTOR).read(told, thing, "", faults)
    if faults.found:
        raise refusals.bad_request(faults.found)
