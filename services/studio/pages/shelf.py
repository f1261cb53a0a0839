"""Which projects are shown, and in which order: pages by place, so that none is shown twice."""

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from starlette import requests

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.studio.pages import site

_B = storyboard_pb2.Storyboard
SHOWN = {"all": "All", "running": "Running", "you": "Needs you", "archived": "Archived", "deleted": "Deleted"}
SORTS = {"changed": "Changed", "newest": "Newest", "name": "Name"}
_STATES = {"deleted": _B.STATE_DELETED, "archived": _B.STATE_ARCHIVED}
_KEYS: dict[str, Callable[[_B], tuple[Any, ...]]] = {
    "changed": lambda board: (-board.update_time.ToMicroseconds(), board.id),
    "newest": lambda board: (-board.create_time.ToMicroseconds(), board.id),
    "name": lambda board: (board.name.casefold(), board.id),
}
_SIZE, _READ, _MOST = 12, 200, 1000
LONGEST_QUERY = 200


class Wish(NamedTuple):
    """What somebody wants to see; `after` is the place where the page before ended."""

    query: str
    show: str
    sort: str
    after: str


def wish(query: str, show: str, sort: str, after: str) -> Wish:
    """As an address says it; what is not known is left out."""
    show, sort = show if show in SHOWN else "all", sort if sort in SORTS else "changed"
    return Wish(query.strip()[:LONGEST_QUERY], show, sort, after)


async def look(
    of: site.Site, request: requests.Request, wanted: Wish, only: Collection[str] | None
) -> tuple[list[_B], str]:
    """A page of storyboards, of `only` these ids if told, and the place to go on from, empty at the end.

    Raises AioRpcError. In another order than the service's, at most the thousand that changed last are looked at.
    """
    asked = pb.ListStoryboardsRequest(
        page_size=_SIZE, query=wanted.query, state=_STATES.get(wanted.show, _B.STATE_ACTIVE)
    )
    if only is None and wanted.sort == "changed":
        asked.page_token = wanted.after
        told = await of.ask(request, "boards.ListStoryboards", asked)
        return list(told.storyboards), told.next_page_token
    boards = [it for it in await _all(of, request, asked) if only is None or it.id in only]
    return _page(boards, _KEYS[wanted.sort], wanted.after)


async def _all(of: site.Site, request: requests.Request, asked: pb.ListStoryboardsRequest) -> list[_B]:
    boards: list[_B] = []
    asked.page_size = _READ
    while len(boards) < _MOST:
        told = await of.ask(request, "boards.ListStoryboards", asked)
        boards += told.storyboards
        asked.page_token = told.next_page_token
        if not asked.page_token:
            break
    return boards


def _page(boards: list[_B], key: Callable[[_B], tuple[Any, ...]], after: str) -> tuple[list[_B], str]:
    place = _place(after)
    behind = sorted((it for it in boards if place is None or _is_behind(key(it), place)), key=key)
    page = behind[:_SIZE]
    return page, json.dumps(key(page[-1])) if len(behind) > _SIZE else ""


def _place(after: str) -> tuple[Any, ...] | None:
    try:
        told = json.loads(after) if after else None
    except ValueError:
        return None
    return tuple(told) if isinstance(told, list) and len(told) == 2 else None


def _is_behind(key: tuple[Any, ...], place: tuple[Any, ...]) -> bool:
    """A place of another order, or one that somebody made up, is before everything."""
    return [type(it) for it in key] != [type(it) for it in place] or key > place
