"""The verbs of whole storyboards."""

from libs import auth, ids, paging
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, domain, edits, store, wire, words
from services.storyboard.api import desk


class Boards(desk.Desk):
    """Make, show, list, change, delete and copy them."""

    async def CreateStoryboard(
        self, request: pb.CreateStoryboardRequest, context: desk.Context
    ) -> pb.CreateStoryboardResponse:
        """A replay is answered with what it made."""
        asked = asks.creation(request, auth.caller().tenant_id)
        board = await self._create(asked.content, "CreateStoryboard", asked.request_id, asked.digest)
        return pb.CreateStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def GetStoryboard(self, request: pb.GetStoryboardRequest, context: desk.Context) -> pb.GetStoryboardResponse:
        """Deleted ones are shown too, as such."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            board = await store.get(conn, tenant_id, storyboard_id)
        return pb.GetStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def ListStoryboards(
        self, request: pb.ListStoryboardsRequest, context: desk.Context
    ) -> pb.ListStoryboardsResponse:
        """Keyset pages: a storyboard that is updated meanwhile moves to the front, and none is shown twice."""
        tenant_id, asked = auth.caller().tenant_id, asks.listing(request)
        size, bound = paging.page_size(request.page_size), repr(("boards", tenant_id, asked.query, asked.state))
        after = asks.place_of_storyboard(request.page_token, bound)
        wanted = words.query(asked.query, tenant_id)
        async with self._database.tenant(tenant_id) as conn:
            boards = await store.page(conn, tenant_id, wanted, asked.state, after, size + 1)
        response = pb.ListStoryboardsResponse(storyboards=map(wire.from_storyboard, boards[:size]))
        if len(boards) > size:
            last = boards[size - 1]
            response.next_page_token = paging.encode((last.updated_at.isoformat(), last.id), bound)
        return response

    async def UpdateStoryboard(
        self, request: pb.UpdateStoryboardRequest, context: desk.Context
    ) -> pb.UpdateStoryboardResponse:
        """The whole storyboard must still hold together afterwards: a scene may not lose its cast."""

        def edit(content: domain.Content) -> domain.Content:
            return asks.change(request, content, auth.caller().tenant_id)

        board = await self._edit(request.storyboard.id, request.storyboard.etag, request, edit)
        return pb.UpdateStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def DeleteStoryboard(
        self, request: pb.DeleteStoryboardRequest, context: desk.Context
    ) -> pb.DeleteStoryboardResponse:
        """It is forgotten 30 days later, by ticks.py."""

        def decide(board: domain.Storyboard) -> domain.Storyboard:
            return domain.deleted(board, request.etag, self._clock())

        await self._change(request.storyboard_id, "DeleteStoryboard", decide)
        return pb.DeleteStoryboardResponse()

    async def UndeleteStoryboard(
        self, request: pb.UndeleteStoryboardRequest, context: desk.Context
    ) -> pb.UndeleteStoryboardResponse:
        """Undeleting an active one succeeds."""
        board = await self._change(request.storyboard_id, "UndeleteStoryboard", domain.undeleted)
        return pb.UndeleteStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def ArchiveStoryboard(
        self, request: pb.ArchiveStoryboardRequest, context: desk.Context
    ) -> pb.ArchiveStoryboardResponse:
        """It makes no revision, and leaves the etag as it is."""
        board = await self._change(request.storyboard_id, "ArchiveStoryboard", domain.archived)
        return pb.ArchiveStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def UnarchiveStoryboard(
        self, request: pb.UnarchiveStoryboardRequest, context: desk.Context
    ) -> pb.UnarchiveStoryboardResponse:
        """As ArchiveStoryboard."""
        board = await self._change(request.storyboard_id, "UnarchiveStoryboard", domain.unarchived)
        return pb.UnarchiveStoryboardResponse(storyboard=wire.from_storyboard(board))

    async def DuplicateStoryboard(
        self, request: pb.DuplicateStoryboardRequest, context: desk.Context
    ) -> pb.DuplicateStoryboardResponse:
        """A replay is answered with what it made; a deleted storyboard can still be copied."""
        tenant_id, asked = auth.caller().tenant_id, asks.copy(request)
        storyboard_id = asks.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            number = asked.revision or (await store.get(conn, tenant_id, storyboard_id)).revision
            _, original = await store.get_revision(conn, tenant_id, storyboard_id, number)
        name = asked.name or asks.name_of_copy(original.name)
        content = edits.copied(original, name, ids.new)
        board = await self._create(content, "DuplicateStoryboard", asked.request_id, asked.digest)
        return pb.DuplicateStoryboardResponse(storyboard=wire.from_storyboard(board))
