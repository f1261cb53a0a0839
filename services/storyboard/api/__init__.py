"""StoryboardService: one method for each RPC, documented in the contract, in a room for each noun."""

from rushes.storyboard.v1 import storyboard_service_pb2_grpc as pb_grpc
from services.storyboard.api import boards, history, prompts, scenes, things, visitors


class StoryboardApi(
    boards.Boards,
    scenes.Scenes,
    history.History,
    prompts.Prompts,
    things.Things,
    visitors.Visitors,
    pb_grpc.StoryboardServiceServicer,
):
    """Someone asked: load, decide, save, answer."""


NAME = "rushes.storyboard.v1.StoryboardService"
OPEN_TO_ALL = frozenset({"CreateGuestStoryboard"})
"""What needs no token."""
