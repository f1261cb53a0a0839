"""The verbs of what was."""

from collections.abc import Callable

from libs import auth, errors, paging
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, diff, domain, steps, store, wire
from services.storyboard.api import desk


class History(desk.Desk):
    """Show, compare, name and bring back revisions."""

    async def GetRevision(self, request: pb.GetRevisionRequest, context: desk.Context) -> pb.GetRevisionResponse:
        """Deletion hides no history."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            revision, content = await store.get_revision(conn, tenant_id, storyboard_id, request.number)
        return pb.GetRevisionResponse(revision=wire.from_revision(revision, content))

    async def ListRevisions(self, request: pb.ListRevisionsRequest, context: desk.Context) -> pb.ListRevisionsResponse:
        """Pages by number, newest first."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        size, bound = paging.page_size(request.page_size), repr(("revisions", tenant_id, storyboard_id))
        below = asks.place_of_revision(request.page_token, bound)
        async with self._database.tenant(tenant_id) as conn:
            revisions = await store.page_revisions(conn, tenant_id, storyboard_id, below, size + 1)
        response = pb.ListRevisionsResponse(revisions=map(wire.from_revision, revisions[:size]))
        if len(revisions) > size:
            response.next_page_token = paging.encode((revisions[size - 1].number,), bound)
        return response

    async def DiffRevisions(self, request: pb.DiffRevisionsRequest, context: desk.Context) -> pb.DiffRevisionsResponse:
        """Either may be the older one; before the first there was nothing."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            to = request.to_number or (await store.get(conn, tenant_id, storyboard_id)).revision
            _, after = await store.get_revision(conn, tenant_id, storyboard_id, to)
            before, number = domain.Content(), request.from_number or to - 1
            if number:
                _, before = await store.get_revision(conn, tenant_id, storyboard_id, number)
        changes = wire.from_changes(diff.changes(before, after))
        return pb.DiffRevisionsResponse(from_number=number, to_number=to, changes=changes)

    async def NameRevision(self, request: pb.NameRevisionRequest, context: desk.Context) -> pb.NameRevisionResponse:
        """A name is a label on what cannot change."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        name = asks.revision_name(request)
        async with self._database.tenant(tenant_id) as conn:
            revision = await store.name_revision(conn, tenant_id, storyboard_id, request.number, name)
        return pb.NameRevisionResponse(revision=wire.from_revision(revision))

    async def RestoreRevision(
        self, request: pb.RestoreRevisionRequest, context: desk.Context
    ) -> pb.RestoreRevisionResponse:
        """Restoring what is already there makes no revision."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        async with self._database.tenant(tenant_id) as conn:
            _, old = await store.get_revision(conn, tenant_id, storyboard_id, request.number)

        def decide(board: domain.Storyboard) -> domain.Storyboard:
            if old != board.content:
                domain.check_seen(board, request.etag)
            return domain.revised(board, old, self._clock())

        board = await self._change(storyboard_id, "RestoreRevision", decide)
        return pb.RestoreRevisionResponse(storyboard=wire.from_storyboard(board))

    async def Undo(self, request: pb.UndoRequest, context: desk.Context) -> pb.UndoResponse:
        """What it brings back is read from the history, so it survives a restart."""
        board = await self._step(request.storyboard_id, request.etag, "Undo", steps.undone, domain.NothingToUndo)
        return pb.UndoResponse(storyboard=wire.from_storyboard(board))

    async def Redo(self, request: pb.RedoRequest, context: desk.Context) -> pb.RedoResponse:
        """As Undo."""
        board = await self._step(request.storyboard_id, request.etag, "Redo", steps.redone, domain.NothingToRedo)
        return pb.RedoResponse(storyboard=wire.from_storyboard(board))

    async def _step(
        self,
        storyboard_id: str,
        etag: str,
        verb: str,
        choose: Callable[[steps.History], int | None],
        nothing: type[errors.Conflict],
    ) -> domain.Storyboard:
        caller = auth.caller()
        async with self._database.tenant(caller.tenant_id) as conn:
            board = await store.lock(conn, caller.tenant_id, asks.storyboard_id(storyboard_id))
            domain.check_active(board)
            domain.check_seen(board, etag)
            number = choose(await store.history(conn, board))
            if number is None:
                raise nothing(storyboard_id=board.id)
            _, content = await store.get_revision(conn, caller.tenant_id, board.id, number)
            after = domain.revised(board, content, self._clock())
            await store.save(conn, board, after, caller.subject, domain.origin(verb, caller.client), number)
        return after
