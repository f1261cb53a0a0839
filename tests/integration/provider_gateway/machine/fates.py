"""What comes of a call that waits for the outside: a number chooses among what can come of it."""

from collections.abc import Callable
from typing import Any

from services.provider_gateway import providers
from tests.integration.provider_gateway.machine import outside

PRICE = 90_000

Fate = Callable[[outside.Call], providers.CreateOutcome]


class Fates:
    """Answers for the provider: whatever it says, what it has done is noted as the truth."""

    def __init__(self, world: outside.Outside) -> None:
        self._world = world
        well: list[Fate] = [self._takes] * 3
        self._creates: list[Fate] = [
            *well, self._takes_in_silence, self._misnames, self._loses, self._delays, self._refuses, self._is_busy
        ]  # fmt: skip

    def answer(self, call: outside.Call, fate: int) -> Any:
        """What this call hears, or is raised in it."""
        by_kind = {"create": self._created, "find": self._found, "poll": self._polled, "fetch": self._fetched}
        return by_kind[call.kind](call, fate)

    def _created(self, call: outside.Call, fate: int) -> providers.CreateOutcome:
        if not call.is_sent:
            return providers.NotSent("no connection")
        if call.is_decided:
            job = self._world.job_of(call.subject)
            return providers.Accepted(job.name) if job and fate % 2 else providers.Unknown("no answer")
        return self._creates[fate % len(self._creates)](call)

    def _takes(self, call: outside.Call) -> providers.CreateOutcome:
        job = self._world.take(call)
        return providers.Accepted(job.name) if job else providers.Rejected("no")

    def _takes_in_silence(self, call: outside.Call) -> providers.CreateOutcome:
        self._world.take(call)
        return providers.Unknown("no answer")

    def _misnames(self, call: outside.Call) -> providers.CreateOutcome:
        """It names the job of another order."""
        others = [job for job in self._world.jobs if job.submission_id != call.subject]
        taken = self._world.take(call)
        return providers.Accepted(others[0].name) if others and taken else providers.Unknown("no answer")

    def _loses(self, call: outside.Call) -> providers.CreateOutcome:
        return providers.Unknown("no answer")

    def _delays(self, call: outside.Call) -> providers.CreateOutcome:
        self._world.late.append(call)
        return providers.Unknown("no answer")

    def _refuses(self, call: outside.Call) -> providers.CreateOutcome:
        """For what it asks: then it refuses it every time."""
        if self._world.job_of(call.subject):
            return self._takes(call)
        self._world.refused.add(call.subject)
        return providers.Rejected("no")

    def _is_busy(self, call: outside.Call) -> providers.CreateOutcome:
        return providers.Rejected("busy", retryable=True, retry_after_s=1.0, passing=True)

    def _found(self, call: outside.Call, fate: int) -> Any:
        return providers.ProviderAway("no answer") if fate % 4 == 3 else self._world.listed(call, fate % 2 == 0)

    def _polled(self, call: outside.Call, fate: int) -> Any:
        job = self._world.named(call.subject)
        assert job is not None
        if fate % 6 == 5:
            return providers.Missing() if fate > 6 else providers.ProviderAway("no answer")
        if job.state == "working":
            _work(job, fate)
        if job.state == "working":
            return providers.Pending()
        if job.state == "failed":
            return providers.Failed("no", retryable=fate % 2 == 0, charged=bool(job.paid), cost_micros=job.paid)
        return outside.done(job, self._world.clock() if fate % 2 else None)

    def _fetched(self, call: outside.Call, fate: int) -> Any:
        job = self._world.named(call.subject)
        assert job is not None
        job.is_gone = job.is_gone or fate % 6 == 5
        if job.is_gone:
            return outside.gone()
        return outside.broken() if fate % 6 == 4 else outside.CLIP


def _work(job: outside.Job, fate: int) -> None:
    if fate % 6 < 3:
        job.state, job.paid = "done", PRICE
    elif fate % 6 == 4:
        job.state, job.paid = "failed", PRICE if fate > 6 else 0
