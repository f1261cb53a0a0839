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


UNPROVEN = "the pictures that were looked through"
"""What a film is not as planned by when it and its proofs differ: it may be of pieces that were made anew."""


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


class Oddity(enum.StrEnum):
    """What may be meant, or a clip that came without pictures or sound."""

    BLACK = "BLACK"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class Notice:
    """An oddity from frame `start` up to `end` of a film."""

    kind: Oddity
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A cut from frame `start` up to `end` of a film; a card has no scene and no take."""

    title: str
    scene_id: str
    take_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Result:
    """A finished film: its exact length in frames at `fps_numerator / fps_denominator`, and its files.

    None is what it does not have, or what was not made yet when it was cut.
    """

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
    sprite: Media | None = None
    sprite_vtt: Media | None = None
    captions_vtt: Media | None = None
    captions_srt: Media | None = None
    manifest: Media | None = None
    notices: tuple[Notice, ...] = ()
    chapters: tuple[Chapter, ...] = ()


def files(result: Result) -> list[Media]:
    """All files of a film."""
    found = (getattr(result, each.name) for each in dataclasses.fields(result))
    return [one for one in found if isinstance(one, Media)]


@dataclass(frozen=True, slots=True)
class Work:
    """What a film costs, in pictures: copied out of its clips, encoded for it, and found encoded for an earlier one."""

    copied: int
    encoded: int
    reused: int


@dataclass(frozen=True, slots=True)
class Film:
    """One edit list on its way to a film. `version` rises with every change; `epoch` with every worker that claims it.

    `edit_list` is the protobuf message as bytes; `next_action_at` is when a worker may look, None at the end.
    `address` is that of its recipe, empty before it is planned; `seconds_left` is measured while it runs; `traceparent`
    is the trace that asked for it. `cut_number` counts the films of its storyboard, from 1; the store gives it.
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
    seconds_left: float | None = None
    address: str = ""
    work: Work | None = None
    result: Result | None = None
    fault: Fault | None = None
    ended_at: datetime | None = None
    traceparent: str = ""
    storyboard_id: str = ""
    cut_number: int = 0


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
    return _queued(film, now, now + patience(film.attempts))


def patience(attempts: int) -> timedelta:
    """How long to wait after so many attempts."""
    return timedelta(seconds=min(2**attempts, _LONGEST_WAIT_S))


def put_off(film: Film, seconds: float, now: datetime) -> Film:
    """The film has to wait through no fault of its own: that was no attempt."""
    return _queued(dataclasses.replace(film, attempts=film.attempts - 1), now, now + timedelta(seconds=seconds))


def waiting(film: Film, now: datetime) -> Film:
    """The film goes on when the last of its pieces is made, which wakes it; it looks by itself now and then."""
    at = now + timedelta(seconds=_LONGEST_WAIT_S)
    return dataclasses.replace(film, attempts=film.attempts - 1, next_action_at=at)


def again(film: Film, now: datetime) -> Film:
    """What was there is gone: planned anew at once, but not for ever."""
    return dataclasses.replace(film, next_action_at=now)


def canceled(film: Film, now: datetime) -> Film:
    """Nobody wants it any more; repeating it changes nothing. Raises FilmAlreadyFinished."""
    if film.state is State.CANCELED:
        return film
    if film.state in ENDS:
        raise FilmAlreadyFinished(film_id=film.id, state=film.state.lower())
    return _ended(film, State.CANCELED, now)


def _queued(film: Film, now: datetime, at: datetime) -> Film:
    return dataclasses.replace(
        film, state=State.QUEUED, progress=None, seconds_left=None, updated_at=now, next_action_at=at
    )


def _ended(film: Film, state: State, now: datetime) -> Film:
    return dataclasses.replace(film, state=state, seconds_left=None, updated_at=now, ended_at=now, next_action_at=None)
