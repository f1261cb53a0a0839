"""What every verb has at hand, and the one way in which a storyboard is changed."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import grpc.aio
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth, blobs, db, errors, ids
from services.storyboard import asks, diff, domain, guests, merge, store, wire

Context = grpc.aio.ServicerContext[Any, Any]

_NO_GUESTS = guests.Desk(None)
_TOLD_BACK = 100
"""How many revisions are searched for who changed what clashes."""


class Desk:
    """Where callers are answered; `default_model` is for scenes that name none, neither they nor their storyboard.

    Without a store for them no reference images are taken; without a secret for their codes, no guests.
    """

    def __init__(
        self,
        database: db.Database,
        default_model: str,
        clock: Callable[[], datetime],
        media: blobs.Blobs | None = None,
        visitors: guests.Desk = _NO_GUESTS,
    ) -> None:
        self._database, self._default_model, self._clock = database, default_model, clock
        self._blobs, self._guests = media, visitors

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
                raise await _changed(conn, newest, etag, base, clash.paths) from None
            after = domain.revised(newest, content, self._clock())
            await store.save(conn, newest, after, caller.subject, verb)
        return after

    async def _change(
        self, storyboard_id: str, origin: str, decide: Callable[[domain.Storyboard], domain.Storyboard]
    ) -> domain.Storyboard:
        """Load, decide and save; nobody else changes it in between."""
        caller = auth.caller()
        async with self._database.tenant(caller.tenant_id) as conn:
            before = await store.lock(conn, caller.tenant_id, asks.storyboard_id(storyboard_id))
            after = decide(before)
            await store.save(conn, before, after, caller.subject, origin)
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
    conn: AsyncConnection, newest: domain.Storyboard, etag: str, base: domain.Content, paths: Sequence[diff.Path]
) -> domain.StoryboardChanged:
    """What clashes, and who did the other half of it, when."""
    versions = await store.versions_after(conn, newest, domain.revision_of(etag) or 0, _TOLD_BACK)
    contents = [content for _, content in versions[1:]] + [base]
    steps = [
        (revision, diff.changes(before, after)) for (revision, after), before in zip(versions, contents, strict=True)
    ]
    violations = []
    for path in paths:
        by = next((revision for revision, changes in steps if merge.touched(path, changes)), versions[0][0])
        wrong = f"was changed by {by.author} at {by.created_at:%Y-%m-%dT%H:%M:%SZ} in revision {by.number}"
        violations.append(errors.Violation(wire.from_path(path), wrong))
    return domain.StoryboardChanged(violations, storyboard_id=newest.id, etag=etag)
