"""What is outside of the gateway, moved by hand: the wire, a provider that knows the truth, and its downloads."""

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from services.provider_gateway import domain, fetch, providers

Kind = Literal["create", "find", "poll", "fetch"]


@dataclasses.dataclass(eq=False)
class Job:
    """A job of the provider. `paid` is what it charges in micros, once it has ended."""

    name: str
    submission_id: str
    prompt: str
    at: datetime.datetime
    state: Literal["working", "done", "failed"] = "working"
    paid: int = 0
    is_gone: bool = False


@dataclasses.dataclass(eq=False)
class Call:
    """A call of a worker that has not been answered. `subject` is a submission's id, or a job's name for polls."""

    owner: str
    kind: Kind
    subject: str
    prompt: str
    span: tuple[datetime.datetime, datetime.datetime] | None
    task: "asyncio.Task[Any]"
    answer: "asyncio.Future[Any]"
    is_sent: bool = False
    is_decided: bool = False


class Outside:
    """The truth: what was written to the provider, what it has taken, and what it charges.

    `asked` is done at the next call. Needs a running event loop.
    """

    def __init__(self, clock: Callable[[], datetime.datetime], capabilities: providers.Capabilities) -> None:
        self.clock, self.capabilities = clock, capabilities
        self.calls: list[Call] = []
        self.jobs: list[Job] = []
        self.late: list[Call] = []
        self.refused: set[str] = set()
        self.posts: dict[str, int] = {}
        self.asked = asyncio.get_running_loop().create_future()

    async def ask(self, owner: str, kind: Kind, subject: str, prompt: str = "", span: Any = None) -> Any:
        """Wait until somebody decides what is answered."""
        task = asyncio.current_task()
        assert task is not None
        call = Call(owner, kind, subject, prompt, span, task, asyncio.get_running_loop().create_future())
        self.calls.append(call)
        self.asked.set_result(None)
        self.asked = asyncio.get_running_loop().create_future()
        try:
            return await call.answer
        finally:
            self.calls.remove(call)

    def send(self, call: Call) -> None:
        """Its bytes are on the wire now: from here on anything may have happened."""
        call.is_sent = True
        self.posts[call.subject] = self.posts.get(call.subject, 0) + 1

    def take(self, call: Call) -> Job | None:
        """The provider takes the order, or knows it again; None when it refuses whatever asks for the same."""
        if call.subject in self.refused:
            return None
        if self.capabilities.idempotency_s and (known := self.job_of(call.subject)):
            return known
        job = Job(f"video_{len(self.jobs)}", call.subject, call.prompt, self.clock())
        self.jobs.append(job)
        return job

    def decide(self, arrive: bool) -> None:
        """What is on the wire has arrived now, or is lost; who sent it may hear of it much later."""
        for call in self.calls:
            if call.kind == "create" and call.is_sent and not call.is_decided:
                call.is_decided = True
                if arrive:
                    self.take(call)

    def job_of(self, submission_id: str) -> Job | None:
        """The job that was made of this submission's order."""
        return next((job for job in self.jobs if job.submission_id == submission_id), None)

    def named(self, name: str) -> Job | None:
        """The job of this name."""
        return next((job for job in self.jobs if job.name == name), None)

    def can_still_come(self, submission_id: str) -> bool:
        """Whether an order of this submission can still reach the provider."""
        return any(call.kind == "create" and call.subject == submission_id for call in [*self.calls, *self.late])

    def listed(self, call: Call, sees_the_new: bool) -> list[str]:
        """What a lookup shows; jobs younger than the lag are there or not."""
        assert call.span is not None
        since, until = call.span
        lag = datetime.timedelta(seconds=self.capabilities.list_lag_s)
        old = self.clock() - lag
        return [
            job.name
            for job in self.jobs
            if since <= job.at <= until and (sees_the_new or job.at <= old) and self._fits(job, call)
        ]

    def _fits(self, job: Job, call: Call) -> bool:
        if self.capabilities.lookup == "our_id":
            return job.submission_id == call.subject
        return job.prompt == call.prompt


class Provider(providers.Provider):
    """How one worker reaches the outside."""

    def __init__(self, outside: Outside, owner: str) -> None:
        self.outside, self.owner, self.capabilities = outside, owner, outside.capabilities

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """The one paid call."""
        outcome: providers.CreateOutcome = await self.outside.ask(
            self.owner, "create", order.submission_id, order.prompt
        )
        return outcome

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """How it is going."""
        outcome: providers.PollOutcome = await self.outside.ask(self.owner, "poll", provider_job_id)
        return outcome

    async def poll_many(self, provider_job_ids: Collection[str]) -> Mapping[str, providers.PollOutcome]:
        """Says nothing: each is polled alone."""
        return {}

    async def find(self, order: providers.Order, since: datetime.datetime, until: datetime.datetime) -> Collection[str]:
        """What the list shows."""
        found: Collection[str] = await self.outside.ask(
            self.owner, "find", order.submission_id, order.prompt, (since, until)
        )
        return found

    async def cancel(self, provider_job_id: str) -> None:
        """Heard, and perhaps too late."""

    async def check(self) -> None:
        """The key is good."""

    async def close(self) -> None:
        """Nothing is open."""


class Downloads:
    """How one worker brings clips home."""

    def __init__(self, outside: Outside, owner: str) -> None:
        self.outside, self.owner = outside, owner

    async def fetch(self, before: domain.Submission, url: str, *rest: object) -> domain.Clip:
        """The clip, or why it did not come. Raises FetchFailed."""
        clip: domain.Clip = await self.outside.ask(self.owner, "fetch", url.rpartition("/")[2])
        return clip

    @contextlib.asynccontextmanager
    async def still(self, key: str) -> AsyncIterator[Path | None]:
        """No clip here starts on a still."""
        yield None


CLIP = domain.Clip(domain.Media("t/acme/clips/one.mp4", "video/mp4", 1, "ab" * 32), 1.0, 640, 360)


def done(job: Job, expires_at: datetime.datetime | None) -> providers.Done:
    """What a poll says of a job that is done."""
    return providers.Done(f"http://127.0.0.1:1/{job.name}", {}, expires_at, job.paid)


def gone() -> fetch.FetchFailed:
    """The provider has deleted it."""
    return fetch.ClipGone("the provider answered 404")


def broken() -> fetch.FetchFailed:
    """The connection broke."""
    return fetch.FetchFailed("the connection broke")
