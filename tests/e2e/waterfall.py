"""Draws a trace as an SVG: a bar for each span, beneath the one it hangs on; statements of databases are left out."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.collector import Span

_COLOURS = {
    "rushes-storyboard": "#7b61a8",
    "rushes-job": "#2f6fb0",
    "rushes-provider_gateway": "#c0762a",
    "rushes-compiler": "#3c8c5a",
}
_ROW, _LABELS, _BARS, _TOP = 16, 520, 660, 34


def draw(spans: Sequence[Span], path: Path) -> None:
    """Write the picture there."""
    shown = [one for one in spans if "db.system.name" not in one.attributes]
    began, ended = min(one.began for one in shown), max(one.ended for one in shown)
    rows = list(_rows(shown, {one.span_id for one in shown}, ""))
    lines = [_head(shown, (ended - began) / 1e9, len(rows))]
    for number, (depth, one) in enumerate(rows):
        y = _TOP + number * _ROW
        x = _LABELS + _BARS * (one.began - began) / (ended - began)
        width = max(1.5, _BARS * (one.ended - one.began) / (ended - began))
        colour = _COLOURS.get(one.service, "#777")
        lines.append(f'<text x="{8 + depth * 12}" y="{y + 11}" fill="{colour}">{html.escape(one.name)}</text>')
        lines.append(f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 5}" fill="{colour}"/>')
    path.write_text("\n".join([*lines, "</svg>\n"]))


def _rows(spans: Sequence[Span], known: set[str], parent: str) -> Iterator[tuple[int, Span]]:
    """What hangs on this one, each followed by what hangs on it; first what hangs on nothing that is shown."""
    for one in sorted(spans, key=lambda it: it.began):
        if (one.parent_id if one.parent_id in known else "") == parent:
            yield 0, one
            for depth, below in _rows(spans, known, one.span_id):
                yield depth + 1, below


def _head(shown: Sequence[Span], seconds: float, rows: int) -> str:
    legend = "".join(
        f'<tspan fill="{colour}"> ■ {name.removeprefix("rushes-").replace("_", " ")}</tspan>'
        for name, colour in _COLOURS.items()
    )
    wide, high = _LABELS + _BARS + 12, _TOP + rows * _ROW + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="monospace" font-size="10">'
        f'<rect width="{wide}" height="{high}" fill="#fff"/>'
        f'<text x="8" y="18" font-size="12">trace {shown[0].trace_id}, {seconds:.1f} s, {rows} spans {legend}</text>'
    )
