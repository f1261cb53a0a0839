"""Two takes of a scene, watched in step: what differs in their words, what made them, and what they cost."""

import asyncio
import difflib
from collections.abc import Iterator
from typing import NamedTuple

import fastapi
from fastapi import responses
from starlette import requests

from rushes.job.v1 import job_service_pb2 as jobs
from rushes.type.v1 import clip_pb2
from services.studio.pages import candidates, site, words

MODES = {"side": "Side by side", "wipe": "Wipe", "flip": "Flip"}
_NAMES = ("Provider", "Model", "Length", "Size", "Seed", "Paid", "Note")


class Side(NamedTuple):
    """What is seen on one side: a take by its id, or a cut; `media` is the address of its files."""

    number: int
    media: str
    seconds: float
    take_id: str = ""
    picked: bool = False


class Piece(NamedTuple):
    """A run of words: `there` is "both", "left" or "right"."""

    there: str
    text: str


class Fact(NamedTuple):
    """A line of the table beneath."""

    name: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        """Whether it is worth a look."""
        return self.left != self.right


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/scenes/{scene}/compare."""
    router = fastapi.APIRouter()

    @router.get("/p/{storyboard_id}/scenes/{scene_id}/compare")
    async def compare(
        request: requests.Request,
        storyboard_id: str,
        scene_id: str,
        left: str = "",
        right: str = "",
        mode: str = "side",
    ) -> responses.Response:
        choice = await candidates.of_scene(of, request, storyboard_id, scene_id)
        options = {one.number: "picked" if one.take.picked else "" for one in choice.candidates}
        told: dict[str, object] = {"choice": choice, "board": choice.board, "kind": "take", "options": options}
        told |= {"mode": mode if mode in MODES else "side", "modes": MODES, "sides": ()}
        if found := _sides(choice, left, right):
            told |= {"sides": [_side(one) for one in found], **await _difference(of, request, *found)}
        return of.show(request, "compare.html", told)

    return router


def _sides(
    choice: candidates.Choice, left: str, right: str
) -> tuple[candidates.Candidate, candidates.Candidate] | None:
    """The two that the address names, else the one that would be watched and the newest other; None without two."""
    one = choice.shown(left)
    other = next((it for it in choice.candidates if str(it.number) == right), None)
    other = other or next((it for it in reversed(choice.candidates) if it is not one), None)
    return (one, other) if one and other else None


def _side(one: candidates.Candidate) -> Side:
    return Side(one.number, f"/v1/takes/{one.take.id}:media", one.seconds, one.take.id, one.take.picked)


async def _difference(
    of: site.Site, request: requests.Request, left: candidates.Candidate, right: candidates.Candidate
) -> dict[str, object]:
    asked = (jobs.GetJobRequest(job_id=side.take.job_id) for side in (left, right))
    one, other = [told.job.spec for told in await asyncio.gather(*(of.ask(request, "jobs.GetJob", it) for it in asked))]
    named = zip(_NAMES, _facts(left, one), _facts(right, other), strict=True)
    return {"words": list(_words(one.prompt, other.prompt)), "facts": [Fact(*it) for it in named]}


def _facts(side: candidates.Candidate, spec: clip_pb2.ClipSpec) -> tuple[str, ...]:
    take = side.take
    provider, _, model = take.model.partition("/")
    return (
        provider,
        model,
        f"{side.seconds:.1f} s",
        f"{spec.size.width} x {spec.size.height}",
        str(spec.seed) if spec.HasField("seed") else "chosen by the provider",
        words.money(take.cost) if take.HasField("cost") else "not known yet",
        take.note,
    )


def _words(left: str, right: str) -> Iterator[Piece]:
    one, other = left.split(), right.split()
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece("both", " ".join(one[a:b]))
            continue
        if a < b:
            yield Piece("left", " ".join(one[a:b]))
        if c < d:
            yield Piece("right", " ".join(other[c:d]))
