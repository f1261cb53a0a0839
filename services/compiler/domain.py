"""The rules of films: what may follow what, decided without a database or a clock."""

import dataclasses
import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs import errors

MOST_ATTEMPTS = 6
"""How often a film is tried when something fails that may pass."""

_LONGEST_WAIT_S = 60


class FilmNotFound(errors.NotFound):
    """There is no film {film_id}; ListFilms shows the films you have."""


class FilmAlreadyFinished(errors.Conflict):
    """The film {film_id} is {state} and can no longer change; ask for a new one."""


class RequestIdReused(errors.Conflict):
    """The request_id {request_id} was used before with another body; choose a new one."""


class ClipUnreadable(errors.Conflict):
    """The clip of "{title}" (scene {scene_id}) {problem}; pick another take, or film the scene again."""


class ClipMissing(errors.Conflict):
    """The clip of "{title}" (scene {scene_id}) is not in the blob store; film the scene again."""


class TrimBeyondClip(errors.Conflict):
    """Cut {number} ("{title}") trims its clip to frames that are not there: it has {available}, counted at the film's
    frame rate; correct its trim."""


class JoinTooLong(errors.Conflict):
    """The joins of cut {number} ("{title}") take {taken} frames, but it has {frames}; shorten them."""


class FilmNotAsPlanned(errors.Conflict):
    """The finished file is not as planned ({check}) and was not delivered; report it with the film's id."""


class CompilerExhausted(errors.Conflict):
    """The film failed {attempts} times, at last with: {cause} Look at disk, memory and storage, then ask again."""


class State(enum.StrEnum):
    """Where a film stands; proto/rushes/compiler/v1/film.proto says who moves it."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


ENDS = frozenset({State.COMPLETED, State.FAILED, State.CANCELED})


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, for people and for programs."""

    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Media:
    """A stored file; `sha256` in hex."""

    key: str
    content_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Result:
    """A finished film: its exact length in frames at `fps_numerator / fps_denominator`, and its files."""

    frames: int
    width: int
    height: int
    fps_numerator: int
    fps_denominator: int
    copied: int
    conformed: int
    video: Media
    poster: Media
    contact_sheet: Media


@dataclass(frozen=True, slots=True)
class Film:
    """One edit list on its way to a film. `version` rises with every change; `epoch` with every worker that claims it.

    `edit_list` is the protobuf message as bytes; `next_action_at` is when a worker may look, None at the end.
    """

    id: str
    tenant_id: str
    production_id: str
    edit_list: bytes
    created_at: datetime
    updated_at: datetime
    next_action_at: datetime | None
    state: State = State.QUEUED
    version: int = 1
    lease_epoch: int = 0
    attempts: int = 0
    progress: float | None = None
    result: Result | None = None
    fault: Fault | None = None
    ended_at: datetime | None = None


def fault_of(error: errors.Error) -> Fault:
    """An error as it is kept."""
    return Fault(error.reason, str(error), error.facts)


def completed(film: Film, result: Result, now: datetime) -> Film:
    """The film is verified and stored."""
    return _ended(dataclasses.replace(film, progress=1.0, result=result), State.COMPLETED, now)


def failed(film: Film, fault: Fault, now: datetime) -> Film:
    """The film cannot be made from these clips."""
    return _ended(dataclasses.replace(film, fault=fault), State.FAILED, now)


def tried(film: Film, cause: str, now: datetime) -> Film:
    """Something failed that may pass: again after 2, 4, 8 … 60 seconds, until it was tried often enough."""
    if film.attempts >= MOST_ATTEMPTS:
        return failed(film, fault_of(CompilerExhausted(attempts=film.attempts, cause=cause)), now)
    wait_s = min(2**film.attempts, _LONGEST_WAIT_S)
    return dataclasses.replace(
        film, state=State.QUEUED, progress=None, updated_at=now, next_action_at=now + timedelta(seconds=wait_s)
    )


def handed_back(film: Film, now: datetime) -> Film:
    """The worker has to go, through no fault of the film: that was no attempt."""
    return dataclasses.replace(
        film, state=State.QUEUED, attempts=film.attempts - 1, progress=None, updated_at=now, next_action_at=now
    )


def canceled(film: Film, now: datetime) -> Film:
    """Nobody wants it any more; repeating it changes nothing. Raises FilmAlreadyFinished."""
    if film.state is State.CANCELED:
        return film
    if film.state in ENDS:
        raise FilmAlreadyFinished(film_id=film.id, state=film.state.lower())
    return _ended(film, State.CANCELED, now)


def _ended(film: Film, state: State, now: datetime) -> Film:
    return dataclasses.replace(film, state=state, updated_at=now, ended_at=now, next_action_at=None)
