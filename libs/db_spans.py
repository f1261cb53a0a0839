"""Shows the statements of a database as spans, inside of spans that somebody will see."""

import re
from typing import Any

import sqlalchemy as sa
from opentelemetry import trace
from sqlalchemy.ext.asyncio import AsyncEngine

from libs import telemetry

_WITH = re.compile(r"\s*WITH\b.*?\)\s*(?=SELECT|INSERT|UPDATE|DELETE)", re.S)
_SUMMARY = re.compile(r"\s*(?:(UPDATE)\s+|(INSERT)\s+INTO\s+|(SELECT|DELETE)\b.*?\bFROM\s+)(\w+)", re.S)


def show(engine: AsyncEngine) -> None:
    """From now on. Texts and values of statements are not shown: what they do to what is enough to find them.

    OpenTelemetry's own package refuses SQLAlchemy 2.1 in silence, and shows idle work as well.
    """
    sa.event.listen(engine.sync_engine, "before_cursor_execute", _begin)
    sa.event.listen(engine.sync_engine, "after_cursor_execute", _end)
    sa.event.listen(engine.sync_engine, "handle_error", _fail)


def summary(statement: str) -> str:
    """What it does, and to which table, such as `UPDATE jobs`; its first word when that cannot be told."""
    match = _SUMMARY.match(_WITH.sub("", statement, count=1))
    if match is None:
        return statement.split(None, 1)[0].upper() if statement.strip() else ""
    return f"{match[1] or match[2] or match[3]} {match[4]}"


def _begin(conn: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    if not telemetry.is_recorded():
        return
    told = summary(statement)
    if " " not in told:
        return  # it touches no table: a setting, or the time
    attributes: dict[str, telemetry.Attribute] = {
        "db.system.name": "postgresql",
        "db.namespace": conn.engine.url.database or "",
        "db.operation.name": told.split()[0],
        "db.query.summary": told,
    }
    context.rushes_span = telemetry.begin(told, telemetry.Kind.CLIENT, attributes)


def _end(conn: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    if running := _take(context):
        running.end()


def _fail(fault: sa.engine.ExceptionContext) -> None:
    if running := _take(fault.execution_context):
        state = getattr(fault.original_exception, "sqlstate", None)
        telemetry.fail(running, state or type(fault.original_exception).__name__)
        running.end()


def _take(context: Any) -> trace.Span | None:
    """The span of a statement, once."""
    running: trace.Span | None = getattr(context, "rushes_span", None)
    if running:
        context.rushes_span = None
    return running
