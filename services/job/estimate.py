"""How long work will take, as a range of what was measured; nothing is said before there are enough samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.job import domain, planning

FEWEST_SAMPLES = 3
_LEAST, _MIDDLE, _MOST = 0.1, 0.5, 0.9


@dataclass(frozen=True, slots=True)
class Step:
    """A clip to be made with a model; `since` it is being made, None before."""

    model: str
    since: datetime | None = None


Line = Sequence[Step]
"""Clips that are made one after the other; lines are made at once."""


@dataclass(frozen=True, slots=True)
class Left:
    """A range in seconds, and the samples of the model with the fewest."""

    least_s: float
    most_s: float
    samples: int


@dataclass(frozen=True, slots=True)
class Pace:
    """What half of a model's clips took at most, and nine of ten, in seconds."""

    model: str
    p50_s: float
    p90_s: float
    samples: int


def paces(measured: Mapping[str, Sequence[float]]) -> list[Pace]:
    """Of each model that was measured often enough."""
    return [
        Pace(model, _quantile(seconds, _MIDDLE), _quantile(seconds, _MOST), len(seconds))
        for model, seconds in measured.items()
        if len(seconds) >= FEWEST_SAMPLES
    ]


def left(lines: Sequence[Line], measured: Mapping[str, Sequence[float]], now: datetime) -> Left | None:
    """How long the longest line takes; None when a model was measured too seldom, or nothing is left to make."""
    models = {step.model for line in lines for step in line}
    fewest = min((len(measured.get(model, ())) for model in models), default=0)
    if fewest < FEWEST_SAMPLES:
        return None
    ranges = {model: (_quantile(measured[model], _LEAST), _quantile(measured[model], _MOST)) for model in models}
    least, most = (
        max(sum(_left(ranges[step.model][end], step, now) for step in line) for line in lines) for end in (0, 1)
    )
    return Left(least, most, fewest)


def _left(seconds: float, step: Step, now: datetime) -> float:
    passed = (now - step.since).total_seconds() if step.since else 0.0
    return max(0.0, seconds - passed)


def _quantile(values: Sequence[float], share: float) -> float:
    in_order = sorted(values)
    return in_order[min(len(in_order) - 1, int(share * len(in_order)))]


def lines_of(jobs: Sequence[domain.Job]) -> list[Line]:
    """What is left of a production, whose jobs come in scene order."""
    lines: list[list[Step]] = []
    last: domain.Job | None = None
    for job in jobs:
        if job.ended_at or (last and last.scene_number == job.scene_number):
            continue  # takes of one scene are made at once
        step = Step(job.model, job.accepted_at)
        hangs = job.hold is domain.Hold.SEAM and last is not None and last.scene_number == job.scene_number - 1
        if hangs:
            lines[-1].append(step)
        else:
            lines.append([step])
        last = job
    return list(lines)


def lines_planned(planned: Sequence[planning.Planned]) -> list[Line]:
    """What a plan would make."""
    lines: list[list[Step]] = []
    for one in planned:
        if not one.is_made:
            continue
        if one.waits:
            lines[-1].append(Step(one.scene.model))
        else:
            lines.append([Step(one.scene.model)])
    return list(lines)
