"""Divides a film into the stretches that are looked through at a time, and chooses what is kept of each."""

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from services.compiler import timeline
from services.compiler.recipes import Chapter, Film, Profile, Proof, Run

_LEAST_S = 20
"""Of a stretch: shorter ones would cost more to begin than they spare when a scene changes."""
_MOST_STILLS = 40
AFTER = 3
"""Frames after a join: one that stands on its own, and two that lean on it and on each other."""


def divide(film: Film) -> Iterator[tuple[int, Proof]]:
    """Each stretch's proof, and the frame that its first run begins with."""
    middles = [(start + end) // 2 for start, end in itertools.pairwise(still_edges(film.frames, film.profile))]
    for scenes in _stretches(film.chapters, _LEAST_S * film.profile.fps):
        start, end = scenes[0].start, scenes[-1].end
        joins = [join for join in _joins(film) if start <= join < end or join == end == film.frames]
        at, runs = _runs(film.runs, max(start - 1, 0), max(end, joins[-1] + AFTER))
        small = tuple(middle - at for middle in middles if start <= middle < end)
        spans = tuple((scene.start - at, scene.end - at) for scene in scenes)
        looked = tuple(join - at for join in joins)
        yield at, Proof(film.profile, runs, looked, spans, len(film.chapters), small, poster=start == 0)


def still_edges(frames: int, profile: Profile) -> Iterator[int]:
    """The frames between which one small still stands for all: a second, or a fortieth of a film of more than 40."""
    yield from range(0, frames, max(timeline.nearest(profile.fps), math.ceil(frames / _MOST_STILLS)))
    yield frames


def _stretches(chapters: Sequence[Chapter], least: Fraction) -> Iterator[list[Chapter]]:
    scenes: list[Chapter] = []
    for chapter in chapters:
        scenes.append(chapter)
        if chapter.end - scenes[0].start >= least:
            yield scenes
            scenes = []
    if scenes:
        yield scenes


def _runs(runs: Sequence[Run], first: int, end: int) -> tuple[int, tuple[Run, ...]]:
    """Those that show frames `first` up to `end`, and where they begin."""
    ends = itertools.accumulate(run.frames for run in runs)
    shown = [(until, run) for until, run in zip(ends, runs, strict=True) if first < until < end + run.frames]
    until, earliest = shown[0]
    return until - earliest.frames, tuple(run for _, run in shown)


def _joins(film: Film) -> list[int]:
    """The frames that something else ends before, or begins with; the film's own beginning and end too."""
    starts = {chapter.start for chapter in film.chapters}
    return sorted({0} | starts | {*itertools.accumulate(run.frames for run in film.runs)})
