"""What every verb has at hand, and the one way in which a storyboard is changed."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc.aio
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth, blobs, db, errors, ids, rpc
from services.storyboard import asks, diff, domain, guests, merge, store, wire, writer

Context = grpc.aio.ServicerContext[Any, Any]

_NO_GUESTS = guests.Reception(None)
_NOBODY = writer.Nobody()
_TOLD_BACK = 50
"""How many revisions are searched for who changed what clashes."""


class Desk:
    """Where callers are answered; `default_model` is for scenes that name none, neither they nor their storyboard.

    Without a store for them no reference images are taken; without a secret for their codes, no guests; without a
    language model nothing is proposed.
    """

    def __init__(
        self,
        database: db.Database,
        default_model: str,
        clock: Callable[[], datetime],
        media: blobs.Blobs | None = None,
        visitors: guests.Reception = _NO_GUESTS,
        author: writer.Writer = _NOBODY,
    ) -> None:
        self._database, self._default_model, self._clock = database, default_model, clock
        self._blobs, self._guests, self._writer = media, visitors, author

    async def _create(self, content: domain.Content, verb: str, request_id: str, digest: str) -> domain.Storyboard:
        """A new storyboard of the caller, or what the same request made before. Raises RequestIdReused."""
        caller = auth.caller()
        now = self._clock()
        expires_at = now + guests.KEPT if guests.is_guest(caller.tenant_id) else None
        board = domain.created(content, caller.tenant_id, ids.new, now, expires_at)
        origin = domain.origin(verb, caller.client)
        async with self._database.tenant(caller.tenant_id) as conn:
            kept = await store.insert_once(conn, board, caller.subject, origin, request_id, digest)
        if kept.id != board.id:
            rpc.replayed()
        return kept

    async def _edit(
        self, storyboard_id: str, etag: str, request: Message, edit: Callable[[domain.Content], domain.Content]
    ) -> domain.Storyboard:
        """Make the edit on what its author saw, and bring it together with what others did since.

        Raises Invalid, StoryboardNotFound, StoryboardDeleted or StoryboardChanged.
        """
        caller, verb = auth.caller(), type(request).__name__.removesuffix("Request")
        async with self._database.tenant(caller.tenant_id) as conn:
            newest = await store.lock(conn, caller.tenant_id, asks.storyboard_id(storyboard_id))
            domain.check_active(newest)
            base = await _seen(conn, newest, etag)
            mine = domain.identified(edit(base), base, _repeatable_ids(caller.subject, request))
            try:
                content = merge.merged(base, mine, newest.content)
            except merge.Clash as clash:
                raise await _changed(conn, newest, etag, clash) from None
            after = domain.revised(newest, content, self._clock())
            await store.save(conn, newest, after, caller.subject, domain.origin(verb, caller.client))
        return after

    async def _change(
        self, storyboard_id: str, verb: str, decide: Callable[[domain.Storyboard], domain.Storyboard]
    ) -> domain.Storyboard:
        """Load, decide and save; nobody else changes it in between."""
        caller = auth.caller()
        async with self._database.tenant(caller.tenant_id) as conn:
            before = await store.lock(conn, caller.tenant_id, asks.storyboard_id(storyboard_id))
            after = decide(before)
            await store.save(conn, before, after, caller.subject, domain.origin(verb, caller.client))
        return after


def _repeatable_ids(subject: str, request: Message) -> domain.NewId:
    """New ids that are the same when the same person repeats the same request: then it changes nothing."""
    seed, made = asks.digest(request) + subject.encode(), iter(range(1 << 31))
    return lambda prefix: ids.of(prefix, hashlib.sha256(seed + str(next(made)).encode()).digest())


async def _seen(conn: AsyncConnection, newest: domain.Storyboard, etag: str) -> domain.Content:
    """What the author of an edit had before them. Raises StoryboardChanged when the etag is of no revision."""
    if etag in ("", newest.etag):
        return newest.content
    number = domain.revision_of(etag)
    if number and number <= newest.revision:
        revision, content = await store.get_revision(conn, newest.tenant_id, newest.id, number)
        if domain.etag(newest.id, number, revision.created_at) == etag:
            return content
    raise domain.StoryboardChanged(storyboard_id=newest.id, etag=etag[:100])


async def _changed(
    conn: AsyncConnection, newest: domain.Storyboard, etag: str, clash: merge.Clash
) -> domain.StoryboardChanged:
    """What clashes, and who did the other half of it, when: looked for from the newest revision back."""
    wanted = [path for path in clash.paths if path not in clash.broken]
    least = max(domain.revision_of(etag) or 0, newest.revision - _TOLD_BACK)
    revision, after = first = await store.get_revision(conn, newest.tenant_id, newest.id, newest.revision)
    done_by: dict[diff.Path, domain.Revision] = {}
    while len(done_by) < len(wanted) and revision.number > least:
        older, before = await store.get_revision(conn, newest.tenant_id, newest.id, revision.number - 1)
        changes = diff.changes(before, after)
        done_by |= {path: revision for path in wanted if path not in done_by and merge.touched(path, changes)}
        revision, after = older, before
    told = {path: _told(done_by.get(path, first[0])) for path in wanted} | dict(clash.broken)
    violations = [errors.Violation(wire.from_path(path), told[path]) for path in clash.paths]
    return domain.StoryboardChanged(violations, storyboard_id=newest.id, etag=etag)


def _told(by: domain.Revision) -> str:
    return f"was changed by {by.author} at {by.created_at:%Y-%m-%dT%H:%M:%SZ} in revision {by.number}"
