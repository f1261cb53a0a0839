"""A film of one prompt: a storyboard of one scene and its production, made once for each key."""

import contextlib
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import grpc.aio
from google.protobuf import duration_pb2
from starlette import requests

from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import model_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from rushes.type.v1 import media_pb2
from services.studio.rest import calls, refusals

ENDS = (job_pb2.Production.STATE_SUCCEEDED, job_pb2.Production.STATE_FAILED, job_pb2.Production.STATE_CANCELED)
_LONGEST_PIECE, _LONGEST_NAME = 2000, 60
_PIECES = ("subject", "action", "setting")


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; 0 and "" leave it to the model and to the house."""

    prompt: str
    model: str = ""
    seconds: int = 0
    size: tuple[int, int] = (0, 0)
    preset: str = ""


class Films:
    """Films of one prompt, asked for as whoever sent the request."""

    def __init__(self, services: calls.Services, request: requests.Request) -> None:
        self._services, self._request = services, request

    async def make(self, wanted: Wanted, key: str) -> tuple[job_pb2.Production, job_pb2.Plan | None]:
        """The production, and the plan with its price when it was made just now. Raises Refusal or AioRpcError."""
        board = storyboard_pb2.Storyboard(name=_name(wanted.prompt), preset=wanted.preset)
        board.scenes.add(**dict(zip(_PIECES, pieces(wanted.prompt), strict=False)))
        await self.fit(board, wanted)
        asked = boards_pb.CreateStoryboardRequest(request_id=key, storyboard=board)
        return await self.film((await self.ask("boards.CreateStoryboard", asked)).storyboard, key)

    async def film(self, board: storyboard_pb2.Storyboard, key: str) -> tuple[job_pb2.Production, job_pb2.Plan | None]:
        """As `make`, of a storyboard that is there: what this key has begun goes on."""
        if begun := await self._begun(board.id):
            return begun, None
        planned = job_service_pb2.PlanProductionRequest(storyboard_id=board.id, revision=board.revision)
        plan: job_pb2.Plan = (await self.ask("jobs.PlanProduction", planned)).plan
        wanted = job_service_pb2.CreateProductionRequest(
            request_id=key,
            storyboard_id=board.id,
            revision=board.revision,
            quote_id=plan.quote_id,
            plan_digest=plan.digest,
        )
        try:
            return (await self.ask("jobs.CreateProduction", wanted)).production, plan
        except grpc.aio.AioRpcError as fault:  # the same key came twice at once, and the other one was quicker
            if refusals.of(fault).reason == "REQUEST_ID_REUSED" and (begun := await self._begun(board.id)):
                return begun, None
            raise

    async def production(self, production_id: str) -> tuple[job_pb2.Production, storyboard_pb2.Storyboard]:
        """A production with its storyboard. Raises AioRpcError, and Refusal (404) when the storyboard is deleted."""
        asked = job_service_pb2.GetProductionRequest(production_id=production_id)
        production = (await self.ask("jobs.GetProduction", asked)).production
        wanted = boards_pb.GetStoryboardRequest(storyboard_id=production.storyboard_id)
        board = (await self.ask("boards.GetStoryboard", wanted)).storyboard
        if board.state == storyboard_pb2.Storyboard.STATE_DELETED:
            raise refusals.Refusal(404, "PRODUCTION_NOT_FOUND", f"{production_id} was deleted.")
        return production, board

    async def delete(self, production_id: str) -> None:
        """Stop the production where that is free, and delete its storyboard; what is paid is kept."""
        production, board = await self.production(production_id)
        if production.state not in ENDS:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self.ask(
                    "jobs.CancelProduction", job_service_pb2.CancelProductionRequest(production_id=production_id)
                )
        await self.ask("boards.DeleteStoryboard", boards_pb.DeleteStoryboardRequest(storyboard_id=board.id))

    async def ask(self, name: str, asked: Any) -> Any:
        """The answer of one call. Raises AioRpcError."""
        return await self._services.ask(name, self._request, asked)

    async def _begun(self, storyboard_id: str) -> job_pb2.Production | None:
        asked = job_service_pb2.ListProductionsRequest(storyboard_id=storyboard_id, page_size=1)
        found: Sequence[job_pb2.Production] = (await self.ask("jobs.ListProductions", asked)).productions
        return found[0] if found else None

    async def fit(self, board: storyboard_pb2.Storyboard, wanted: Wanted) -> None:
        """Fill in what was left open, as the model can make it."""
        offer = await self.ask("gateway.ListModels", gateway_pb.ListModelsRequest())
        model = _model(offer.models, wanted.model or offer.default_model)
        board.model = model.id or wanted.model
        lengths, sizes = list(model.duration_seconds), [(size.width, size.height) for size in model.sizes]
        seconds = wanted.seconds or (4 if 4 in lengths or not lengths else lengths[0])
        size = wanted.size if any(wanted.size) else (1280, 720) if (1280, 720) in sizes or not sizes else sizes[0]
        board.scenes[0].duration.CopyFrom(duration_pb2.Duration(seconds=seconds))
        board.size.CopyFrom(media_pb2.FrameSize(width=size[0], height=size[1]))


def words(board: storyboard_pb2.Storyboard) -> str:
    """The prompt that `make` was given; of a longer storyboard, what its scenes say."""
    return " ".join(text for scene in board.scenes for name in _PIECES if (text := getattr(scene, name)))


def pieces(prompt: str) -> list[str]:
    """The prompt in as many fields as it needs, cut where a sentence or a word ends. Raises Refusal when too long."""
    left, told = prompt.strip(), []
    while len(left) > _LONGEST_PIECE:
        at = max(left.rfind(". ", 0, _LONGEST_PIECE) + 1, 0) or left.rfind(" ", 0, _LONGEST_PIECE)
        at = at if at > 0 else _LONGEST_PIECE
        told.append(left[:at].strip())
        left = left[at:].strip()
    told.append(left)
    if not left or len(told) > len(_PIECES):
        should = f"should be 1 to {_LONGEST_PIECE * len(_PIECES)} characters"
        raise refusals.bad_request([{"pointer": "/prompt", "detail": should}])
    return told


def _name(prompt: str) -> str:
    line = re.sub(r"\s+", " ", prompt).strip()
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1].rstrip() + "…"


def _model(offer: Sequence[model_pb2.Model], name: str) -> model_pb2.Model:
    """The model of this id; else the first usable one whose id ends so, or whose family it is; else an empty one."""
    for it in offer:
        if it.id == name:
            return it
    for it in offer:
        if name and (it.family == name or it.id.rpartition("/")[2] == name):
            return it
    return model_pb2.Model()
