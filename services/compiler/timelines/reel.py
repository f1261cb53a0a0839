"""A film as editors see it: clips end to end, and transitions that reach over the edit points between them."""

import itertools
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from services.compiler import film, orders
from services.compiler.edit import DIPS, Join, JoinKind
from services.compiler.manifest import Manifest, Shot


@dataclass(frozen=True, slots=True)
class Clip:
    """A shot from edit point to edit point: frames `start` up to `end` of the film, from `first` of its source on.

    What a transition shows of it besides lies before and behind in the source.
    """

    shot: Shot
    start: int
    end: int
    first: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Transition:
    """From `before` frames before the edit point `at` to `after` frames behind it."""

    kind: JoinKind
    at: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Reel:
    """`transitions` has one place for each edit point, that of the start first and that of the end last."""

    clips: tuple[Clip, ...]
    transitions: tuple[Transition | None, ...]


def of(manifest: Manifest) -> Reel:
    """Lay a film's shots end to end: where two are seen at once, the edit point is the middle."""
    shots = manifest.shots
    points = [0, *(_point(after) for after in shots[1:]), manifest.frames]
    clips = (
        Clip(shot, start, end, shot.first + start - shot.start)
        for shot, (start, end) in zip(shots, itertools.pairwise(points), strict=True)
    )
    joins = [*(shot.join for shot in shots), manifest.ending]
    before = [0, *(shot.tail for shot in shots)]
    after = [*(shot.lead for shot in shots), 0]
    changes = (_transition(*one) for one in zip(joins, points, before, after, strict=True))
    return Reel(tuple(clips), tuple(changes))


def names(manifest: Manifest) -> dict[str, str]:
    """What the clips are called on a disk, by their sha256: the first shot of each names it."""
    return {
        digest: orders.file_name(f"{shot.number:03d} {shot.title}", ".mp4") for digest, shot in manifest.clips.items()
    }


def url(name: str) -> str:
    """The address of a file that lies beside."""
    return urllib.parse.quote(name)


def timecode(frame: int, manifest: Manifest) -> str:
    """Hours, minutes, seconds and frames, none dropped: 23.976 counts as 24."""
    rate = film.group(manifest.profile.fps)
    seconds, frames = divmod(frame, rate)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def words(shot: Shot) -> Iterator[str]:
    """What stands on a card."""
    if shot.card:
        yield from filter(None, (shot.card.text, shot.card.subtext))


def _point(after: Shot) -> int:
    return after.start + (after.join.overlap // 2 if after.join else 0)


def _transition(join: Join | None, at: int, before: int, after: int) -> Transition | None:
    if join is None:
        return None
    if join.kind in DIPS:
        return Transition(join.kind, at, before, after)
    return Transition(join.kind, at, join.frames // 2, join.frames - join.frames // 2)
