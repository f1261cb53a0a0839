"""What the gateway asks of a provider, and the answers it can act on; one small file for each dialect."""

import abc
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

Lookup = Literal["none", "our_id", "list", "prefix"]
Absence = Literal["none", "weak", "strong"]
Cancel = Literal["none", "queued", "any"]
Webhook = Literal["none", "standard", "fal", "openrouter"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to buy: a dialect spoken at an address with a key.

    `flags` are the deviations of this server; `settings` what belongs to the key's account, such as a project.
    """

    name: str
    base_url: str
    key: str = field(repr=False)
    flags: Mapping[str, str | bool] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    webhook_secret: str = field(default="", repr=False)
    public_only: bool = False
    """Whether only public addresses may be reached: where a stranger has named this one."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a dialect at an endpoint can be relied on for; decides how a lost answer is resolved."""

    idempotency_s: int = 0
    """For how long the same order under the same `submission_id` is the same order and costs nothing; 0: never."""
    lookup: Lookup = "none"
    """How a lost order can be found: by our own id, in a list of recent jobs, or under its storage prefix."""
    list_lag_s: int = 30
    """For how long a job that exists may be missing from what `lookup` reads."""
    absence: Absence = "none"
    """What it proves that a lookup finds nothing: only "strong" proves that the order was never taken."""
    cancel: Cancel = "none"
    """Which jobs can be stopped: none, those that wait, or any."""
    charges_failed: bool = True
    """Whether failed work is charged, where the provider does not say it of the job; the unknown counts as charged."""
    charges_cancelled: bool = True
    """Whether stopped work is charged, where the provider does not say it of the job."""
    retention_s: int | None = None
    """How long a finished clip can be fetched; None when the provider does not say."""
    polls_by_list: bool = False
    """Whether one call can say how many jobs are going."""
    webhook: Webhook = "none"
    """How its callbacks are signed."""
    callback: bool = False
    """Whether the address to call back goes into the order."""
    probes: bool = False
    """Whether a free call tells if a model is still sold: where dates of retirement are not to be relied on."""
    max_runtime_s: int = 7200
    """A job that is not done after this long is called stuck; it is polled on all the same."""


@dataclass(frozen=True, slots=True)
class Order:
    """One clip to buy. The frames are local PNG or JPEG files; `callback_url` names this submission."""

    submission_id: str
    wire_model: str
    prompt: str
    negative_prompt: str
    seconds: int
    width: int
    height: int
    seed: int | None
    audio: bool
    first_frame: Path | None = None
    last_frame: Path | None = None
    callback_url: str | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    """What this model calls the parts of an order, where it is not what its dialect mostly says: see `forms`."""


# What a poll can say.


@dataclass(frozen=True, slots=True)
class Pending:
    """Not done yet; `after_s` is when the provider wants to be asked again, if it said so."""

    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Made. `headers` are sent only to `url`'s own origin, which is the endpoint's or public."""

    url: str
    headers: Mapping[str, str]
    expires_at: datetime | None = None
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider ended the work without a clip; `charged` is None when it does not say."""

    message: str
    retryable: bool = False
    charged: bool | None = None
    cancelled: bool = False
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The provider does not know the id, which may be a passing lag."""


PollOutcome = Pending | Done | Failed | Missing


# What can be said of a create once it is over; anything a create raises counts as Unknown.


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the order and named it; `done` when the same answer says that it is made already."""

    provider_job_id: str
    done: Done | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the order can have reached the provider: DNS, connect or TLS failed on a fresh connection."""

    why: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A definite refusal before any work, in the provider's own error envelope; nothing is charged.

    `passing`: it is about the moment or the account, not the order: the same order may have been taken before.
    `account`: it is about the key or its balance: nothing more should be bought with this key for now.
    `retired`: the provider says that it sells this model no more.
    """

    message: str
    retryable: bool = False
    retry_after_s: float | None = None
    passing: bool = False
    account: bool = False
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The order may have arrived: it is never sent again on suspicion."""

    why: str


CreateOutcome = Accepted | NotSent | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Hint:
    """What a verified callback says: that there is news of a job. Polling confirms it.

    `provider_job_id` is empty where a callback does not hold all of it: then `find` tells it.
    """

    event_id: str
    provider_job_id: str


class ProviderAway(Exception):
    """A call got no usable answer; ask again later. Never a reason to fail paid work."""


class KeyRefused(Exception):
    """The provider does not accept the key; the message says why, without the key."""


class HintInvalid(Exception):
    """A callback is not from the provider, or not readable; the message says why, without its body."""


class Provider(abc.ABC):
    """One dialect at one endpoint. What `capabilities` rule out is never called."""

    capabilities: Capabilities
    home: str = ""
    """The endpoint's own address: clips may be fetched from there even where it is private."""

    @abc.abstractmethod
    async def create(self, order: Order) -> CreateOutcome:
        """Write the order to the wire once: no retries, no redirects, a fresh connection."""

    @abc.abstractmethod
    async def poll(self, provider_job_id: str) -> PollOutcome:
        """Ask how it is going. Raises ProviderAway."""

    @abc.abstractmethod
    async def check(self) -> None:
        """Make a call that is free and proves address and key. Raises KeyRefused, ProviderAway."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Give the connections back."""

    async def poll_many(self, provider_job_ids: Collection[str]) -> Mapping[str, PollOutcome]:
        """Ask for many in few calls; what the answer leaves out is to be polled alone. Raises ProviderAway."""
        raise NotImplementedError

    async def find(self, order: Order, since: datetime, until: datetime) -> Collection[str]:
        """The ids of the jobs, made in this span, that can be this order. Raises ProviderAway."""
        raise NotImplementedError

    def called(self, order: Order, shown: str) -> str:
        """What the job of this order is called here that the provider shows to people under this id."""
        return shown

    async def probe(self, wire_model: str) -> bool:
        """Whether this model is still sold. Raises ProviderAway."""
        raise NotImplementedError

    async def cancel(self, provider_job_id: str) -> None:
        """Ask once to stop; what became of it, polls will tell. Raises ProviderAway."""
        raise NotImplementedError

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Hint:
        """What a callback says, once its signature is verified. Raises HintInvalid."""
        raise NotImplementedError
