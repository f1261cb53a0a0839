"""The tables of storyboards and revisions, and every query on them."""

import dataclasses
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.storyboard import domain

METADATA = sa.MetaData()
T = TypeVar("T", domain.Character, domain.Location)

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
)

# The content is JSON in the words of domain.py, not protobuf bytes: in five years psql alone opens it, a query can
# look into it, and a missing key is a field that came later and has its default. Bytes would need the schema of
# their day. What opens today is pinned by the golden row in tests/unit/storyboard.
REVISIONS = sa.Table(
    "revisions",
    METADATA,
    sa.Column("storyboard_id", sa.Text, sa.ForeignKey("storyboards.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("content", pg.JSONB, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)

_NEWEST = STORYBOARDS.join(
    REVISIONS,
    sa.and_(REVISIONS.c.storyboard_id == STORYBOARDS.c.id, REVISIONS.c.number == STORYBOARDS.c.revision),
)
_LIFE = [column for column in STORYBOARDS.c if not column.name.startswith("request_")]
_HISTORY = [column for column in REVISIONS.c if column.name not in ("tenant_id", "content")]


async def insert_once(
    conn: AsyncConnection, board: domain.Storyboard, author: str, origin: str, request_id: str, digest: str
) -> domain.Storyboard:
    """Keep a new storyboard, or return the one this request made before. Raises RequestIdReused."""
    row = _life(board) | {"request_id": request_id, "request_digest": digest}
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
        sa.select(*_LIFE, REVISIONS.c.content)
        .select_from(_NEWEST)
        .where(STORYBOARDS.c.tenant_id == tenant_id, STORYBOARDS.c.id == storyboard_id)
    )
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.StoryboardNotFound(storyboard_id=storyboard_id)
    return _storyboard(row)


async def page(
    conn: AsyncConnection,
    tenant_id: str,
    name: str,
    deleted_too: bool,
    after: tuple[datetime, str] | None,
    most: int,
) -> list[domain.Storyboard]:
    """Storyboards without scenes whose name holds `name`, last updated first, from the place `after` on."""
    query = (
        sa.select(*_LIFE, REVISIONS.c.content.op("-")(sa.literal("scenes", sa.Text)).label("content"))
        .select_from(_NEWEST)
        .where(STORYBOARDS.c.tenant_id == tenant_id)
        .order_by(STORYBOARDS.c.updated_at.desc(), STORYBOARDS.c.id.desc())
        .limit(most)
    )
    if name:
        query = query.where(STORYBOARDS.c.name.icontains(name, autoescape=True))
    if not deleted_too:
        query = query.where(STORYBOARDS.c.state == domain.State.ACTIVE)
    if after:
        place = sa.tuple_(sa.literal(after[0], sa.DateTime(timezone=True)), sa.literal(after[1], sa.Text))
        query = query.where(sa.tuple_(STORYBOARDS.c.updated_at, STORYBOARDS.c.id) < place)
    return [_storyboard(row) for row in (await conn.execute(query)).mappings()]


async def save_if_unchanged(
    conn: AsyncConnection, before: domain.Storyboard, after: domain.Storyboard, author: str, origin: str
) -> None:
    """Compare and set: keep `after`, and its revision when it has a new one. Raises StoryboardChanged."""
    if after is before:
        return
    saved = await conn.execute(
        sa.update(STORYBOARDS)
        .where(
            STORYBOARDS.c.tenant_id == before.tenant_id,
            STORYBOARDS.c.id == before.id,
            STORYBOARDS.c.revision == before.revision,
            STORYBOARDS.c.state == before.state,
        )
        .values(_life(after))
    )
    if saved.rowcount == 0:
        raise domain.StoryboardChanged(storyboard_id=before.id, etag=before.etag)
    if after.revision != before.revision:
        await _insert_revision(conn, after, author, origin)


async def get_revision(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, number: int
) -> tuple[domain.Revision, domain.Content]:
    """One version and what it holds. Raises RevisionNotFound or StoryboardNotFound."""
    query = sa.select(REVISIONS.c.content, *_HISTORY).where(
        REVISIONS.c.tenant_id == tenant_id,
        REVISIONS.c.storyboard_id == storyboard_id,
        REVISIONS.c.number == number,
    )
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        await get(conn, tenant_id, storyboard_id)
        raise domain.RevisionNotFound(storyboard_id=storyboard_id, revision=number)
    history = dict(row)
    content = opened(history.pop("content"))
    return domain.Revision(**history), content


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


async def forget_deleted_before(conn: AsyncConnection, when: datetime) -> int:
    """Remove what was deleted before then, history included; returns how many storyboards."""
    gone = sa.delete(STORYBOARDS).where(STORYBOARDS.c.deleted_at < when)
    return (await conn.execute(gone)).rowcount


async def _insert_revision(conn: AsyncConnection, board: domain.Storyboard, author: str, origin: str) -> None:
    row = {
        "storyboard_id": board.id,
        "number": board.revision,
        "tenant_id": board.tenant_id,
        "author": author,
        "origin": origin,
        "name": "",
        "content": dataclasses.asdict(board.content),
        "created_at": board.updated_at,
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
    }


def _storyboard(row: sa.RowMapping) -> domain.Storyboard:
    life = {key: value for key, value in row.items() if key != "name"}
    return domain.Storyboard(**life | {"content": opened(row["content"]), "state": domain.State(row["state"])})


def opened(content: dict[str, Any]) -> domain.Content:
    """Content as it was stored, by this release or an older one; keys of a newer one are passed over."""
    return domain.Content(
        **_known(domain.Content, content)
        | {
            "size": domain.Size(**content["size"]) if content.get("size") else None,
            "characters": tuple(_with_stills(domain.Character, it) for it in content.get("characters", ())),
            "locations": tuple(_with_stills(domain.Location, it) for it in content.get("locations", ())),
            "props": tuple(domain.Prop(**_known(domain.Prop, it)) for it in content.get("props", ())),
            "scenes": tuple(_scene(it) for it in content.get("scenes", ())),
        }
    )


def _scene(it: dict[str, Any]) -> domain.Scene:
    names = {"cast": tuple(it.get("cast", ())), "props": tuple(it.get("props", ()))}
    return domain.Scene(**_known(domain.Scene, it) | names | {"seam": domain.Seam(it.get("seam", "cut"))})


def _with_stills(cls: type[T], it: dict[str, Any]) -> T:
    stills = tuple(domain.Blob(**_known(domain.Blob, blob)) for blob in it.get("references", ()))
    return cls(**_known(cls, it) | {"references": stills})


def _known(cls: Any, it: dict[str, Any]) -> dict[str, Any]:
    return {field.name: it[field.name] for field in dataclasses.fields(cls) if field.name in it}
