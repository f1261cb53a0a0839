"""What is ordered, what it costs, and how far a clip has come."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

FPS = 24
MICROS_PER_SECOND = 100_000
"""The price: 0.10 dollars for each second of a finished clip; nothing for one that failed or was cancelled."""

Dialect = Literal["openai", "google"]
Status = Literal["queued", "in_progress", "completed", "failed", "cancelled"]
ID_PREFIX: dict[Dialect, str] = {"openai": "video_", "google": "v1_"}


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

    @property
    def size(self) -> str:
        """Such as `1280x720`."""
        return f"{self.width}x{self.height}"

    @property
    def micros(self) -> int:
        """The charge when the clip is done."""
        return self.seconds * MICROS_PER_SECOND


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

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in ("completed", "failed", "cancelled")


def progress(clip: Clip, now: datetime, latency_s: float) -> int:
    """Percent done: an estimate while rendering, and 100 only when the clip can be fetched."""
    if clip.status == "completed":
        return 100
    if clip.status != "in_progress":
        return 0
    expected_s = max(latency_s, 0.3 * clip.order.seconds) + 0.1
    return max(0, min(99, round(100 * (now - clip.created_at).total_seconds() / expected_s)))


def seed_of(prompt: str) -> int:
    """The seed of an order that names none: the same words give the same clip."""
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4], "big") >> 1


def digest(text: str) -> str:
    """The sha256 of a key or a prompt: the ledger never holds either."""
    return hashlib.sha256(text.encode()).hexdigest()
