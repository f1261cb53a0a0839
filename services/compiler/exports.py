"""The rules of exports: a finished film in another form, once for each format."""

import dataclasses
import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs import errors
from services.compiler import domain, orders, recipes, timelines
from services.compiler.domain import State
from services.compiler.manifest import Manifest
from services.compiler.timelines import reel


class FilmNotCompleted(errors.Conflict):
    """The film {film_id} is {state}; it can be exported and shared once it is completed."""


class FilmWithoutManifest(errors.Conflict):
    """The film {film_id} was made before films had manifests; make it again, which copies what is there, and take
    that."""


class ExportSourceMissing(errors.Conflict):
    """A file that the export of {film_id} is made of is not in the blob store any more; make the film again."""


class Format(enum.StrEnum):
    """As proto/rushes/compiler/v1/export.proto has them."""

    HLS = "HLS"
    SCENES = "SCENES"
    OTIO = "OTIO"
    FCPXML = "FCPXML"
    EDL = "EDL"
    CSV = "CSV"


_ZIP = "application/zip"
_ARCHIVES = {Format.HLS: " hls.zip", Format.SCENES: " scenes.zip"}


@dataclass(frozen=True, slots=True)
class Export:
    """One form of a film on its way. `epoch` rises with every worker that claims it; `media` is the finished file.

    `next_action_at` is when a worker may look, None at the end.
    """

    film_id: str
    format: Format
    tenant_id: str
    created_at: datetime
    updated_at: datetime
    next_action_at: datetime | None
    state: State = State.QUEUED
    attempts: int = 0
    lease_epoch: int = 0
    progress: float | None = None
    media: domain.Media | None = None
    fault: domain.Fault | None = None
    ended_at: datetime | None = None


def of(film: domain.Film, kind: Format, now: datetime) -> Export:
    """An export that waits for a worker. Raises FilmNotCompleted and FilmWithoutManifest."""
    files(film)
    return Export(film.id, kind, film.tenant_id, now, now, now)


def files(film: domain.Film) -> tuple[domain.Media, domain.Media]:
    """The film's MP4 and its manifest. Raises FilmNotCompleted and FilmWithoutManifest."""
    if film.result is None:
        raise FilmNotCompleted(film_id=film.id, state=film.state.lower())
    if film.result.manifest is None:
        raise FilmWithoutManifest(film_id=film.id)
    return film.result.video, film.result.manifest


def suffix(kind: Format) -> str:
    """What people save it as, behind the film's title."""
    return _ARCHIVES[kind] if kind in _ARCHIVES else timelines.FORMATS[kind].suffix


def content_type(kind: Format) -> str:
    """What it is to a browser."""
    return _ZIP if kind in _ARCHIVES else timelines.FORMATS[kind].content_type


Packed = recipes.Archive | recipes.Stream
"""What a worker makes of a film for others."""


def recipe(kind: Format, told: Manifest, manifest_text: str) -> Packed | None:
    """What a worker has to make; None where the format is a function of the manifest alone."""
    if kind is Format.HLS:
        return recipes.Stream(told.file.sha256, told.profile, told.frames)
    if kind is Format.SCENES:
        clips = tuple((name, digest) for digest, name in reel.names(told).items())
        texts = [(orders.file_name(told.title, one.suffix), one.write(told)) for one in timelines.FORMATS.values()]
        return recipes.Archive(clips, (*texts, (orders.MANIFEST, manifest_text)))
    return None


def completed(export: Export, media: domain.Media, now: datetime) -> Export:
    """It is stored."""
    return _ended(dataclasses.replace(export, progress=1.0, media=media), State.COMPLETED, now)


def failed(export: Export, fault: domain.Fault, now: datetime) -> Export:
    """It cannot be made; whoever asks again has it tried again."""
    return _ended(dataclasses.replace(export, fault=fault), State.FAILED, now)


def tried(export: Export, cause: str, now: datetime) -> Export:
    """Something failed that may pass: again, ever later, until it was tried often enough."""
    if export.attempts >= domain.MOST_ATTEMPTS:
        return failed(export, domain.fault_of(domain.CompilerExhausted(attempts=export.attempts, cause=cause)), now)
    return _queued(export, now, now + domain.patience(export.attempts))


def put_off(export: Export, seconds: float, now: datetime) -> Export:
    """It has to wait through no fault of its own: that was no attempt."""
    return _queued(dataclasses.replace(export, attempts=export.attempts - 1), now, now + timedelta(seconds=seconds))


def _queued(export: Export, now: datetime, at: datetime) -> Export:
    return dataclasses.replace(export, state=State.QUEUED, progress=None, updated_at=now, next_action_at=at)


def _ended(export: Export, state: State, now: datetime) -> Export:
    return dataclasses.replace(export, state=state, updated_at=now, ended_at=now, next_action_at=None)
