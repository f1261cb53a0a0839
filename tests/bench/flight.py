"""`make bench-flight`: one gateway process that looks after thousands of submissions which nobody has finished yet."""

import argparse
import asyncio
import math
import os
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import nats
import prometheus_client.parser
import yaml
from google.protobuf import duration_pb2

from libs import ids
from rushes.job.v1 import events_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2, quote_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from services.cli import client, environment, house, postgres
from tests.bench import census, home

_GATEWAY = "provider_gateway"
_ITEMS = 100  # of each quote
_OFFER = Path(__file__).parents[2] / "services" / _GATEWAY / "offer" / "sandbox.yaml"
_ACCEPTED = "SELECT count(*) FROM submissions WHERE state = 'ACCEPTED'"
_LATE = "rushes_poll_lateness_seconds_bucket"


class Flight(NamedTuple):
    """What was seen while `elapsed_s` passed; `late` is how many polls began at most so many seconds late."""

    elapsed_s: float
    late: Mapping[float, float]
    cpu_s: Mapping[str, float]
    rss_bytes: int

    @property
    def polls(self) -> float:
        """How many there were."""
        return self.late[math.inf]

    def quantile_s(self, share: float) -> float:
        """So many seconds late at most were so many of the polls: the bound of a bucket."""
        return min(bound for bound, count in self.late.items() if count >= share * self.polls)


async def main() -> None:
    """Measure it with the sandbox's list call and without."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--submissions", type=int, default=10_000)
    arguments.add_argument("--settle", type=float, default=300.0, help="seconds to wait once all are under way")
    arguments.add_argument("--window", type=float, default=120.0, help="seconds to measure")
    asked = arguments.parse_args()
    flights = {}
    for is_listed in (True, False):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as overrides:
            overrides.write(_overridden(is_listed))
            overrides.flush()
            os.environ |= {
                "RUSHES_CATALOGUE_OVERRIDES_PATH": overrides.name,
                "RUSHES_SANDBOX_INSTANT": "true",
                "RUSHES_SANDBOX_LATENCY": "3600",
                "RUSHES_LOG_LEVEL": "WARNING",
            }
            async with home.running(("sandbox", _GATEWAY)) as of:
                await _launch(of, asked.submissions)
                await asyncio.sleep(asked.settle)
                flights["list call" if is_listed else "one call each"] = await _watch(of, asked.window)
    _report(flights, asked.submissions)


def _overridden(is_listed: bool) -> str:
    """The sandbox's endpoints, with or without polls by its list."""
    endpoints = yaml.safe_load(_OFFER.read_text())["endpoints"]
    endpoints["sandbox-openai"]["capabilities"]["polls_by_list"] = is_listed
    return yaml.safe_dump({"endpoints": endpoints})


async def _launch(of: house.House, submissions: int) -> None:
    """Order so many clips, as the job service does, and return once the provider has accepted them all."""
    began = time.monotonic()
    bus = await nats.connect(environment.nats_url(of))
    js, subject = bus.jetstream(timeout=30), str(events_pb2.ClipRequested.DESCRIPTOR.full_name)
    async with client.connect(of) as services:
        for first in range(0, submissions, _ITEMS):
            quote = await _quoted(services, min(_ITEMS, submissions - first))
            production_id = ids.new("prod")
            for item in quote.items:
                order = _ordered(production_id, quote.id, item)
                await js.publish(subject, order.SerializeToString(), headers={"Nats-Msg-Id": ids.new("evt")})
    await bus.close()
    await _accepted(of, submissions)
    print(f"{submissions} accepted after {time.monotonic() - began:.0f} s")


async def _accepted(of: house.House, submissions: int) -> None:
    database = await postgres.connect(of, database=_GATEWAY)
    while True:
        if await database.fetchval(_ACCEPTED) == submissions:
            return await database.close()
        await asyncio.sleep(1)


async def _quoted(services: client.Client, items: int) -> quote_pb2.Quote:
    spec = clip_pb2.ClipSpec(
        model="sandbox/reel-1",
        prompt="A lighthouse at dusk.",
        duration=duration_pb2.Duration(seconds=1),
        size=media_pb2.FrameSize(width=640, height=360),
        audio=True,
    )
    request = provider_gateway_service_pb2.CreateQuoteRequest(
        request_id=str(uuid.uuid4()),
        items=[quote_pb2.QuoteItem(scene_id=f"scene_{number}", spec=spec) for number in range(items)],
    )
    return (await services.call(services.gateway.CreateQuote, request)).quote


def _ordered(production_id: str, quote_id: str, item: quote_pb2.QuoteItem) -> events_pb2.ClipRequested:
    return events_pb2.ClipRequested(
        tenant_id="local",
        job_id=ids.new("job"),
        attempt=1,
        production_id=production_id,
        storyboard_id="sb_1",
        scene_id=item.scene_id,
        quote_id=quote_id,
        spec=item.spec,
    )


async def _watch(of: house.House, window_s: float) -> Flight:
    processes = home.processes(of)
    began, late, used = time.monotonic(), await _lateness(of), census.take(processes)
    rss = 0
    while (elapsed_s := time.monotonic() - began) < window_s:
        await asyncio.sleep(1)
        rss = max(rss, census.take(processes)[_GATEWAY].rss_bytes)
    later, now = await _lateness(of), census.take(processes)
    return Flight(
        elapsed_s,
        {bound: count - late.get(bound, 0.0) for bound, count in later.items()},
        {name: now[name].cpu_s - used[name].cpu_s for name in now},
        rss,
    )


async def _lateness(of: house.House) -> dict[float, float]:
    def read() -> str:
        with urllib.request.urlopen(f"http://{of.address(f'{_GATEWAY}_metrics')}/metrics", timeout=5) as answer:
            return str(answer.read(), "utf-8")

    families = prometheus_client.parser.text_string_to_metric_families(await asyncio.to_thread(read))
    samples = (sample for family in families for sample in family.samples if sample.name == _LATE)
    return {float(sample.labels["le"]): sample.value for sample in samples}


def _report(flights: Mapping[str, Flight], submissions: int) -> None:
    print(f"\n| {submissions} submissions in flight | {' | '.join(flights)} |\n|---|{'---|' * len(flights)}")
    rows = {
        "polls per second": lambda one: f"{one.polls / one.elapsed_s:.0f}",
        "poll lateness, p50 at most": lambda one: f"{one.quantile_s(0.5)} s",
        "poll lateness, p99 at most": lambda one: f"{one.quantile_s(0.99)} s",
        "gateway, most memory": lambda one: f"{one.rss_bytes >> 20} MiB",
        **{
            f"{name}, CPU-ms per poll": lambda one, name=name: f"{one.cpu_s[name] / one.polls * 1000:.2f}"
            for name in (_GATEWAY, "postgres", "sandbox")
        },
    }
    for title, figure in rows.items():
        print(f"| {title} | {' | '.join(figure(one) for one in flights.values())} |")


if __name__ == "__main__":
    asyncio.run(main())
