"""The shot list of a project, as one prints it for a day on set: a picture, the words and the length of every scene."""

import fastapi
from starlette import requests, responses

from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.studio.pages import cards, site


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/shots."""
    router = fastapi.APIRouter()

    @router.get("/p/{storyboard_id}/shots")
    async def shots(request: requests.Request, storyboard_id: str) -> responses.Response:
        asked = pb.GetStoryboardRequest(storyboard_id=storyboard_id)
        board = (await of.ask(request, "boards.GetStoryboard", asked)).storyboard
        facts = cards.Facts(of, request)
        picked = await facts.picked(board.id)
        told = {"project": board, "picked": picked, "seconds": sum(it.duration.seconds for it in board.scenes)}
        return of.show(request, "shots.html", told)

    return router
