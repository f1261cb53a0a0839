"""What the gateway asks of a provider, and the answers it can act on; one small file for each dialect."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to buy: a dialect spoken at an address with a key."""

    name: str
    base_url: str
    key: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a dialect at an endpoint can be relied on for; decides how a lost answer is resolved.

    `idempotent`: sending the same order again with the same `submission_id` returns the first answer and costs nothing.
    `charges_failed`: whether work that failed is charged, where the provider does not say it of the job itself; what
    is not known counts as charged.
    `retention_s`: how long a finished clip can be fetched; None when the provider does not say.
    """

    idempotent: bool = False
    charges_failed: bool = True
    retention_s: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One clip to buy. `first_frame` is a local PNG or JPEG file."""

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
    """

    message: str
    retryable: bool = False
    retry_after_s: float | None = None
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The order may have arrived: it is never sent again on suspicion."""

    why: str


CreateOutcome = Accepted | NotSent | Rejected | Unknown


class ProviderAway(Exception):
    """A poll got no usable answer; ask again later. Never a reason to fail paid work."""


class Provider(Protocol):
    """One dialect at one endpoint."""

    capabilities: Capabilities

    async def create(self, order: Order) -> CreateOutcome:
        """Write the order to the wire once: no retries, no redirects, a fresh connection."""
        ...

    async def poll(self, provider_job_id: str) -> PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...
