"""Fills a database with storyboards, as fast as PostgreSQL takes them."""

import dataclasses
import itertools
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from libs import ids
from services.storyboard import domain, parts, words

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OURS, OTHERS = "acme", "other"

_AT_ONCE = 2000
_VOCABULARY = 20_000
_YEAR_S = 3e7

_CHANCE = random.Random(7)
_SYLLABLES = [consonant + vowel for consonant in "bcdfghklmnprstvz" for vowel in "aeiou"]
_WORDS = {"".join(_CHANCE.choices(_SYLLABLES, k=_CHANCE.randint(2, 5))) for _ in range(_VOCABULARY)}
VOCABULARY = _CHANCE.sample(sorted(_WORDS), k=len(_WORDS))
"""Made-up words, the commonest first: as often as Zipf's law has it."""

_WEIGHTS = list(itertools.accumulate(1 / rank for rank in range(1, len(VOCABULARY) + 1)))


async def fill(connection: asyncpg.Connection, count: int) -> list[str]:
    """Put in storyboards of six scenes, seven of ten ours, two of a hundred deleted; returns some of our ids."""
    ours: list[str] = []
    left = count
    while left > 0:
        batch = [_board() for _ in range(min(_AT_ONCE, left))]
        left -= len(batch)
        await _insert(connection, batch)
        ours += [board.id for board in batch if board.tenant_id == OURS and board.state is domain.State.ACTIVE][:50]
    await connection.execute("VACUUM ANALYZE")
    return ours


async def _insert(connection: asyncpg.Connection, boards: list[domain.Storyboard]) -> None:
    split = {board.id: {part.digest: part for part in parts.split(board.content)} for board in boards}
    lives = [
        (it.id, it.tenant_id, it.content.name, it.state, it.updated_at, words.of_storyboard(it.content, it.tenant_id))
        for it in boards
    ]
    # COPY knows no tsvector: the words come as an array.
    await connection.executemany(
        """INSERT INTO storyboards (id, tenant_id, name, state, revision, created_at, updated_at, deleted_at,
                                    request_id, request_digest, words)
           VALUES ($1, $2, $3, $4, 1, $5, $5, CASE WHEN $4 = 'deleted' THEN $5::timestamptz END,
                   gen_random_uuid(), '', array_to_tsvector($6::text[]))""",
        lives,
    )
    revisions = [
        (it.id, 1, it.tenant_id, "ada", "CreateStoryboard", "", it.updated_at, list(split[it.id])) for it in boards
    ]
    columns = ["storyboard_id", "number", "tenant_id", "author", "origin", "name", "created_at", "parts"]
    await connection.copy_records_to_table("revisions", records=revisions, columns=columns)
    await connection.copy_records_to_table(
        "parts",
        records=_part_rows(boards, split),
        columns=["storyboard_id", "tenant_id", "digest", "kind", "content"],
    )


def _part_rows(boards: list[domain.Storyboard], split: dict[str, dict[Any, parts.Part]]) -> Iterator[tuple[Any, ...]]:
    for board in boards:
        for digest, part in split[board.id].items():
            yield board.id, board.tenant_id, digest, part.kind, json.dumps(part.content)


def _board() -> domain.Storyboard:
    owner = OURS if _CHANCE.random() < 0.7 else OTHERS
    made = domain.created(_content(), owner, ids.new, NOW - timedelta(seconds=_CHANCE.random() * _YEAR_S))
    if _CHANCE.random() < 0.02:
        return dataclasses.replace(made, state=domain.State.DELETED, deleted_at=made.updated_at)
    return made


def _content() -> domain.Content:
    return domain.Content(
        name=_text(3),
        logline=_text(10),
        preset="noir",
        characters=tuple(domain.Character(name=f"{_text(1)} {n}", profile=_text(15)) for n in range(2)),
        locations=(domain.Location(name="Room", description=_text(10)),),
        scenes=tuple(_scene() for _ in range(6)),
    )


def _scene() -> domain.Scene:
    return domain.Scene(
        title=_text(3),
        subject=_text(8),
        action=_text(15),
        setting=_text(10),
        camera=_text(8),
        lighting=_text(6),
        dialogue=_text(12),
        seconds=4,
    )


def _text(count: int) -> str:
    return " ".join(_CHANCE.choices(VOCABULARY, cum_weights=_WEIGHTS, k=count))
