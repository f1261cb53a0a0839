"""Connections to a service's own PostgreSQL database, with the time limits and the tenant scope we always want."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import prometheus_client
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from libs import db_spans, errors

log = logging.getLogger(__name__)

EVERY_TENANT = "*"
"""The row-level-security scope of events and ticks, which serve all tenants."""

# SQLSTATEs, by their beginnings: the connection is lost; others wait in a circle with us; it is full; a lock was waited
# for too long; the server stops, crashed or starts.
_PASSES = ("08", "40P01", "53", "55P03", "57P")
_CHARACTER_NOT_IN_REPERTOIRE = "22021"
_SHORT_REST_S = 1.0
_IN_USE = prometheus_client.Gauge("rushes_db_pool_in_use", "Connections that are lent out.", ["pool"])
_SIZE = prometheus_client.Gauge("rushes_db_pool_size", "Connections that there can be.", ["pool"])
_WAIT_S = prometheus_client.Histogram(
    "rushes_db_pool_wait_seconds",
    "How long a transaction waited for its connection.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 10),
)
_AWAY = prometheus_client.Counter("rushes_db_away", "Transactions for which the database could not be reached.")
# Whoever owns the tables, or is told to, sees the rows of every tenant in whatever scope.
_SEES_PAST = sa.text("""
    SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls))
      OR EXISTS (SELECT FROM pg_class WHERE relrowsecurity AND pg_has_role(current_user, relowner, 'USAGE'))""")
_SCOPE = sa.text("SELECT set_config('rushes.tenant', :tenant, true)")
_LIMITS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
    "timezone": "UTC",
}


class DatabaseAway(errors.Unavailable):
    """The database cannot be reached, or cannot do this at the moment; retry in a moment."""


class TextInvalid(errors.Invalid):
    """A text holds a NUL character, which nothing of ours can; remove it."""


class Database:
    """One service's database: short transactions in the scope of one tenant, or of the whole house.

    `spoken` is set after each commit that left an event in the outbox: the relay waits for it.
    """

    def __init__(self, url: str, pool: int = 8) -> None:
        self._scoped = _shown(_engine(url, pool, {}), "tenant", pool)
        self._house = _shown(_engine(url, pool, {"rushes.tenant": EVERY_TENANT}), "house", pool)
        self._probed = _engine(url, 1, {"rushes.tenant": EVERY_TENANT})
        self._is_guarded = False
        self.spoken = asyncio.Event()

    @contextlib.asynccontextmanager
    async def tenant(self, tenant_id: str, *, frozen: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees this tenant's rows only; `frozen`, all of its queries see the same moment.

        Raises DatabaseAway.
        """
        async with self._begin(self._scoped, frozen) as conn:
            # Set for the transaction, not the session: a pooled connection can never carry it to the next caller.
            await conn.execute(_SCOPE, {"tenant": tenant_id})
            yield conn

    @contextlib.asynccontextmanager
    async def house(self) -> AsyncIterator[AsyncConnection]:
        """One transaction across tenants, for events and ticks. Raises DatabaseAway."""
        async with self._begin(self._house) as conn:
            yield conn

    @contextlib.asynccontextmanager
    async def probe(self) -> AsyncIterator[AsyncConnection]:
        """As house, over a connection that is kept for questions about health: a crowd that waits for the others is no
        reason to call a process sick. Raises DatabaseAway.
        """
        async with self._begin(self._probed) as conn:
            yield conn

    async def answers(self) -> bool:
        """Whether the database answers now, its schema is there and keeps tenants apart; for health checks."""
        try:
            async with asyncio.timeout(2), self.probe() as conn:
                await conn.execute(sa.text("SELECT version_num FROM alembic_version"))
                self._is_guarded = self._is_guarded or not (await conn.execute(_SEES_PAST)).scalar_one()
        except (errors.Unavailable, sa.exc.DBAPIError, TimeoutError):
            return False
        if not self._is_guarded:
            log.error("row_level_security_is_off", extra={"remedy": "run as a role that owns no tables"})
        return self._is_guarded

    async def close(self) -> None:
        """Give every connection back."""
        for engine in (self._scoped, self._house, self._probed):
            await engine.dispose()

    @contextlib.asynccontextmanager
    async def _begin(self, engine: AsyncEngine, frozen: bool = False) -> AsyncIterator[AsyncConnection]:
        async with contextlib.AsyncExitStack() as stack:
            began = time.monotonic()
            try:
                conn = await stack.enter_async_context(engine.connect())
            except (OSError, sa.exc.DBAPIError, sa.exc.TimeoutError) as fault:
                _AWAY.inc()
                raise DatabaseAway from fault
            _WAIT_S.observe(time.monotonic() - began)
            if frozen:
                await conn.execution_options(isolation_level="REPEATABLE READ")
            info = conn.info
            info.pop("spoken", None)
            info["then"] = then = list[Callable[[], None]]()
            try:
                async with conn.begin():
                    yield conn
            except sa.exc.DBAPIError as fault:
                state = getattr(fault.orig, "sqlstate", None) or ""
                if state == _CHARACTER_NOT_IN_REPERTOIRE:
                    raise TextInvalid from fault
                if fault.connection_invalidated or state.startswith(_PASSES):
                    raise DatabaseAway from fault
                raise
            if info.pop("spoken", False):
                self.spoken.set()
            for call in then:
                call()


def after_commit(conn: AsyncConnection, call: Callable[[], None]) -> None:
    """Have this called once the transaction has committed, and never when it has not: what is counted has happened."""
    conn.info["then"].append(call)


def one_of(column: sa.ColumnElement[Any], values: Collection[str]) -> sa.ColumnElement[bool]:
    """Whether the column is one of these texts: one parameter, however many they are."""
    return column == sa.any_(sa.literal(list(values), pg.ARRAY(sa.Text)))


def among(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """As one_of, of a list of texts that a parameter of this name brings: for a statement that is made once."""
    return column == sa.any_(sa.bindparam(name, type_=pg.ARRAY(sa.Text)))


def insertion(table: sa.Table, names: Sequence[str], **computed: sa.TextClause) -> sa.Insert:
    """A statement that inserts many rows at once: one execution for all, where a list of rows is one for each.

    The columns of these names come as `columns` makes them; what is `computed` is the same in every row.
    """
    told = [sa.func.unnest(sa.bindparam(name, type_=pg.ARRAY(table.c[name].type))) for name in names]
    return sa.insert(table).from_select([*names, *computed], sa.select(*told, *computed.values()))


def columns(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """These rows, as an `insertion` of columns of these names takes them."""
    return {name: [row[name] for row in rows] for name in names}


def recordset(table: sa.Table, names: Sequence[str], parameter: str) -> sa.TableValuedAlias:
    """Rows, typed as the table's columns of these names, for one statement that changes them all.

    What `records` makes of them comes as the parameter of that name.
    """
    columns = [sa.column(name, table.c[name].type) for name in names]
    records = sa.func.jsonb_to_recordset(sa.cast(sa.bindparam(parameter, type_=sa.Text), pg.JSONB))
    return records.table_valued(*columns, name=parameter).render_derived(with_types=True)


def records(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The columns of these names, of these rows, as a `recordset` takes them."""
    return json.dumps([{name: row[name] for name in names} for row in rows], default=_iso)


def _iso(moment: datetime) -> str:
    return moment.isoformat()


def _engine(url: str, pool: int, session: dict[str, str]) -> AsyncEngine:
    arguments: dict[str, Any] = {"server_settings": _LIMITS | session, "timeout": 5}
    # The connection given back last comes first: few are busy, and those know their statements.
    engine = create_async_engine(
        url, pool_size=pool, max_overflow=0, pool_timeout=10, pool_use_lifo=True, connect_args=arguments
    )
    sa.event.listen(engine.sync_engine, "checkin", _note_rest)
    sa.event.listen(engine.sync_engine, "checkout", _check)
    db_spans.show(engine)
    return engine


def _shown(engine: AsyncEngine, name: str, pool: int) -> AsyncEngine:
    _SIZE.labels(name).set(pool)
    _IN_USE.labels(name).set_function(engine.sync_engine.pool.checkedout)  # type: ignore[attr-defined]
    return engine


def _note_rest(connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _check(connection: Any, record: Any, _: Any) -> None:
    """Replace a connection that was cut. To ask the server takes three exchanges: only after a rest."""
    rest_s = time.monotonic() - record.info.get("rests_since", 0.0)
    if rest_s < _SHORT_REST_S and not connection.driver_connection.is_closed():
        return
    try:
        connection.ping()
    except Exception as fault:
        raise sa.exc.InvalidatePoolError from fault
