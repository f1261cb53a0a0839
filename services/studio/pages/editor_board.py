"""All that the storyboard editor shows, asked for at once; what is away or not for the reader is left out and named."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
from starlette import requests

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs
from rushes.provider_gateway.v1 import model_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from services.studio.pages import editor_state, site

_MOST_PAGES = 5
_OVER = (job_pb2.Production.STATE_SUCCEEDED, job_pb2.Production.STATE_FAILED, job_pb2.Production.STATE_CANCELED)
_USABLE = (model_pb2.Model.STATE_AVAILABLE, model_pb2.Model.STATE_DEPRECATED)
_REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Looks:
    """One reader's look at one storyboard: asks the services, and remembers which are away or not for guests."""

    def __init__(self, of: site.Site, request: requests.Request, storyboard_id: str) -> None:
        self._of, self._request, self.storyboard_id = of, request, storyboard_id
        self.away: set[str] = set()
        self.is_guest = False

    async def board(self) -> storyboard_pb2.Storyboard:
        """The storyboard as it is now. Raises AioRpcError."""
        asked = boards.GetStoryboardRequest(storyboard_id=self.storyboard_id)
        told: boards.GetStoryboardResponse = await self._of.ask(self._request, "boards.GetStoryboard", asked)
        return told.storyboard

    async def maybe(self, call: str, asked: Any, otherwise: Any) -> Any:
        """The answer, or something else when the service is away, or when this is not for the reader, as for guests."""
        try:
            return await self._of.ask(self._request, call, asked)
        except grpc.aio.AioRpcError as fault:
            if fault.code() in _AWAY:
                self.away.add(call.partition(".")[0])
            elif fault.code() not in _REFUSED:
                raise
            self.is_guest |= fault.code() in _REFUSED
            return otherwise

    async def takes(self) -> list[job_pb2.Take]:
        """Newest first; of very many, the newest thousand."""
        found: list[job_pb2.Take] = []
        asked = jobs.ListTakesRequest(storyboard_id=self.storyboard_id, page_size=200)
        for _ in range(_MOST_PAGES):
            told = await self.maybe("jobs.ListTakes", asked, jobs.ListTakesResponse())
            found += told.takes
            asked.page_token = told.next_page_token
            if not asked.page_token:
                break
        return found

    async def jobs(self) -> list[job_pb2.Job]:
        """Of the newest production and of all that still film, newest first."""
        asked = jobs.ListProductionsRequest(storyboard_id=self.storyboard_id, page_size=5)
        told = await self.maybe("jobs.ListProductions", asked, jobs.ListProductionsResponse())
        ids = [it.id for place, it in enumerate(told.productions) if place == 0 or it.state not in _OVER]
        wanted = (jobs.GetProductionRequest(production_id=it) for it in ids)
        none = jobs.GetProductionResponse()
        found = await asyncio.gather(*(self.maybe("jobs.GetProduction", it, none) for it in wanted))
        return [job for it in found for job in sorted(it.production.jobs, key=lambda job: -job.take_number)]

    async def all(self) -> dict[str, Any]:
        """What the page is made of. Raises AioRpcError when there is no such storyboard."""
        board = await self.board()
        takes, films, offer, presets, templates = await asyncio.gather(
            self.takes(),
            self.jobs(),
            self.maybe("gateway.ListModels", gateway.ListModelsRequest(), gateway.ListModelsResponse()),
            self.maybe("boards.ListPresets", boards.ListPresetsRequest(), boards.ListPresetsResponse()),
            self.maybe(
                "boards.ListSceneTemplates", boards.ListSceneTemplatesRequest(), boards.ListSceneTemplatesResponse()
            ),
        )
        prompts = await self._prompts(board, offer.models)
        digests = {id: prompt.digest for id, prompt in prompts.items()}
        return {
            "board": board,
            "rows": editor_state.rows(board.scenes, takes, films, digests),
            "prompts": prompts,
            "models": {it.id: it for it in offer.models},
            "usable": [it for it in offer.models if it.state in _USABLE],
            "default_model": offer.default_model,
            "presets": presets.presets,
            "templates": templates.templates,
            "away": sorted(self.away),
        }

    async def _prompts(
        self, board: storyboard_pb2.Storyboard, models: Sequence[model_pb2.Model]
    ) -> Mapping[str, storyboard_pb2.ComposedPrompt]:
        """By scene; with the characters left, where the catalogue says how much a model reads."""
        if not board.scenes:
            return {}
        limits = [
            boards.PromptLimit(model=it.id, characters=it.prompt_characters) for it in models if it.prompt_characters
        ]
        asked = boards.ComposePromptsRequest(storyboard_id=board.id, revision=board.revision, limits=limits)
        told = await self.maybe("boards.ComposePrompts", asked, boards.ComposePromptsResponse())
        return {prompt.scene_id: prompt for prompt in told.prompts}
