"""The verbs of the language model, none of which changes a storyboard."""

from google.protobuf.field_mask_pb2 import FieldMask

from libs import auth, ids
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, diff, domain, edits, guests, proposals, store, wire
from services.storyboard.api import desk


class Proposing(desk.Desk):
    """Propose scenes of a script, and better words for a scene; no connection to the database waits for the model."""

    async def ProposeScenes(self, request: pb.ProposeScenesRequest, context: desk.Context) -> pb.ProposeScenesResponse:
        """The new scenes have ids already: what is sent is what was shown."""
        script, most = asks.script(request)
        board = await self._board_for_the_writer(request.storyboard_id)
        answer = await self._writer.answer(proposals.for_scenes(board.content, script, most))
        proposal = proposals.with_scenes(board.content, answer, most, ids.new)
        after = wire.from_content(proposal.content)
        update = pb.UpdateStoryboardRequest(update_mask=FieldMask(paths=["scenes"]))
        update.storyboard.id, update.storyboard.etag = board.id, board.etag
        update.storyboard.scenes.extend(after.scenes)
        if proposal.content.characters != board.content.characters:
            update.storyboard.characters.extend(after.characters)
            update.update_mask.paths.append("characters")
        changes = wire.from_changes(diff.changes(board.content, proposal.content))
        return pb.ProposeScenesResponse(update=update, changes=changes, warnings=proposal.warnings)

    async def RefineScene(self, request: pb.RefineSceneRequest, context: desk.Context) -> pb.RefineSceneResponse:
        """Only what differs is in the mask, so that somebody else's change of another field stays."""
        instruction = asks.instruction(request)
        board = await self._board_for_the_writer(request.storyboard_id)
        scene = edits.scene(board.content, request.scene_id, board.id)
        answer = await self._writer.answer(proposals.for_scene(scene, instruction))
        proposal = proposals.refined(board.content, scene, answer)
        changed = diff.changes(board.content, proposal.content)
        update = pb.UpdateSceneRequest(storyboard_id=board.id, etag=board.etag)
        update.update_mask.paths.extend(change.path[2] for change in changed)
        after = wire.from_scene(edits.scene(proposal.content, scene.id, board.id))
        update.update_mask.MergeMessage(after, update.scene)
        update.scene.id = scene.id
        return pb.RefineSceneResponse(update=update, changes=wire.from_changes(changed), warnings=proposal.warnings)

    async def _board_for_the_writer(self, storyboard_id: str) -> domain.Storyboard:
        """Raises WriterNeedsAccount, StoryboardNotFound or StoryboardDeleted."""
        tenant_id = auth.caller().tenant_id
        if guests.is_guest(tenant_id):
            raise guests.WriterNeedsAccount
        async with self._database.tenant(tenant_id) as conn:
            board = await store.get(conn, tenant_id, asks.storyboard_id(storyboard_id))
        domain.check_active(board)
        return board
