"""StoryboardService: one method for each RPC, documented in the contract."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc.aio

from libs import auth, db, ids, paging
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2_grpc as pb_grpc
from services.storyboard import compose, domain, presets, store, wire

Context = grpc.aio.ServicerContext[Any, Any]


class StoryboardApi(pb_grpc.StoryboardServiceServicer):
    """Someone asked: load, decide, save, answer."""

    def __init__(self, database: db.Database, default_model: str, clock: Callable[[], datetime]) -> None:
        self._database, self._default_model, self._clock = database, default_model, clock

    async def CreateStoryboard(
        self, request: pb.CreateStoryboardRequest, context: Context
    ) -> pb.CreateStoryboardResponse:
        """A replay is answered with what it made."""
        caller, asked = auth.caller(), wire.creation(request)
        board = domain.created(asked.content, caller.tenant_id, ids.new, self._clock())
        async with self._database.tenant(caller.tenant_id) as conn:
            board = await store.insert_once(
                conn, board, caller.subject, "CreateStoryboard", asked.request_id, asked.digest
            )
        return pb.CreateStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def GetStoryboard(self, request: pb.GetStoryboardRequest, context: Context) -> pb.GetStoryboardResponse:
        """Deleted ones are shown too, as such."""
        return pb.GetStoryboardResponse(storyboard=wire.from_storyboard(await self._get(request.storyboard_id)))

    async def ListStoryboards(self, request: pb.ListStoryboardsRequest, context: Context) -> pb.ListStoryboardsResponse:
        """Keyset pages: a storyboard that is updated meanwhile moves to the front, and none is shown twice."""
        tenant_id, name = auth.caller().tenant_id, wire.query(request)
        size, bound = paging.page_size(request.page_size), repr(("boards", tenant_id, name, request.show_deleted))
        after = wire.place_of_storyboard(request.page_token, bound)
        async with self._database.tenant(tenant_id) as conn:
            boards = await store.page(conn, tenant_id, name, request.show_deleted, after, size + 1)
        response = pb.ListStoryboardsResponse(storyboards=map(wire.from_storyboard, boards[:size]))
        if len(boards) > size:
            last = boards[size - 1]
            response.next_page_token = paging.encode((last.updated_at.isoformat(), last.id), bound)
        return response

    async def UpdateStoryboard(
        self, request: pb.UpdateStoryboardRequest, context: Context
    ) -> pb.UpdateStoryboardResponse:
        """The whole storyboard must still hold together afterwards: a scene may not lose its cast."""

        def decide(board: domain.Storyboard) -> domain.Storyboard:
            content = wire.change(request, board)
            return domain.revised(board, content, request.storyboard.etag, ids.new, self._clock())

        board = await self._change(request.storyboard.id, "UpdateStoryboard", decide)
        return pb.UpdateStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def DeleteStoryboard(
        self, request: pb.DeleteStoryboardRequest, context: Context
    ) -> pb.DeleteStoryboardResponse:
        """It is forgotten 30 days later, by ticks.py."""

        def decide(board: domain.Storyboard) -> domain.Storyboard:
            return domain.deleted(board, request.etag, self._clock())

        await self._change(request.storyboard_id, "DeleteStoryboard", decide)
        return pb.DeleteStoryboardResponse()

    async def UndeleteStoryboard(
        self, request: pb.UndeleteStoryboardRequest, context: Context
    ) -> pb.UndeleteStoryboardResponse:
        """Undeleting an active one succeeds."""
        board = await self._change(request.storyboard_id, "UndeleteStoryboard", domain.undeleted)
        return pb.UndeleteStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def GetRevision(self, request: pb.GetRevisionRequest, context: Context) -> pb.GetRevisionResponse:
        """Deletion hides no history."""
        tenant_id, storyboard_id = auth.caller().tenant_id, wire.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            revision, content = await store.get_revision(conn, tenant_id, storyboard_id, request.number)
        return pb.GetRevisionResponse(revision=wire.from_revision(revision, content))

    async def ListRevisions(self, request: pb.ListRevisionsRequest, context: Context) -> pb.ListRevisionsResponse:
        """Pages by number, newest first."""
        tenant_id, storyboard_id = auth.caller().tenant_id, wire.storyboard_id(request.storyboard_id)
        size, bound = paging.page_size(request.page_size), repr(("revisions", tenant_id, storyboard_id))
        below = wire.place_of_revision(request.page_token, bound)
        async with self._database.tenant(tenant_id) as conn:
            revisions = await store.page_revisions(conn, tenant_id, storyboard_id, below, size + 1)
        response = pb.ListRevisionsResponse(revisions=map(wire.from_revision, revisions[:size]))
        if len(revisions) > size:
            response.next_page_token = paging.encode((revisions[size - 1].number,), bound)
        return response

    async def RestoreRevision(self, request: pb.RestoreRevisionRequest, context: Context) -> pb.RestoreRevisionResponse:
        """Restoring what is already there makes no revision."""
        tenant_id, storyboard_id = auth.caller().tenant_id, wire.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            _, old = await store.get_revision(conn, tenant_id, storyboard_id, request.number)

        def decide(board: domain.Storyboard) -> domain.Storyboard:
            return domain.restored(board, old, request.etag, self._clock())

        board = await self._change(storyboard_id, "RestoreRevision", decide)
        return pb.RestoreRevisionResponse(storyboard=wire.from_storyboard(board))

    async def ListPresets(self, request: pb.ListPresetsRequest, context: Context) -> pb.ListPresetsResponse:
        """The looks of this release."""
        return pb.ListPresetsResponse(presets=map(wire.from_preset, presets.PRESETS))

    async def ComposePrompts(self, request: pb.ComposePromptsRequest, context: Context) -> pb.ComposePromptsResponse:
        """Deleted storyboards can still be composed: their productions go on."""
        tenant_id, storyboard_id = auth.caller().tenant_id, wire.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            number = request.revision or (await store.get(conn, tenant_id, storyboard_id)).revision
            revision, content = await store.get_revision(conn, tenant_id, storyboard_id, number)
        domain.check_filmable(revision, content)
        return pb.ComposePromptsResponse(
            storyboard_name=content.name,
            revision=number,
            prompts=map(wire.from_prompt, compose.prompts(content, self._default_model)),
            composer_version=compose.COMPOSER_VERSION,
        )

    async def _get(self, storyboard_id: str) -> domain.Storyboard:
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            return await store.get(conn, tenant_id, wire.storyboard_id(storyboard_id))

    async def _change(
        self, storyboard_id: str, origin: str, decide: Callable[[domain.Storyboard], domain.Storyboard]
    ) -> domain.Storyboard:
        """Load, decide, and save if nobody else has saved in between; else StoryboardChanged."""
        caller = auth.caller()
        async with self._database.tenant(caller.tenant_id) as conn:
            before = await store.get(conn, caller.tenant_id, wire.storyboard_id(storyboard_id))
            after = decide(before)
            await store.save_if_unchanged(conn, before, after, caller.subject, origin)
        return after
