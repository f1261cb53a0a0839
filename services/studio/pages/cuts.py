"""The films of a storyboard, its cuts; and the takes that the next one is made of."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from starlette import requests

from rushes.compiler.v1 import compiler_service_pb2 as compiler
from rushes.compiler.v1 import film_pb2
from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from rushes.type.v1 import edit_list_pb2
from services.studio.pages import site
from services.studio.rest import refusals

_PAGE, _MOST_PAGES = 25, 8
"""So many cuts are shown: each carries its edit list, and an answer holds 4 MB."""
_TAKES = 200
ENDS = (film_pb2.Film.STATE_COMPLETED, film_pb2.Film.STATE_FAILED, film_pb2.Film.STATE_CANCELED)


class Cut(NamedTuple):
    """A film of the storyboard."""

    film: film_pb2.Film

    @property
    def number(self) -> int:
        """Counts from 1, the oldest first, and stays."""
        return self.film.cut_number

    @property
    def is_done(self) -> bool:
        """Whether it can be watched."""
        return self.film.state == film_pb2.Film.STATE_COMPLETED

    @property
    def under_way(self) -> bool:
        """Whether it is under way."""
        return self.film.state not in ENDS

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.film.duration.ToMilliseconds() / 1000

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.film.profile.frame_rate.numerator / (self.film.profile.frame_rate.denominator or 1)


class Reel(NamedTuple):
    """A storyboard with its cuts, newest first, and its picked takes by scene."""

    board: storyboard_pb2.Storyboard
    cuts: list[Cut]
    picked: dict[str, job_pb2.Take]

    def shown(self, film_id: str) -> Cut | None:
        """The cut that is asked for, else the newest that can be watched. Raises Refusal when it is none of these."""
        asked = next((cut for cut in self.cuts if cut.film.id == film_id), None)
        if film_id and not asked:
            raise refusals.Refusal(404, "FILM_NOT_FOUND", "This project has no such film.")
        return asked or next((cut for cut in self.cuts if cut.is_done), None)


async def reel(of: site.Site, request: requests.Request, storyboard_id: str) -> Reel:
    """All of it. Raises AioRpcError."""
    asked = boards.GetStoryboardRequest(storyboard_id=storyboard_id)
    board, films, picked = await asyncio.gather(
        of.ask(request, "boards.GetStoryboard", asked),
        _films(of, request, storyboard_id),
        _picked(of, request, storyboard_id),
    )
    return Reel(board.storyboard, [Cut(one) for one in films], picked)


async def sources(of: site.Site, request: requests.Request, told: Reel) -> dict[str, edit_list_pb2.Cut]:
    """The picked takes as cuts, by scene: their clips, and what each was made by."""
    ids = sorted({take.production_id for take in told.picked.values()})
    asked = (jobs.GetProductionRequest(production_id=one) for one in ids)
    made = await asyncio.gather(*(of.ask(request, "jobs.GetProduction", one) for one in asked))
    prompts = {job.id: job.spec.prompt for one in made for job in one.production.jobs}
    return {scene_id: _source(take, prompts.get(take.job_id, "")) for scene_id, take in told.picked.items()}


def same(told: Reel, wanted: edit_list_pb2.EditList) -> Cut | None:
    """The newest cut that is, or will be, exactly this."""
    whole = wanted.SerializeToString(deterministic=True)
    alike = (cut for cut in told.cuts if cut.film.edit_list.SerializeToString(deterministic=True) == whole)
    return next((cut for cut in alike if cut.is_done or cut.under_way), None)


def _source(take: job_pb2.Take, prompt: str) -> edit_list_pb2.Cut:
    made_by = edit_list_pb2.Provenance(
        provider=take.model.partition("/")[0],
        model=take.model,
        prompt_sha256=hashlib.sha256(prompt.encode()).hexdigest(),
        create_time=take.create_time,
    )
    return edit_list_pb2.Cut(take_id=take.id, clip=take.clip, provenance=made_by)


async def _films(of: site.Site, request: requests.Request, storyboard_id: str) -> Sequence[film_pb2.Film]:
    found: list[film_pb2.Film] = []
    token = ""
    for _ in range(_MOST_PAGES):
        asked = compiler.ListFilmsRequest(storyboard_id=storyboard_id, page_size=_PAGE, page_token=token)
        told = await of.ask(request, "compiler.ListFilms", asked)
        found += told.films
        token = told.next_page_token
        if not token:
            break
    return found


async def _picked(of: site.Site, request: requests.Request, storyboard_id: str) -> dict[str, job_pb2.Take]:
    found: dict[str, job_pb2.Take] = {}
    token = ""
    while True:
        asked = jobs.ListTakesRequest(storyboard_id=storyboard_id, picked_only=True, page_size=_TAKES, page_token=token)
        told = await of.ask(request, "jobs.ListTakes", asked)
        found |= {take.scene_id: take for take in told.takes}
        token = told.next_page_token
        if not token:
            return found
