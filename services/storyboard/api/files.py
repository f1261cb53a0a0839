"""The verbs of files."""

import asyncio
from collections.abc import Sequence

from libs import auth
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, files, store, wire
from services.storyboard.api import desk
from services.storyboard.files import draft


class Files(desk.Desk):
    """Make storyboards of files, and files of storyboards; in threads, for files are long."""

    async def ImportStoryboard(
        self, request: pb.ImportStoryboardRequest, context: desk.Context
    ) -> pb.ImportStoryboardResponse:
        """A replay is answered with what it made; what is not told in a board, such as a comment, makes no other."""
        asked = asks.importing(request)
        content, warnings = await asyncio.to_thread(files.read, request.data, asked.format, asked.name)
        asks.imported(content, auth.caller().tenant_id)
        storyboard = wire.from_content(content)
        if not request.validate_only:
            digest = asks.digest(storyboard).hex()
            board = await self._create(content, "ImportStoryboard", asked.request_id, digest)
            storyboard = wire.from_storyboard(board)
        return pb.ImportStoryboardResponse(storyboard=storyboard, warnings=_warnings(warnings))

    async def ExportStoryboard(
        self, request: pb.ExportStoryboardRequest, context: desk.Context
    ) -> pb.ExportStoryboardResponse:
        """Deleted storyboards can still be written down."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        format = asks.file_format(request.format)
        async with self._database.tenant(tenant_id) as conn:
            number = request.revision or (await store.get(conn, tenant_id, storyboard_id)).revision
            _, content = await store.get_revision(conn, tenant_id, storyboard_id, number)
        written = await asyncio.to_thread(files.write, content, format)
        return pb.ExportStoryboardResponse(
            data=written.data,
            file_name=written.name,
            content_type=written.content_type,
            warnings=_warnings(written.warnings),
            revision=number,
        )


def _warnings(told: Sequence[draft.Warning]) -> list[pb.FileWarning]:
    """In the order of the file."""
    return [pb.FileWarning(line=it.line, field=it.field, text=it.text) for it in sorted(told, key=lambda it: it.line)]
