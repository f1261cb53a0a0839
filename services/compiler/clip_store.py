"""The table of clips that were looked into, so that each is looked into once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.compiler import film, orders, store

CLIPS = sa.Table(
    "clips",
    store.METADATA,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("facts", sa.Text),
    sa.Column("heard", sa.Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """What lies under a key: facts when its pictures were looked into, `heard` when its sound was."""

    key: str
    digest: str
    facts: film.Facts | None
    heard: bool


async def known(conn: AsyncConnection, tenant_id: str, keys: Collection[str]) -> dict[str, Clip]:
    """Those of these clips that were looked into."""
    query = sa.select(CLIPS).where(CLIPS.c.tenant_id == tenant_id, db.one_of(CLIPS.c.key, keys))
    rows = await conn.execute(query)
    return {row.key: Clip(row.key, row.digest, _read(row.facts), row.heard) for row in rows}


async def note(conn: AsyncConnection, tenant_id: str, clips: Sequence[Clip]) -> None:
    """Remember what was found in these clips; what is stored under a key never changes."""
    rows = [
        {
            "tenant_id": tenant_id,
            "key": clip.key,
            "digest": clip.digest,
            "facts": orders.said_line(orders.Probed(clip.digest, clip.facts)) if clip.facts else None,
            "heard": clip.heard,
        }
        for clip in sorted(clips, key=lambda clip: clip.key)
    ]
    insert = pg.insert(CLIPS)
    found = {
        "facts": sa.func.coalesce(insert.excluded.facts, CLIPS.c.facts),
        "heard": sa.or_(insert.excluded.heard, CLIPS.c.heard),
    }
    await conn.execute(insert.on_conflict_do_update(index_elements=["tenant_id", "key"], set_=found), rows)


async def keys(conn: AsyncConnection, tenant_id: str, digests: Collection[str]) -> Mapping[str, list[str]]:
    """Where the files of these digests lie; what is no clip's digest is left out."""
    query = sa.select(CLIPS.c.digest, sa.func.array_agg(CLIPS.c.key).label("keys")).group_by(CLIPS.c.digest)
    rows = await conn.execute(query.where(CLIPS.c.tenant_id == tenant_id, db.one_of(CLIPS.c.digest, digests)))
    return {row.digest: row.keys for row in rows}


def _read(line: str | None) -> film.Facts | None:
    said = orders.read_said(line) if line else None
    return said.facts if isinstance(said, orders.Probed) else None
