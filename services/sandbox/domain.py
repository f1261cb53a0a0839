"""What is ordered, what it costs, and how far a clip has come."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from services.sandbox import disaster

FPS = 24
MICROS_PER_SECOND = 100_000
"""The price: 0.10 dollars for each second of a finished clip; nothing for one that failed or was cancelled."""

Dialect = Literal["openai", "google", "veo", "fal", "openrouter", "runware", "replicate"]
Status = Literal["queued", "in_progress", "completed", "failed", "cancelled"]
ID_PREFIX: dict[Dialect, str] = {
    "openai": "video_",
    "google": "v1_",
    "veo": "veo_",
    "fal": "fal_",
    "openrouter": "gen-vid-",
    "runware": "",
    "replicate": "replicate_",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What a create asked for: the same order always gives the same bytes."""

    dialect: Dialect
    model: str
    prompt: str
    seconds: int
    width: int
    height: int
    seed: int
    sound: bool = True
    inline: bool = False
    negative_prompt: str = ""
    reference: str | None = None
    """Name of the stored image the clip opens on."""
    client_ref: str | None = None
    """The caller's own name for this create, for reconciliation."""
    key_sha256: str = ""
    repeat_key: str | None = None
    """The caller's Idempotency-Key: an order repeated under it is the first one again, and costs nothing."""
    own_id: str | None = None
    """The id that the caller gives the job, in a dialect that lets it; it is good for one job of each key."""
    callback_url: str | None = None
    """Who wants to be told when the clip has ended."""
    kept_s: float | None = None
    """How many seconds after its end the provider throws the clip away; None: never."""
    base_url: str = ""
    """Where the create came in, with a slash at its end: what a callback links to is there."""
    disasters: str = ""
    """The plan of its key and prompt, as text: the key itself is never kept."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What the dialect must still know of the create when the clip is told, as JSON: its input, where it goes."""

    @property
    def plan(self) -> disaster.Plan:
        """The disasters that were asked for."""
        return disaster.parse(self.disasters)

    @property
    def size(self) -> str:
        """Such as `1280x720`."""
        return f"{self.width}x{self.height}"

    @property
    def micros(self) -> int:
        """The charge when the clip is done."""
        micros = self.seconds * MICROS_PER_SECOND
        return round(micros * self.plan.number(disaster.Mode.PRICE)) if disaster.Mode.PRICE in self.plan else micros


@dataclass(frozen=True, slots=True)
class Footage:
    """A rendered clip as it lies on the disk."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(slots=True)
class Clip:
    """One order on its way."""

    id: str
    order: Order
    created_at: datetime
    status: Status = "queued"
    ended_at: datetime | None = None
    footage: Footage | None = None
    settling: bool = False
    """Its end is being written into the ledger, or is there: too late to cancel."""
    downloads: int = 0
    """How often a clip with a disaster was asked for."""

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in ("completed", "failed", "cancelled")

    @property
    def expires_at(self) -> datetime | None:
        """When its bytes are no longer given out; None: they are kept."""
        mode, plan = disaster.Mode.URL_EXPIRES, self.order.plan
        kept_s = plan.number(mode) if mode in plan else self.order.kept_s
        return self.ended_at + timedelta(seconds=kept_s) if self.ended_at and kept_s is not None else None

    @property
    def filtered(self) -> bool:
        """Whether it failed because moderation did not like the result: the dialect has its own shape for that."""
        return self.status == "failed" and disaster.Mode.FILTERED in self.order.plan


Ending = Literal["done", "fail", "charge"]


def ending(order: Order) -> tuple[Status, Sequence[Ending]]:
    """How the work on an order ends when nobody stops it, and the lines of the ledger that say so."""
    plan = order.plan
    if disaster.Mode.FAILS_CHARGED in plan:
        return "failed", ("fail", "charge")
    if disaster.Mode.FAILS in plan or disaster.Mode.FILTERED in plan:
        return "failed", ("fail",)
    return "completed", ("done", "charge")


def delay_s(order: Order, latency_s: float) -> float:
    """Seconds from the create to the earliest end; infinite for work that never ends."""
    plan = order.plan
    if disaster.Mode.NEVER_DONE in plan:
        return math.inf
    return plan.number(disaster.Mode.SLOW) if disaster.Mode.SLOW in plan else latency_s


def progress(clip: Clip, now: datetime, latency_s: float) -> int:
    """Percent done: an estimate while rendering, and 100 only when the clip can be fetched."""
    if clip.status == "completed":
        return 100
    if clip.status != "in_progress":
        return 0
    expected_s = max(delay_s(clip.order, latency_s), 0.3 * clip.order.seconds) + 0.1
    return max(0, min(99, round(100 * (now - clip.created_at).total_seconds() / expected_s)))


def seed_of(prompt: str) -> int:
    """The seed of an order that names none: the same words give the same clip."""
    return int.from_bytes(hashlib.sha256(disaster.clean(prompt).encode()).digest()[:4], "big") >> 1


def digest(text: str) -> str:
    """The sha256 of a key or a prompt: the ledger never holds either."""
    return hashlib.sha256(text.encode()).hexdigest()


def own_name(own_id: str, key_sha256: str) -> str:
    """The id of the clip to which the owner of this key has given such an id."""
    return f"{own_id}-{key_sha256[:16]}"
