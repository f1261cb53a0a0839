"""Draws a dashboard as an SVG: its panels where Grafana has them, with what Prometheus answered to each."""

import html
import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.panels import watch

_COLOURS = (
    "#3b78b8",
    "#c0762a",
    "#3c8c5a",
    "#7b61a8",
    "#b5443c",
    "#5f8f9f",
    "#9a8a1f",
    "#8a5a44",
    "#4d4d4d",
    "#c06aa0",
)
_CELL, _LINE, _GAP, _TOP = 60, 36, 8, 40
_LEFT, _HEAD, _FOOT, _LETTER = 62, 26, 40, 7
_BLANK = '<text x="{x}" y="{y}" fill="#888">no such thing happened</text>'


@dataclass(frozen=True)
class Box:
    """Where a panel lies, in pixels."""

    x: float
    y: float
    wide: float
    high: float


@dataclass(frozen=True)
class Drawn:
    """One line: its name in the legend, and its points of seconds and values."""

    name: str
    points: tuple[tuple[float, float], ...]


def board(told: dict[str, Any], of: watch.Watch) -> tuple[str, list[str]]:
    """The picture, and the titles of panels that nothing was answered to."""
    panels, empty = [it for it in told["panels"] if it["targets"]], list[str]()
    high = _TOP + max(it["gridPos"]["y"] + it["gridPos"]["h"] for it in panels) * _LINE + _GAP
    parts = [_head(told["title"], 24 * _CELL + _GAP, high)]
    for panel in panels:
        found = list(_answers(panel, of))
        parts += _panel(panel, found, of.since)
        empty += [] if any(it.points for it in found) else [panel["title"]]
    return "\n".join([*parts, "</svg>\n"]), empty


def _answers(panel: dict[str, Any], of: watch.Watch) -> Iterator[Drawn]:
    for target in panel["targets"]:
        if target["range"]:
            for it in of.lines(target["expr"]):
                yield Drawn(_name(target, it["metric"]), _points(it["values"]))
        else:
            for it in of.number(target["expr"]):
                yield Drawn(_name(target, it["metric"]), _points([it["value"]]))


def _name(target: dict[str, Any], labels: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda it: labels.get(it[1], ""), target["legendFormat"]).strip()


def _points(told: Sequence[Sequence[Any]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(at), float(value)) for at, value in told if math.isfinite(float(value)))


def _panel(told: dict[str, Any], lines: Sequence[Drawn], since: float) -> Iterator[str]:
    at, defaults = told["gridPos"], told["fieldConfig"]["defaults"]
    box = Box(at["x"] * _CELL + _GAP, _TOP + at["y"] * _LINE, at["w"] * _CELL - _GAP, at["h"] * _LINE - _GAP)
    yield f'<rect x="{box.x}" y="{box.y}" width="{box.wide}" height="{box.high}" fill="#fff" stroke="#d8d8d8"/>'
    yield f'<text x="{box.x + 10}" y="{box.y + 17}" font-weight="bold">{html.escape(told["title"])}</text>'
    lines = [it for it in lines if it.points]
    if not lines:
        yield _BLANK.format(x=box.x + 10, y=box.y + box.high / 2 + 8)
    elif told["type"] == "stat":
        shown = "  ".join(f"{it.name} {_said(it.points[-1][1], defaults['unit'])}".strip() for it in lines)
        yield f'<text x="{box.x + 10}" y="{box.y + box.high / 2 + 22}" font-size="26">{html.escape(shown)}</text>'
    else:
        if defaults["custom"]["stacking"]["mode"] == "normal":
            lines = _stacked(lines)
        yield from _graph(lines, box, defaults["unit"], since)


def _stacked(lines: Sequence[Drawn]) -> list[Drawn]:
    """Each line upon those before it; the highest first, so that none hides another."""
    heights, piled = dict[float, float](), list[Drawn]()
    for it in lines:
        heights |= {at: heights.get(at, 0) + value for at, value in it.points}
        piled.append(Drawn(it.name, tuple((at, heights[at]) for at, _ in it.points)))
    return piled[::-1]


def _graph(lines: Sequence[Drawn], box: Box, unit: str, first: float) -> Iterator[str]:
    plot = Box(box.x + _LEFT, box.y + _HEAD, box.wide - _LEFT - 10, box.high - _HEAD - _FOOT)
    last = time.time()
    top = _round_up(max(value for it in lines for _, value in it.points))
    for share in (0, 0.5, 1):
        y = plot.y + plot.high * (1 - share)
        yield f'<path d="M{plot.x} {y:.1f}h{plot.wide}" stroke="#eee"/>'
        yield f'<text x="{plot.x - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#666">{_said(top * share, unit)}</text>'
    for share in (0, 0.5, 1):
        after = f"{(last - first) * share:.0f} s"
        x, anchor = plot.x + plot.wide * share, ("start", "middle", "end")[round(share * 2)]
        yield f'<text x="{x:.1f}" y="{plot.y + plot.high + 14}" text-anchor="{anchor}" fill="#666">{after}</text>'
    for number, it in enumerate(lines):
        way = _way(it, plot, first, last, top)
        yield f'<path d="{way}" fill="none" stroke="{_COLOURS[number % len(_COLOURS)]}" stroke-width="1.5"/>'
    yield from _legend(lines, box)


def _way(it: Drawn, plot: Box, first: float, last: float, top: float) -> str:
    """The line, broken where nothing was answered for a while."""
    way, before = list[str](), -math.inf
    for at, value in it.points:
        x = plot.x + plot.wide * (at - first) / (last - first)
        y = plot.y + plot.high * (1 - max(0.0, value) / top)
        way.append(f"{'L' if at - before <= 2 * watch.STEP_S else 'M'}{x:.1f} {y:.1f}")
        before = at
    return "".join(way) + ("h2" if len(way) == 1 else "")


def _legend(lines: Sequence[Drawn], box: Box) -> Iterator[str]:
    x, y = box.x + 10, box.y + box.high - 8
    for number, it in enumerate(lines):
        wide = (len(it.name) + 4) * _LETTER
        if x + wide > box.x + box.wide - 30:
            yield f'<text x="{x:.1f}" y="{y}" fill="#666">+{len(lines) - number}</text>'
            return
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<text x="{x:.1f}" y="{y}"><tspan fill="{colour}">■</tspan> {html.escape(it.name)}</text>'
        x += wide


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 of its size: a scale that can be read."""
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 5, 10) if step * size >= value)


def _said(value: float, unit: str) -> str:
    """A value as its unit is read."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "s":
        return (
            f"{value * 1000:.3g} ms" if 0 < value < 1 else f"{value:.3g} s" if value < 1000 else f"{value / 3600:.3g} h"
        )
    return f"{value:,.3g}" + {"ops": "/s", "reqps": "/s"}.get(unit, "") if value < 1000 else f"{value:,.0f}"


def _head(title: str, wide: float, high: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="11">'
        f'<rect width="{wide}" height="{high}" fill="#f6f6f6"/>'
        f'<text x="{_GAP + 2}" y="26" font-size="16">{html.escape(title)}</text>'
    )
