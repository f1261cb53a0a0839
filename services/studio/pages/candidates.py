"""The takes of one scene as people choose between them: numbered by age, with what is being made and what failed."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from starlette import requests

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from services.studio.pages import site, standing
from services.studio.rest import refusals

_MOST_TAKES = 200
_LOOKED_AT = 3
"""How many productions are looked through for what is being made, or failed."""


class Candidate(NamedTuple):
    """A take: its number counts from 1, the oldest first, and stays; why it is not what the scene says now, if so."""

    number: int
    take: job_pb2.Take
    changed: str

    @property
    def state(self) -> str:
        """One of words.STATES."""
        return "changed" if self.changed else "picked" if self.take.picked else "done"

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.take.duration.ToMilliseconds() / 1000


class Attempt(NamedTuple):
    """A job without a take: under way, or failed since the newest take."""

    job: job_pb2.Job
    state: str


class Choice(NamedTuple):
    """A scene, its place in the storyboard counted from 1, and what there is to choose from."""

    board: storyboard_pb2.Storyboard
    scene: storyboard_pb2.Scene
    number: int
    candidates: list[Candidate]
    attempts: list[Attempt]

    def shown(self, told: str) -> Candidate | None:
        """The take of this number, else the picked one, else the newest."""
        of_number = (one for one in self.candidates if str(one.number) == told)
        picked = (one for one in self.candidates if one.take.picked)
        return next(of_number, None) or next(picked, None) or (self.candidates[-1] if self.candidates else None)

    @property
    def picked(self) -> Candidate | None:
        """The take that is in the film."""
        return next((one for one in self.candidates if one.take.picked), None)


async def of_scene(of: site.Site, request: requests.Request, storyboard_id: str, scene_id: str) -> Choice:
    """All of one scene. Raises AioRpcError, and Refusal when the storyboard has no such scene."""
    wanted = jobs.ListTakesRequest(storyboard_id=storyboard_id, scene_id=scene_id, page_size=_MOST_TAKES)
    asked = boards.GetStoryboardRequest(storyboard_id=storyboard_id)
    found, takes, made = await asyncio.gather(
        of.ask(request, "boards.GetStoryboard", asked),
        of.ask(request, "jobs.ListTakes", wanted),
        productions(of, request, storyboard_id, _LOOKED_AT),
    )
    board = found.storyboard
    number = next((place for place, one in enumerate(board.scenes, 1) if one.id == scene_id), 0)
    if not number:
        raise refusals.Refusal(404, "SCENE_NOT_FOUND", "The storyboard has no such scene; it may have been deleted.")
    digest = (await digests(of, request, board)).get(scene_id, "")
    numbered = numbers(takes.takes, {scene_id: digest})
    return Choice(board, board.scenes[number - 1], number, numbered, _attempts(scene_id, numbered, made))


def numbers(takes: Iterable[job_pb2.Take], told: Mapping[str, str]) -> list[Candidate]:
    """The takes of one scene, oldest first; `told` is the digest of what each scene says now."""
    aged = sorted(takes, key=lambda take: (take.create_time.ToNanoseconds(), take.id))
    return [
        Candidate(number, take, standing.changed(take, told.get(take.scene_id, "")))
        for number, take in enumerate(aged, 1)
    ]


async def productions(
    of: site.Site, request: requests.Request, storyboard_id: str, most: int
) -> list[job_pb2.Production]:
    """The newest productions, with their jobs, newest first."""
    listed = jobs.ListProductionsRequest(storyboard_id=storyboard_id, page_size=most)
    told = await of.ask(request, "jobs.ListProductions", listed)
    asked = (jobs.GetProductionRequest(production_id=one.id) for one in told.productions)
    return [
        one.production for one in await asyncio.gather(*(of.ask(request, "jobs.GetProduction", it) for it in asked))
    ]


async def digests(of: site.Site, request: requests.Request, board: storyboard_pb2.Storyboard) -> Mapping[str, str]:
    """What each scene says now, as a digest, by its id; takes were made of what they have the digest of."""
    if not board.scenes:
        return {}
    asked = boards.ComposePromptsRequest(storyboard_id=board.id, revision=board.revision)
    return {one.scene_id: one.digest for one in (await of.ask(request, "boards.ComposePrompts", asked)).prompts}


def state(job: job_pb2.Job) -> str:
    """How a job without a take stands, as one of words.STATES; empty when it needs no showing."""
    return "" if job.state == job_pb2.Job.STATE_SUCCEEDED else standing.of_job(job)[0]


def _attempts(scene_id: str, numbered: list[Candidate], made: Iterable[job_pb2.Production]) -> list[Attempt]:
    newest = numbered[-1].take.create_time.ToNanoseconds() if numbered else 0
    theirs = [job for one in made for job in one.jobs if job.scene_id == scene_id and not job.HasField("take")]
    shown = [job for job in theirs if not job.end_time.seconds or job.end_time.ToNanoseconds() > newest]
    return [Attempt(job, told) for job in reversed(shown) if (told := state(job))]
