"""The verbs of single scenes."""

from libs import rpc
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, domain, edits, wire
from services.storyboard.api import desk


class Scenes(desk.Desk):
    """Add, change, remove and move them."""

    async def AddScene(self, request: pb.AddSceneRequest, context: desk.Context) -> pb.AddSceneResponse:
        """It overwrites nothing: so it is added to what is there now, and a replay finds it there."""
        scene_id = ""

        def edit(content: domain.Content) -> domain.Content:
            nonlocal scene_id
            scene_id, changed = asks.addition(request, content)
            if changed is content:
                rpc.replayed()
            return changed

        board = await self._edit(request.storyboard_id, "", request, edit)
        return pb.AddSceneResponse(storyboard=wire.from_storyboard(board), scene_id=scene_id)

    async def UpdateScene(self, request: pb.UpdateSceneRequest, context: desk.Context) -> pb.UpdateSceneResponse:
        """Two people may change two fields of one scene."""

        def edit(content: domain.Content) -> domain.Content:
            return asks.scene_change(request, content)

        board = await self._edit(request.storyboard_id, request.etag, request, edit)
        return pb.UpdateSceneResponse(storyboard=wire.from_storyboard(board))

    async def RemoveScene(self, request: pb.RemoveSceneRequest, context: desk.Context) -> pb.RemoveSceneResponse:
        """With an etag, what others wrote into it since is not thrown away unseen."""

        def edit(content: domain.Content) -> domain.Content:
            return edits.without_scene(content, request.scene_id)

        board = await self._edit(request.storyboard_id, request.etag, request, edit)
        return pb.RemoveSceneResponse(storyboard=wire.from_storyboard(board))

    async def MoveScene(self, request: pb.MoveSceneRequest, context: desk.Context) -> pb.MoveSceneResponse:
        """Its revision is a new order of parts that are all there."""

        def edit(content: domain.Content) -> domain.Content:
            return edits.moved(content, request.scene_id, request.before_scene_id, request.storyboard_id)

        board = await self._edit(request.storyboard_id, request.etag, request, edit)
        edits.scene(board.content, request.scene_id, board.id)  # of two neighbours, either may count as moved
        return pb.MoveSceneResponse(storyboard=wire.from_storyboard(board))
