"""The rules of the pieces that films are made of: what may follow what, and what each costs."""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.compiler import domain, recipes

SOURCE_UNUSABLE, SOURCE_MISSING = "SOURCE_UNUSABLE", "SOURCE_MISSING"
"""Faults of a piece that its film blames on a scene; `source` of their metadata says which file it was."""

_WORKER_BYTES, _BYTES_A_PIXEL = 100 << 20, 160
"""What a worker takes: reckoned from the pictures that an encoder with 2 threads holds, with room to spare."""


class State(enum.StrEnum):
    """Where a piece stands. FAILED is tried anew when a film asks for it that did not before."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a tenant's films on its way: its recipe's line, what that needs, and its work in steps.

    `next_action_at` is when a worker may look, None when there is nothing to do, or before it is written down;
    `seconds` is how long it took; `traceparent` is the trace of the film that asked for it first.
    """

    tenant_id: str
    address: str
    kind: str
    recipe: str
    needs: list[str]
    steps: int
    state: State = State.WAITING
    next_action_at: datetime | None = None
    attempts: int = 0
    lease_epoch: int = 0
    size_bytes: int = 0
    seconds: float | None = None
    made_at: datetime | None = None
    fault: domain.Fault | None = None
    traceparent: str = ""

    @property
    def key(self) -> str:
        """Where the finished piece is kept."""
        return key(self.tenant_id, self.address)


def key(tenant_id: str, address: str) -> str:
    """Where a piece is kept in the blob store."""
    return f"t/{tenant_id}/segments/{address}"


def of(tenant_id: str, address: str, recipe: recipes.Recipe, traceparent: str = "") -> Segment:
    """A piece that waits to be made."""
    needs, steps = list(recipes.needs(recipe)), recipes.steps(recipe)
    kind, line = type(recipe).__name__, recipes.line(recipe)
    return Segment(tenant_id, address, kind, line, needs, steps, traceparent=traceparent)


def made(one: Segment, size_bytes: int, seconds: float, now: datetime) -> Segment:
    """The piece is stored."""
    return dataclasses.replace(
        one, state=State.DONE, size_bytes=size_bytes, seconds=seconds, made_at=now, next_action_at=None
    )


def failed(one: Segment, fault: domain.Fault) -> Segment:
    """The piece cannot be made, nor can the films that need it."""
    return dataclasses.replace(one, state=State.FAILED, fault=fault, next_action_at=None)


def tried(one: Segment, cause: str, now: datetime) -> Segment:
    """Something failed that may pass: again, ever later, until it was tried often enough."""
    if one.attempts >= domain.MOST_ATTEMPTS:
        return failed(one, domain.fault_of(domain.CompilerExhausted(attempts=one.attempts, cause=cause)))
    return _waits(one, now + domain.patience(one.attempts))


def put_off(one: Segment, seconds: float, now: datetime) -> Segment:
    """It has to wait through no fault of its own: that was no attempt."""
    return _waits(dataclasses.replace(one, attempts=one.attempts - 1), now + timedelta(seconds=seconds))


def _waits(one: Segment, at: datetime) -> Segment:
    return dataclasses.replace(one, state=State.WAITING, next_action_at=at)


def memory(recipe: recipes.Recipe) -> int:
    """About how many bytes a worker takes to make it."""
    match recipe:
        case recipes.House() | recipes.Render() | recipes.Stream():
            return _WORKER_BYTES + recipe.profile.width * recipe.profile.height * _BYTES_A_PIXEL
        case _:
            return _WORKER_BYTES


def work(pieces: Mapping[str, recipes.Recipe], film: recipes.Film, reused: frozenset[str]) -> domain.Work:
    """How many pictures of a film are copied out of its clips, encoded for it, and found encoded."""
    encoded = [(name, one.frames) for name, one in pieces.items() if isinstance(one, recipes.House | recipes.Render)]
    return domain.Work(
        copied=sum(run.frames for run in film.runs if run.source not in pieces),
        encoded=sum(frames for name, frames in encoded if name not in reused),
        reused=sum(frames for name, frames in encoded if name in reused),
    )
