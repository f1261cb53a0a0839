"""One trace shows a film, from the client's call to its last piece; what is asked again and again is linked to it."""

import asyncio
import json
import os
import secrets
import time
from pathlib import Path

from libs import telemetry
from services.cli import house
from tests import collector
from tests.e2e import boards, conftest, crew, oracle, test_surface, waiting, waterfall

_WITHIN_S = 120.0
_PLACES = ("storyboard", "job", "provider_gateway", "compiler")
_CLIP = "rushes.job.v1.ClipRequested"
_STORED = "rushes.provider_gateway.v1.ClipStored"
_FILM = "rushes.job.v1.FilmRequested"
_DONE = "rushes.compiler.v1.FilmCompleted"


async def filmed(of: house.House, told: collector.Collector, folder: Path) -> list[collector.Span]:
    """The trace of a film, whole: the last thing that happens is that the job service hears of it.

    Each process sends what it has recorded every second.
    """
    trace_id = secrets.token_hex(16)
    async with asyncio.timeout(_WITHIN_S):
        with telemetry.span("film", {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}):
            await crew.shoot(of, "The trace", folder, first_seed=91)  # no clip, and no piece, of another film

        async def whole() -> list[collector.Span] | None:
            found = told.trace(trace_id)
            return found if {f"publish {_DONE}", f"process {_DONE}"} <= {one.name for one in found} else None

        await waiting.until("the end of the trace", whole)
        await asyncio.sleep(2)
        return told.trace(trace_id)


async def test_a_film_is_one_trace(of: house.House, told: collector.Collector, tmp_path: Path) -> None:
    spent, charged = await spent_micros(of), await charged_micros(of)
    found = await filmed(of, told, tmp_path)
    cost = await spent_micros(of) - spent
    assert await charged_micros(of) - charged == cost > 0, "what the metric says was charged is what the ledger says"
    by_id = {one.span_id: one for one in found}

    def named(name: str, service: str = "") -> list[collector.Span]:
        return [one for one in found if one.name == name and one.service.endswith(service)]

    assert {one.service for one in found} == {f"rushes-{place}" for place in _PLACES}
    (created,) = named("rushes.job.v1.JobService/CreateProduction", "job")
    asked = [one for one in found if one.parent_id == created.span_id and one.kind == 3]
    calls = {one.name.partition("/")[2] for one in asked if "rpc.method" in one.attributes}
    assert {"ComposePrompts", "GetQuote"} <= calls, "the calls of a service are in it"
    for call in [one for one in asked if "rpc.method" in one.attributes]:
        (answered,) = [one for one in found if one.parent_id == call.span_id and one.kind == 2]
        assert answered.name == call.name
    for subject, events, listener in (
        (_CLIP, boards.SCENES, "provider_gateway"),
        (_STORED, boards.SCENES, "job"),
        (_FILM, 1, "compiler"),
        (_DONE, 1, "job"),
    ):
        assert len(named(f"publish {subject}")) == events
        heard = named(f"process {subject}", listener)
        assert sum(one.attributes.get("messaging.batch.message_count", 1) for one in heard) == events
    assert len(named("create sandbox-openai")) == len(named("fetch sandbox-openai")) == boards.SCENES
    for order in named("create sandbox-openai"):
        assert by_id[order.parent_id].name == "step SENDING"
    cut, pieces = named("cut film", "compiler"), named("make piece", "compiler")
    assert cut, "the film is cut in its trace"
    assert pieces, "its pieces are made in its trace"
    assert named("INSERT outbox"), "statements of the database are in it"
    roots = [one for one in found if one.parent_id and one.parent_id not in by_id]
    assert len({one.parent_id for one in roots}) == 1, "all that hangs on no span here hangs on the client's"
    assert not [one for one in found if one.is_error]
    ids = {one.span_id for one in found}
    polls = [one for one in told.spans() if one.name == "step ACCEPTED" and ids & {span for _, span in one.links}]
    assert polls, "polls are short traces of their own, linked to this one"
    assert all(one.trace_id != found[0].trace_id and not one.parent_id for one in polls)
    assert not [one for one in told.spans() if one.name.startswith("grpc.")], "health and reflection are not traced"
    for one in told.spans():
        assert {name: one.resource.get(name) for name in conftest.RESOURCE} == conftest.RESOURCE
        assert one.resource["service.namespace"] == "rushes"
        assert all(one.resource[name] for name in ("service.name", "service.version", "service.instance.id"))
    statements = [one for one in found if "db.system.name" in one.attributes]
    inside = {one.span_id for one in statements}
    assert not [one.name for one in statements if one.parent_id in inside], "a statement is one span"
    for table in ("storyboards", "revisions", "quotes", "productions", "films"):
        assert len(named(f"INSERT {table}")) == 1, "a statement is one span"
    for place in ("job", "provider_gateway", "compiler"):
        assert found[0].trace_id in logged_traces(of, place), f"{place} logs what it does with the trace's id"
    if picture := os.environ.get("RUSHES_TRACE_PICTURE"):
        waterfall.draw(found, Path(picture))


def logged_traces(of: house.House, service: str) -> set[str]:
    """Those of the lines of its log."""
    return {json.loads(line).get("trace_id", "") for line in of.log(service).read_text().splitlines()}


async def spent_micros(of: house.House) -> int:
    """By the ledger."""
    spent: int = (await oracle.rows(of, "provider_gateway", "SELECT coalesce(sum(spent), 0) FROM ledger"))[0][0]
    return spent


async def charged_micros(of: house.House) -> float:
    """By the gateway's own metrics."""
    shown = await asyncio.to_thread(test_surface.fetched, f"{of.address('provider_gateway_metrics')}/metrics")
    return sum(float(line.split()[-1]) for line in shown.splitlines() if line.startswith("rushes_charged_micros_total"))


async def test_an_idle_house_records_nothing(of: house.House, told: collector.Collector) -> None:
    since = time.time_ns() + 1_000_000_000  # what was begun before may end now
    await asyncio.sleep(4)
    assert {one.name for one in told.spans() if one.began > since} == set()
