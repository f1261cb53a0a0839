"""What the card of a project tells: how far its scenes are, what needs somebody, its film, and what it cost."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf import message
from starlette import requests

from rushes.compiler.v1 import compiler_service_pb2 as films_pb
from rushes.compiler.v1 import film_pb2
from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs_pb
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from rushes.type.v1 import money_pb2
from services.studio.pages import site, strip
from services.studio.rest import routes

_P = job_pb2.Production
RUNNING = (_P.STATE_FILMING, _P.STATE_COMPILING, _P.STATE_CANCELING)
NEEDS_YOU = (_P.STATE_NEEDS_APPROVAL, _P.STATE_NEEDS_PICK, _P.STATE_PAUSED, _P.STATE_FAILED)
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_LOOKED_BACK, _PAGE, _AT_ONCE = 10, 200, 8


class Card(NamedTuple):
    """One project."""

    board: storyboard_pb2.Storyboard
    frames: Sequence[strip.Frame]
    production: job_pb2.Production | None
    film: film_pb2.Film | None
    poster: str
    spent: money_pb2.Money | None

    @property
    def told(self) -> str:
        """The reel in words."""
        return strip.told(self.frames)

    @property
    def seconds(self) -> int:
        """How long its scenes are together."""
        return sum(scene.duration.seconds for scene in self.board.scenes)

    def count(self, *states: str) -> int:
        """How many of its scenes are in one of these states."""
        return sum(frame.state in states for frame in self.frames)

    @property
    def needs(self) -> int:
        """How many of its scenes wait for a person."""
        unpicked = self.production is not None and self.production.state == _P.STATE_NEEDS_PICK
        return self.count("failed", *["done"] * unpicked)


class Facts:
    """Asks what the cards of one page need; `away` names the services that did not answer."""

    def __init__(self, of: site.Site, request: requests.Request) -> None:
        self._of, self._request = of, request
        self.away: set[str] = set()
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def cards(self, boards: Sequence[storyboard_pb2.Storyboard]) -> list[Card]:
        """A card for each, in their order."""
        costs = await self.costs() if boards else {}
        return list(await asyncio.gather(*(self._card(board, costs.get(board.id)) for board in boards)))

    async def costs(self) -> dict[str, money_pb2.Money]:
        """What was charged for each storyboard, by its id; of more than a thousand, the dearest."""
        by_board = jobs_pb.GetCostsRequest(group_by=jobs_pb.GetCostsRequest.GROUP_BY_STORYBOARD)
        told = await self.ask("jobs.GetCosts", by_board)
        return {cost.key: cost.spent for cost in told.costs} if told else {}

    async def newest(self) -> dict[str, job_pb2.Production]:
        """The newest production of each storyboard, by its id; among the last 200 of the house."""
        told = await self.ask("jobs.ListProductions", jobs_pb.ListProductionsRequest(page_size=_PAGE))
        return {it.storyboard_id: it for it in reversed(told.productions)} if told else {}

    async def ask(self, call: str, asked: message.Message) -> Any:
        """The answer, or None where there is none."""
        try:
            return await self._of.ask(self._request, call, asked)
        except grpc.aio.AioRpcError as fault:
            if fault.code() in _AWAY:
                self.away.add(routes.find(call).channel)
            elif fault.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
                raise
            return None

    async def _card(self, bare: storyboard_pb2.Storyboard, spent: money_pb2.Money | None) -> Card:
        async with self._turn:
            whole = await self.ask("boards.GetStoryboard", boards_pb.GetStoryboardRequest(storyboard_id=bare.id))
            board = whole.storyboard if whole else bare
            asked = jobs_pb.ListProductionsRequest(storyboard_id=board.id, page_size=_LOOKED_BACK)
            made = await self.ask("jobs.ListProductions", asked)
            if not made or not made.productions:
                return Card(board, strip.frames(board, {}, (), {}), None, None, "", spent)
            return await self._filmed(board, made.productions, spent)

    async def _filmed(
        self,
        board: storyboard_pb2.Storyboard,
        made: Sequence[job_pb2.Production],
        spent: money_pb2.Money | None,
    ) -> Card:
        newest = await self.ask("jobs.GetProduction", jobs_pb.GetProductionRequest(production_id=made[0].id))
        picked = await self.picked(board.id)
        digests = await self._digests(board.id) if picked and made[0].revision != board.revision else {}
        frames = strip.frames(board, picked, newest.production.jobs if newest else (), digests)
        film_id = next((it.film_id for it in made if it.state == _P.STATE_SUCCEEDED and it.film_id), "")
        film = await self.ask("compiler.GetFilm", films_pb.GetFilmRequest(film_id=film_id)) if film_id else None
        return Card(board, frames, made[0], film and film.film, _poster(board, film, picked), spent)

    async def picked(self, storyboard_id: str) -> dict[str, job_pb2.Take]:
        """The picked take of each scene that has one, by the scene's id."""
        takes: dict[str, job_pb2.Take] = {}
        asked = jobs_pb.ListTakesRequest(storyboard_id=storyboard_id, picked_only=True, page_size=_PAGE)
        while told := await self.ask("jobs.ListTakes", asked):
            takes |= {take.scene_id: take for take in told.takes}
            asked.page_token = told.next_page_token
            if not asked.page_token:
                break
        return takes

    async def _digests(self, storyboard_id: str) -> dict[str, str]:
        told = await self.ask("boards.ComposePrompts", boards_pb.ComposePromptsRequest(storyboard_id=storyboard_id))
        return {prompt.scene_id: prompt.digest for prompt in told.prompts} if told else {}


def _poster(board: storyboard_pb2.Storyboard, film: Any, picked: dict[str, job_pb2.Take]) -> str:
    """The address of a still: of the film, or of its first scene that has a take."""
    if film and film.film.HasField("poster"):
        return str(film.film.poster.url)
    first = next((picked[scene.id] for scene in board.scenes if scene.id in picked), None)
    return f"/v1/takes/{first.id}:media?format=poster" if first else ""
