"""Looks into clips that have arrived, and keeps them with their pictures: those that wait together, in one go."""

import asyncio
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from libs import blobs
from services.provider_gateway import domain, media, viewing

_LARGE_BYTES = 16 << 20
_THREADS = 3  # each waits for the disk, and for a viewer, most of its time


class Part(Protocol):
    """A clip that has arrived in a file, all but what `save` still writes down."""

    path: pathlib.Path
    received: int

    def save(self) -> None:
        """Blocks. Raises OSError."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """`done` gets the clip, or why it could not be kept."""

    submission: domain.Submission
    part: Part
    done: "asyncio.Future[domain.Clip | Exception]"


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was found in a clip, and what to keep of it: the clip itself comes last."""

    facts: media.Facts
    drafts: Sequence[blobs.Draft]


class Intake:
    """Few threads, each for all that wait: they share its coming and going, and the disk's. Needs a running loop."""

    def __init__(self, store: blobs.Blobs, viewers: viewing.Viewers) -> None:
        self._store, self._viewers = store, viewers
        self._waiting: list[_Arrival] = []
        self._working = asyncio.Semaphore(_THREADS)

    async def take(self, submission: domain.Submission, part: Part) -> domain.Clip:
        """Keep the clip, always under the same keys; then its file may be gone.

        Raises NotAClip, ViewerDied, OSError, StorageFull, StorageUnavailable.
        """
        arrival = _Arrival(submission, part, asyncio.get_running_loop().create_future())
        alone = [arrival] if part.received > _LARGE_BYTES else []  # nobody is to wait for it
        if not alone:
            self._waiting.append(arrival)
        async with self._working:
            if batch := alone or self._gathered():  # whose turn it is: the others' may be in work already
                await self._work(batch)
        outcome = await arrival.done
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _gathered(self) -> Sequence[_Arrival]:
        gathered, self._waiting = self._waiting, []
        return gathered

    async def _work(self, batch: Sequence[_Arrival]) -> None:
        try:
            outcomes = await asyncio.to_thread(self._keep, batch)
        except BaseException:  # cancelled, as everything is then
            for arrival in batch:
                arrival.done.cancel()
            raise
        for arrival, outcome in zip(batch, outcomes, strict=True):
            if not arrival.done.done():
                arrival.done.set_result(outcome)

    def _keep(self, batch: Sequence[_Arrival]) -> list[domain.Clip | Exception]:
        try:
            for arrival in batch:
                arrival.part.save()
            clips = [(arrival.part.path, arrival.submission.last_frame_wanted) for arrival in batch]
            looked = [_Looked(*pair) for pair in zip(self._viewers.look(clips), map(_drafts, batch), strict=True)]
            kept = iter(self._store.take_files([draft for one in looked for draft in one.drafts]))
            return [_clip(one, kept) for one in looked]
        except Exception as fault:  # of one of them: it must not hold up the others
            return [fault] if len(batch) == 1 else [self._keep([arrival])[0] for arrival in batch]
        finally:
            for arrival in batch:
                for still in media.stills(arrival.part.path):
                    still.unlink(missing_ok=True)


def _drafts(arrival: _Arrival) -> list[blobs.Draft]:
    clip, stem = arrival.part.path, f"t/{arrival.submission.tenant_id}/clips/{arrival.submission.id}"
    thumbnail, last = media.stills(clip)
    drafts = [blobs.Draft(f"{stem}.thumb.jpg", thumbnail, "image/jpeg"), blobs.Draft(f"{stem}.mp4", clip, "video/mp4")]
    if arrival.submission.last_frame_wanted:
        drafts.insert(0, blobs.Draft(f"{stem}.last.png", last, "image/png"))
    return drafts


def _clip(looked: _Looked, kept: Iterator[blobs.Blob]) -> domain.Clip:
    *last, thumbnail, clip = (
        domain.Media(draft.key, draft.content_type, blob.size, blob.sha256 or "")
        for draft, blob in zip(looked.drafts, kept, strict=False)
    )
    facts = looked.facts
    return domain.Clip(clip, facts.seconds, facts.width, facts.height, last[0] if last else None, thumbnail)
