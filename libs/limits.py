"""How often somebody may call, counted in the service's database, so that all replicas count together."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import sqlalchemy as sa

from libs import db, errors

METADATA = sa.MetaData()

CALLS = sa.Table(
    "calls",
    METADATA,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("counted_as", sa.Text, primary_key=True),
    sa.Column("full_until", sa.DateTime(timezone=True), nullable=False),
)

DDL = """
CREATE TABLE calls (
  caller text,
  counted_as text,
  full_until timestamptz NOT NULL,
  PRIMARY KEY (caller, counted_as)
);
CREATE INDEX calls_full_until ON calls (full_until);
"""
"""The table above, for a service's migration."""

_MOST_KNOWN = 10_000

# Generic cell rate algorithm (ITU-T I.371): one time says how full the bucket is; the database's clock is everybody's.
# Each call takes two forgotten callers with it, so that the table holds those of the last minutes only.
_COUNT = sa.text("""
    WITH old AS (
      SELECT caller, counted_as FROM calls
      WHERE full_until < now() - interval '1 minute' AND caller <> :caller LIMIT 2 FOR UPDATE SKIP LOCKED),
    forgotten AS (
      DELETE FROM calls USING old WHERE calls.caller = old.caller AND calls.counted_as = old.counted_as)
    INSERT INTO calls AS known VALUES (:caller, :counted_as, clock_timestamp() + :step)
    ON CONFLICT (caller, counted_as) DO UPDATE SET full_until = greatest(known.full_until, clock_timestamp()) + :step
    WHERE known.full_until <= clock_timestamp() + :slack
    RETURNING extract(epoch FROM full_until - clock_timestamp())""").bindparams(
    sa.bindparam("step", type_=sa.Interval), sa.bindparam("slack", type_=sa.Interval)
)
_WAIT = sa.text("""
    SELECT extract(epoch FROM full_until - clock_timestamp() - :slack)
    FROM calls WHERE caller = :caller AND counted_as = :counted_as""").bindparams(
    sa.bindparam("slack", type_=sa.Interval)
)


class CallsExhausted(errors.Exhausted):
    """No more than {per_minute} calls in a minute count as `{limit}`; wait and retry."""


def said(limit: str, per_minute: int, left: int, until_s: float) -> dict[str, str]:
    """How many calls are left of so many in a minute, and the seconds until there are more, in HTTP's words."""
    policy, window = f'"{limit}";q={per_minute};w=60', f'"{limit}";r={left};t={max(1, math.ceil(until_s))}'
    return {"ratelimit-policy": policy, "ratelimit": window}


class Limits:
    """So many calls of each kind in a minute, for each caller; they may come at once, and then wait their turn.

    A kind that is not in `per_minute`, or with 0, is not counted. Who was refused is refused until the time that was
    said, without the database: a crowd of them costs next to nothing. `clock` tells seconds, of which only differences
    count.
    """

    def __init__(
        self, database: db.Database, per_minute: Mapping[str, int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._per_minute, self._clock = database, per_minute, clock
        self._full_until = dict[tuple[str, str], float]()

    async def count(self, caller: str, limit: str) -> Mapping[str, str]:
        """Count one call; what is left then, as the headers RateLimit and RateLimit-Policy say it
        (draft-ietf-httpapi-ratelimit-headers). Raises CallsExhausted with the time to wait, or DatabaseAway.
        """
        per_minute = self._per_minute.get(limit, 0)
        if not per_minute:
            return {}
        who, now = (caller, limit), self._clock()
        wait_s = self._full_until.get(who, now) - now
        if wait_s <= 0:
            wait_s, full_s = await self._count(who, timedelta(minutes=1) / per_minute)
        if wait_s > 0:
            self._refused(who, now + wait_s)
            raise CallsExhausted(retry_after_s=max(0.1, wait_s), limit=limit, per_minute=per_minute)
        return said(limit, per_minute, int((60 - full_s) * per_minute / 60), full_s)

    async def _count(self, who: tuple[str, str], step: timedelta) -> tuple[float, float]:
        """The seconds until another call counts, 0 for one that was counted; and those until as many count as ever."""
        facts = {"caller": who[0], "counted_as": who[1], "slack": timedelta(minutes=1) - step}
        async with self._database.house() as conn:
            full_s = (await conn.execute(_COUNT, facts | {"step": step})).scalar()
            if full_s is not None:
                return 0.0, float(full_s)
            return max(0.001, float((await conn.execute(_WAIT, facts)).scalar() or 0.0)), 0.0

    def _refused(self, who: tuple[str, str], until: float) -> None:
        """No call of theirs counts before: others that count only put it off."""
        if len(self._full_until) >= _MOST_KNOWN:
            self._full_until.clear()  # who is forgotten is counted again
        self._full_until[who] = until
