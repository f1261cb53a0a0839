"""StoryboardService: one method for each RPC, documented in the contract, in a room for each noun."""

from libs import rpc
from rushes.storyboard.v1 import storyboard_service_pb2_grpc as pb_grpc
from services.storyboard.api import boards, files, history, prompts, proposing, scenes, things, visitors


class StoryboardApi(
    boards.Boards,
    scenes.Scenes,
    history.History,
    prompts.Prompts,
    things.Things,
    visitors.Visitors,
    files.Files,
    proposing.Proposing,
    pb_grpc.StoryboardServiceServicer,
):
    """Someone asked: load, decide, save, answer."""


NAME = "rushes.storyboard.v1.StoryboardService"
DEADLINES = {"ProposeScenes": 75.0, "RefineScene": 75.0}
"""Seconds of what waits for a language model, which has 60."""


def servicer(of: StoryboardApi) -> rpc.Servicer:
    """How it is served."""
    return rpc.Servicer(pb_grpc.add_StoryboardServiceServicer_to_server, of, NAME, DEADLINES)
