"""Two cuts of a film, watched in step: what each was cut with, and which takes it shows."""

from collections.abc import Iterator, Mapping

import fastapi
from fastapi import responses
from starlette import requests

from rushes.job.v1 import job_service_pb2 as jobs
from services.studio.pages import candidates, compare, cuts, cutting, site, words

_MOST_TAKES = 200


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/film/compare."""
    router = fastapi.APIRouter()

    @router.get("/p/{storyboard_id}/film/compare")
    async def versions(
        request: requests.Request, storyboard_id: str, left: str = "", right: str = "", mode: str = "side"
    ) -> responses.Response:
        reel = await cuts.reel(of, request, storyboard_id)
        done = [cut for cut in reel.cuts if cut.is_done]
        told: dict[str, object] = {
            "board": reel.board,
            "choice": None,
            "kind": "cut",
            "options": {one.number: "" for one in done},
        }
        told |= {"mode": mode if mode in compare.MODES else "side", "modes": compare.MODES, "sides": ()}
        if len(done) > 1:
            one = next((cut for cut in done if str(cut.number) == left), done[0])
            other = next((cut for cut in done if str(cut.number) == right), None)
            other = other or next(cut for cut in done if cut is not one)
            takes = await _numbers(of, request, storyboard_id)
            facts = [*_facts(reel, one, other), *_scenes(reel, one, other, takes)]
            told |= {"sides": [_side(one), _side(other)], "facts": facts, "words": ()}
        return of.show(request, "compare.html", told)

    return router


def _side(cut: cuts.Cut) -> compare.Side:
    return compare.Side(cut.number, f"/v1/films/{cut.film.id}:media", cut.seconds)


async def _numbers(of: site.Site, request: requests.Request, storyboard_id: str) -> dict[str, int]:
    """The number of each of the newest takes, by its id."""
    asked = jobs.ListTakesRequest(storyboard_id=storyboard_id, page_size=_MOST_TAKES)
    takes = (await of.ask(request, "jobs.ListTakes", asked)).takes
    scenes = {take.scene_id for take in takes}
    of_scene = ([take for take in takes if take.scene_id == one] for one in scenes)
    return {one.take.id: one.number for some in of_scene for one in candidates.numbers(some, {})}


def _facts(reel: cuts.Reel, left: cuts.Cut, right: cuts.Cut) -> Iterator[compare.Fact]:
    one, other = (_told(reel, cut) for cut in (left, right))
    for name in one:
        yield compare.Fact(name, one[name], other[name])


def _told(reel: cuts.Reel, cut: cuts.Cut) -> dict[str, str]:
    was, size = cutting.chosen(cut.film.edit_list, reel.board), cut.film.profile.size
    join = cutting.JOINS.get(was.join, was.join)
    return {
        "Length": words.timecode(cut.seconds),
        "Size": f"{size.width} x {size.height}, {cut.rate:.5g} a second",
        "Joins": f"{join}, {was.frames} frames" if was.join else join,
        "Sound": "On" if was.sound else "Off",
        "Captions": cutting.CAPTIONS[was.captions],
        "Title card": was.opening,
        "End card": was.ending,
    }


def _scenes(reel: cuts.Reel, left: cuts.Cut, right: cuts.Cut, takes: Mapping[str, int]) -> Iterator[compare.Fact]:
    one, other = ({it.scene_id: it.take_id for it in cut.film.edit_list.cuts} for cut in (left, right))
    for number, scene in enumerate(reel.board.scenes, 1):
        told = (_take(it.get(scene.id, ""), takes) for it in (one, other))
        yield compare.Fact(f"{number:03} {scene.title}".strip(), *told)


def _take(take_id: str, takes: Mapping[str, int]) -> str:
    return f"Take {takes[take_id]}" if take_id in takes else "An older take" if take_id else "Not in it"
