"""Measures films and their pieces: how many wait, how old the oldest is, and how those went that ended."""

import prometheus_client
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.compiler import domain, segment_store, segments, store

_FILMS = prometheus_client.Counter("rushes_films", "Films that a worker has let go of.", ["state"])
_FILM_S = prometheus_client.Histogram(
    "rushes_film_duration_seconds",
    "From the order of a film to its end.",
    ["state"],
    buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
_FRAMES = prometheus_client.Counter(
    "rushes_film_frames", "Pictures of finished films: copied, encoded, or found encoded.", ["how"]
)
_SEGMENTS = prometheus_client.Counter("rushes_segments", "Pieces that a worker has let go of.", ["kind", "state"])
_SEGMENT_S = prometheus_client.Histogram(
    "rushes_segment_duration_seconds",
    "How long a worker took to make a piece.",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_OPEN = prometheus_client.Gauge("rushes_films_open", "Films that are not over.", ["state"])
_OLDEST_S = prometheus_client.Gauge(
    "rushes_film_oldest_age_seconds", "How long ago the oldest of them was ordered.", ["state"]
)
_WANTED = prometheus_client.Gauge("rushes_segments_open", "Pieces that are to be made.", ["state"])
for _state in domain.State:
    _FILMS.labels(_state)
for _how in ("copied", "encoded", "reused"):
    _FRAMES.labels(_how)

_FILM, _PIECE = store.FILMS.c, segment_store.SEGMENTS.c
_AGE_S = sa.cast(sa.extract("epoch", sa.func.now() - sa.func.min(_FILM.created_at)), sa.Float)
_FILMS_HELD = (
    sa.select(_FILM.state, sa.func.count(), _AGE_S).where(_FILM.next_action_at.is_not(None)).group_by(_FILM.state)
)
_PIECES_HELD = sa.select(_PIECE.state, sa.func.count()).where(_PIECE.next_action_at.is_not(None)).group_by(_PIECE.state)
_OPEN_FILMS = [state for state in domain.State if state not in domain.ENDS]
_OPEN_PIECES = [segments.State.WAITING, segments.State.RUNNING]


class Gauges:
    """Every replica sees the whole house: alerts take the largest, not sums."""

    def __init__(self, database: db.Database) -> None:
        self._database = database

    async def look(self) -> int:
        """Set the gauges; 0, so that it can be a loop's tick."""
        async with self._database.house() as conn:
            films = {state: rest for state, *rest in await conn.execute(_FILMS_HELD)}
            pieces = {state: count for state, count in await conn.execute(_PIECES_HELD)}
        for state in _OPEN_FILMS:
            count, oldest_s = films.get(state, (0, 0.0))
            _OPEN.labels(state).set(count)
            _OLDEST_S.labels(state).set(oldest_s)
        for of in _OPEN_PIECES:
            _WANTED.labels(of).set(pieces.get(of, 0))
        return 0


def film_moved(conn: AsyncConnection, film: domain.Film) -> None:
    """A worker lets go of a film, once this transaction commits."""
    db.after_commit(conn, lambda: _note_film(film))


def piece_moved(conn: AsyncConnection, piece: segments.Segment) -> None:
    """A worker lets go of a piece, once this transaction commits."""
    db.after_commit(conn, lambda: _note_piece(piece))


def _note_film(film: domain.Film) -> None:
    _FILMS.labels(film.state).inc()
    if film.ended_at:
        _FILM_S.labels(film.state).observe(max(0.0, (film.ended_at - film.created_at).total_seconds()))
    if film.work and film.state is domain.State.COMPLETED:
        _FRAMES.labels("copied").inc(film.work.copied)
        _FRAMES.labels("encoded").inc(film.work.encoded)
        _FRAMES.labels("reused").inc(film.work.reused)


def _note_piece(piece: segments.Segment) -> None:
    _SEGMENTS.labels(piece.kind, piece.state).inc()
    if piece.seconds is not None and piece.state is segments.State.DONE:
        _SEGMENT_S.labels(piece.kind).observe(piece.seconds)
