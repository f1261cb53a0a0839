"""Counts, times and traces what providers are asked for, whatever their dialect."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import prometheus_client
from opentelemetry import trace

from libs import telemetry
from services.provider_gateway import fetch, providers

_REQUESTS = prometheus_client.Counter(
    "rushes_provider_requests", "Requests to providers, by how they ended.", ["endpoint", "operation", "outcome"]
)
_SECONDS = prometheus_client.Histogram(
    "rushes_provider_request_seconds",
    "How long providers took to answer.",
    ["endpoint", "operation"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
)
_UNDER_WAY = prometheus_client.Gauge("rushes_provider_inflight", "Requests to providers under way.", ["endpoint"])

_FAULTS: Mapping[type[BaseException], str] = {
    providers.ProviderAway: "away",
    providers.KeyRefused: "refused",
    fetch.ClipGone: "gone",
    fetch.FetchFailed: "away",
    asyncio.CancelledError: "cancelled",
}
_FAILED = frozenset({"unknown", "not_sent", "away", "refused", "gone", "error"})


class Call:
    """One request; whoever makes it may say how it ended."""

    outcome = "ok"


class Metered(providers.Provider):
    """A provider whose calls are seen."""

    def __init__(self, inner: providers.Provider, endpoint: str) -> None:
        self._inner, self._endpoint = inner, endpoint
        self.capabilities, self.home = inner.capabilities, inner.home

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """See providers.Provider, as for all the others."""
        with call(self._endpoint, "create") as one:
            outcome = await self._inner.create(order)
            one.outcome = outcome_of(outcome)
        return outcome

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going."""
        with call(self._endpoint, "poll") as one:
            outcome = await self._inner.poll(provider_job_id)
            one.outcome = "missing" if isinstance(outcome, providers.Missing) else "ok"
        return outcome

    async def poll_many(self, provider_job_ids: Collection[str]) -> Mapping[str, providers.PollOutcome]:
        """Ask for many."""
        with call(self._endpoint, "poll_many"):
            return await self._inner.poll_many(provider_job_ids)

    async def find(self, order: providers.Order, since: datetime, until: datetime) -> Collection[str]:
        """Look for an order."""
        with call(self._endpoint, "find"):
            return await self._inner.find(order, since, until)

    async def cancel(self, provider_job_id: str) -> None:
        """Ask to stop."""
        with call(self._endpoint, "cancel"):
            await self._inner.cancel(provider_job_id)

    async def check(self) -> None:
        """Prove address and key."""
        with call(self._endpoint, "check"):
            await self._inner.check()

    async def probe(self, wire_model: str) -> bool:
        """Ask whether a model is sold."""
        with call(self._endpoint, "probe"):
            return await self._inner.probe(wire_model)

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> providers.Hint:
        """Read a callback, which asks nobody."""
        return await self._inner.hint(headers, body, now)

    def called(self, order: providers.Order, shown: str) -> str:
        """What a job is called there."""
        return self._inner.called(order, shown)

    async def close(self) -> None:
        """Give the connections back."""
        await self._inner.close()


@contextlib.contextmanager
def call(endpoint: str, operation: str) -> Iterator[Call]:
    """Around one request to an endpoint."""
    one, began = Call(), time.monotonic()
    told = {"rushes.endpoint": endpoint, "rushes.operation": operation}
    _UNDER_WAY.labels(endpoint).inc()
    with telemetry.span(f"{operation} {endpoint}", None, telemetry.Kind.CLIENT, told, faults=()) as span:
        try:
            yield one
        except BaseException as fault:
            one.outcome = next((word for kind, word in _FAULTS.items() if isinstance(fault, kind)), "error")
            raise
        finally:
            _UNDER_WAY.labels(endpoint).dec()
            _ended(endpoint, operation, one.outcome, time.monotonic() - began, span)


def outcome_of(answer: providers.CreateOutcome) -> str:
    """How an order went, in one word."""
    match answer:
        case providers.Accepted():
            return "ok"
        case providers.NotSent():
            return "not_sent"
        case providers.Unknown():
            return "unknown"
        case providers.Rejected(account=True):
            return "refused"
        case providers.Rejected(passing=True):
            return "throttled"
        case _:
            return "invalid"


def _ended(endpoint: str, operation: str, outcome: str, seconds: float, span: trace.Span) -> None:
    example = telemetry.exemplar(span)
    _REQUESTS.labels(endpoint, operation, outcome).inc(exemplar=example)
    _SECONDS.labels(endpoint, operation).observe(seconds, example)
    span.set_attribute("rushes.outcome", outcome)
    if outcome in _FAILED:
        telemetry.fail(span, outcome)
