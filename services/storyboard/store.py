"""The tables of storyboards, their revisions and the parts of these, and every query on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.storyboard import domain, parts, steps, words

METADATA = sa.MetaData()

STORYBOARDS = sa.Table(
    "storyboards",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
    sa.Column("request_id", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("words", pg.TSVECTOR),
)

# What is written is JSON in the words of domain.py, not protobuf bytes: in five years psql alone opens it, a query can
# look into it, and a missing key is a field that came later and has its default. Bytes would need the schema of
# their day. What opens today is pinned by the golden rows in tests/{unit,integration}/storyboard.
REVISIONS = sa.Table(
    "revisions",
    METADATA,
    sa.Column("storyboard_id", sa.Text, sa.ForeignKey("storyboards.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("content", pg.JSONB),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("parts", pg.ARRAY(sa.Uuid)),
    sa.Column("same_as", sa.Integer),
)

PARTS = sa.Table(
    "parts",
    METADATA,
    sa.Column("storyboard_id", sa.Text, sa.ForeignKey("storyboards.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("digest", sa.Uuid, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("content", pg.JSONB, nullable=False),
)

_NEWEST = STORYBOARDS.join(
    REVISIONS,
    sa.and_(REVISIONS.c.storyboard_id == STORYBOARDS.c.id, REVISIONS.c.number == STORYBOARDS.c.revision),
)
_LIFE = [column for column in STORYBOARDS.c if column.name not in ("request_id", "request_digest", "words")]
_HISTORY = [column for column in REVISIONS.c if column.name not in ("tenant_id", "content", "parts")]


def _joined(but_kind: str = "") -> list[sa.ColumnElement[Any]]:
    """The content of a revision: whole, as the first release wrote it, or its parts in order."""
    digests = sa.func.unnest(REVISIONS.c.parts).table_valued("digest", with_ordinality="place").render_derived("listed")
    piece = sa.func.jsonb_build_array(PARTS.c.kind, PARTS.c.content)
    pieces = (
        sa.select(sa.func.jsonb_agg(pg.aggregate_order_by(piece, digests.c.place)))
        .select_from(digests.join(PARTS, PARTS.c.digest == sa.cast(digests.c.digest, sa.Uuid)))
        .where(PARTS.c.storyboard_id == REVISIONS.c.storyboard_id)
        .correlate(REVISIONS)
    )
    if not but_kind:
        return [REVISIONS.c.content, pieces.scalar_subquery().label("pieces")]
    whole = REVISIONS.c.content.op("-")(sa.literal(but_kind, sa.Text))
    return [whole.label("content"), pieces.where(PARTS.c.kind != but_kind).scalar_subquery().label("pieces")]


_CONTENT = _joined()
_NO_SCENES = _joined("scenes")


async def insert_once(
    conn: AsyncConnection, board: domain.Storyboard, author: str, origin: str, request_id: str, digest: str
) -> domain.Storyboard:
    """Keep a new storyboard, or return the one this request made before. Raises RequestIdReused."""
    row = _life(board) | _found_by(board) | {"request_id": request_id, "request_digest": digest}
    inserted = await conn.execute(
        pg.insert(STORYBOARDS)
        .values(row)
        .on_conflict_do_nothing(index_elements=["tenant_id", "request_id"])
        .returning(STORYBOARDS.c.id)
    )
    if inserted.first() is not None:
        await _insert_revision(conn, board, author, origin)
        return board
    before = sa.select(STORYBOARDS.c.id, STORYBOARDS.c.request_digest).where(
        STORYBOARDS.c.tenant_id == board.tenant_id, STORYBOARDS.c.request_id == request_id
    )
    kept = (await conn.execute(before)).one()
    if kept.request_digest != digest:
        raise domain.RequestIdReused(request_id=request_id)
    return await get(conn, board.tenant_id, kept.id)


async def get(conn: AsyncConnection, tenant_id: str, storyboard_id: str) -> domain.Storyboard:
    """The storyboard in its newest revision, deleted or not. Raises StoryboardNotFound."""
    query = (
        sa.select(*_LIFE, *_CONTENT)
        .select_from(_NEWEST)
        .where(STORYBOARDS.c.tenant_id == tenant_id, STORYBOARDS.c.id == storyboard_id)
    )
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.StoryboardNotFound(storyboard_id=storyboard_id)
    return _storyboard(row)


async def lock(conn: AsyncConnection, tenant_id: str, storyboard_id: str) -> domain.Storyboard:
    """As get; whoever changes it next waits until this transaction ends. Raises StoryboardNotFound."""
    # Alone: a query that waited for the lock would join the new row with the revisions it saw before.
    mine = sa.select(STORYBOARDS.c.id).where(STORYBOARDS.c.tenant_id == tenant_id, STORYBOARDS.c.id == storyboard_id)
    await conn.execute(mine.with_for_update())
    return await get(conn, tenant_id, storyboard_id)


async def page(
    conn: AsyncConnection,
    tenant_id: str,
    wanted: str,
    state: domain.State | None,
    after: tuple[datetime, str] | None,
    most: int,
) -> list[domain.Storyboard]:
    """Storyboards without scenes, last updated first, from the place `after` on; `wanted` is a tsquery or empty."""
    query = (
        sa.select(*_LIFE, *_NO_SCENES)
        .select_from(_NEWEST)
        .where(STORYBOARDS.c.tenant_id == tenant_id)
        .order_by(STORYBOARDS.c.updated_at.desc(), STORYBOARDS.c.id.desc())
        .limit(most)
    )
    if wanted:
        ids = await _found(conn, wanted, state, after, most)
        query = query.where(STORYBOARDS.c.id == sa.any_(sa.literal(ids, pg.ARRAY(sa.Text))))
    if state:
        query = query.where(STORYBOARDS.c.state == state)
    if after:
        place = sa.tuple_(sa.literal(after[0], sa.DateTime(timezone=True)), sa.literal(after[1], sa.Text))
        query = query.where(sa.tuple_(STORYBOARDS.c.updated_at, STORYBOARDS.c.id) < place)
    return [_storyboard(row) for row in (await conn.execute(query)).mappings()]


async def _found(
    conn: AsyncConnection, wanted: str, state: domain.State | None, after: tuple[datetime, str] | None, most: int
) -> list[str]:
    time, id = after or (None, None)
    found = sa.func.boards_with(
        sa.cast(sa.literal(wanted, sa.Text), pg.TSQUERY),
        sa.literal(state, sa.Text),
        sa.literal(time, sa.DateTime(timezone=True)),
        sa.literal(id, sa.Text),
        most,
    )
    return list((await conn.execute(sa.select(found.column_valued("id")))).scalars())


async def save(
    conn: AsyncConnection,
    before: domain.Storyboard,
    after: domain.Storyboard,
    author: str,
    origin: str,
    same_as: int | None = None,
) -> None:
    """Keep `after` of a storyboard that is locked, and its revision when it has a new one."""
    if after is before:
        return
    row = _life(after)
    if after.revision != before.revision:
        row |= _found_by(after, before)
        await _insert_revision(conn, after, author, origin, same_as)
    await conn.execute(
        sa.update(STORYBOARDS)
        .where(STORYBOARDS.c.tenant_id == before.tenant_id, STORYBOARDS.c.id == before.id)
        .values(row)
    )


async def get_revision(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, number: int
) -> tuple[domain.Revision, domain.Content]:
    """One version and what it holds. Raises RevisionNotFound or StoryboardNotFound."""
    query = sa.select(*_HISTORY, *_CONTENT).where(
        REVISIONS.c.tenant_id == tenant_id,
        REVISIONS.c.storyboard_id == storyboard_id,
        REVISIONS.c.number == number,
    )
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        await get(conn, tenant_id, storyboard_id)
        raise domain.RevisionNotFound(storyboard_id=storyboard_id, revision=number)
    facts = dict(row)
    content = _content(facts)
    return domain.Revision(**facts), content


async def history(conn: AsyncConnection, board: domain.Storyboard) -> steps.History:
    """What Undo and Redo read."""
    query = sa.select(REVISIONS.c.number, REVISIONS.c.same_as).where(
        REVISIONS.c.tenant_id == board.tenant_id,
        REVISIONS.c.storyboard_id == board.id,
        REVISIONS.c.number > board.revision - steps.LOOKED_BACK,
    )
    return {number: same_as for number, same_as in await conn.execute(query)}


async def page_revisions(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, below: int | None, most: int
) -> list[domain.Revision]:
    """The history without content, newest first, from below a number on. Raises StoryboardNotFound."""
    query = (
        sa.select(*_HISTORY)
        .where(REVISIONS.c.tenant_id == tenant_id, REVISIONS.c.storyboard_id == storyboard_id)
        .order_by(REVISIONS.c.number.desc())
        .limit(most)
    )
    if below is not None:
        query = query.where(REVISIONS.c.number < below)
    rows = (await conn.execute(query)).mappings().all()
    if not rows:
        await get(conn, tenant_id, storyboard_id)
    return [domain.Revision(**row) for row in rows]


async def name_revision(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, number: int, name: str
) -> domain.Revision:
    """Give one version a name; an empty one takes it away. Raises RevisionNotFound or StoryboardNotFound."""
    named = (
        sa.update(REVISIONS)
        .where(
            REVISIONS.c.tenant_id == tenant_id,
            REVISIONS.c.storyboard_id == storyboard_id,
            REVISIONS.c.number == number,
        )
        .values(name=name)
        .returning(*_HISTORY)
    )
    row = (await conn.execute(named)).mappings().first()
    if row is None:
        await get(conn, tenant_id, storyboard_id)
        raise domain.RevisionNotFound(storyboard_id=storyboard_id, revision=number)
    return domain.Revision(**row)


async def lock_any(conn: AsyncConnection, tenant_ids: Sequence[str], storyboard_id: str) -> domain.Storyboard:
    """As lock, of whichever of these tenants; in the scope of the whole house. Raises StoryboardNotFound."""
    mine = sa.select(STORYBOARDS.c.tenant_id).where(STORYBOARDS.c.id == storyboard_id).with_for_update()
    owner = (await conn.execute(mine)).scalar()
    if owner is None or owner not in tenant_ids:
        raise domain.StoryboardNotFound(storyboard_id=storyboard_id)
    return await get(conn, owner, storyboard_id)


async def move_to_tenant(conn: AsyncConnection, board: domain.Storyboard, tenant_id: str, request_id: str) -> None:
    """Give a locked storyboard, with its history, to another tenant for good; in the scope of the whole house.

    The new request_id is one that nobody there has used.
    """
    for table in (REVISIONS, PARTS):
        await conn.execute(sa.update(table).where(table.c.storyboard_id == board.id).values(tenant_id=tenant_id))
    lexemes = _vector(words.of_storyboard(board.content, tenant_id))
    moved = {"tenant_id": tenant_id, "expires_at": None, "words": lexemes, "request_id": request_id}
    await conn.execute(sa.update(STORYBOARDS).where(STORYBOARDS.c.id == board.id).values(moved))


async def file_wordless(conn: AsyncConnection, most: int) -> int:
    """File storyboards of the first release by their words; returns how many."""
    query = (
        sa.select(*_LIFE, *_CONTENT).select_from(_NEWEST).where(STORYBOARDS.c.words.is_(None)).limit(most)
    ).with_for_update(of=STORYBOARDS, skip_locked=True)
    boards = [_storyboard(row) for row in (await conn.execute(query)).mappings()]
    for board in boards:
        await conn.execute(sa.update(STORYBOARDS).where(STORYBOARDS.c.id == board.id).values(_found_by(board)))
    return len(boards)


async def forget(conn: AsyncConnection, deleted_before: datetime, now: datetime) -> int:
    """Remove what was deleted before then, and what guests left behind, history included; returns how many."""
    gone = sa.delete(STORYBOARDS).where(
        sa.or_(STORYBOARDS.c.deleted_at < deleted_before, STORYBOARDS.c.expires_at < now)
    )
    return (await conn.execute(gone)).rowcount


async def _insert_revision(
    conn: AsyncConnection, board: domain.Storyboard, author: str, origin: str, same_as: int | None = None
) -> None:
    """Its parts are written only as far as they are new; those of a move, an undo or a restored one are all there."""
    pieces = [(part.digest, part) for part in parts.split(board.content)]
    digests = sa.literal([digest for digest, _ in pieces], pg.ARRAY(sa.Uuid))
    kept = sa.select(PARTS.c.digest).where(PARTS.c.storyboard_id == board.id, PARTS.c.digest == sa.any_(digests))
    known = set((await conn.execute(kept)).scalars())
    new = {digest: part for digest, part in pieces if digest not in known}
    if new:
        owner = {"storyboard_id": board.id, "tenant_id": board.tenant_id}
        rows = [owner | {"digest": digest, "kind": it.kind, "content": it.content} for digest, it in new.items()]
        await conn.execute(sa.insert(PARTS), rows)
    row = {
        "storyboard_id": board.id,
        "number": board.revision,
        "tenant_id": board.tenant_id,
        "author": author,
        "origin": origin,
        "name": "",
        "created_at": board.updated_at,
        "parts": [digest for digest, _ in pieces],
        "same_as": same_as,
    }
    await conn.execute(sa.insert(REVISIONS).values(row))


def _life(board: domain.Storyboard) -> dict[str, Any]:
    return {
        "id": board.id,
        "tenant_id": board.tenant_id,
        "name": board.content.name,
        "state": board.state,
        "revision": board.revision,
        "created_at": board.created_at,
        "updated_at": board.updated_at,
        "deleted_at": board.deleted_at,
        "expires_at": board.expires_at,
    }


def _found_by(board: domain.Storyboard, before: domain.Storyboard | None = None) -> dict[str, Any]:
    """Its words, unless they are what they were: an index of words is dear to write."""
    filed = words.of_storyboard(board.content, board.tenant_id)
    if before and set(filed) == set(words.of_storyboard(before.content, before.tenant_id)):
        return {}
    return {"words": _vector(filed)}


def _vector(lexemes: Sequence[str]) -> sa.ColumnElement[Any]:
    return sa.func.array_to_tsvector(sa.literal(lexemes, pg.ARRAY(sa.Text)))


def _content(row: dict[str, Any]) -> domain.Content:
    whole, pieces = row.pop("content"), row.pop("pieces")
    return parts.joined(pieces) if whole is None else parts.opened(whole)


def _storyboard(row: sa.RowMapping) -> domain.Storyboard:
    life = {key: value for key, value in row.items() if key != "name"}
    content = _content(life)
    return domain.Storyboard(**life | {"content": content, "state": domain.State(row["state"])})
