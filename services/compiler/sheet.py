"""Draws the contact sheet: one picture for each scene on neutral dark ground, with number, title and time."""

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from PIL import Image, ImageDraw

from services.compiler import lettering, timeline
from services.compiler.recipes import Chapter, Film, Profile

_ROOM, _WELL, _HAIR = "#131313", "#0c0c0c", "#343434"
_INK, _INK_2, _INK_3 = "#efeeea", "#bdbcb7", "#a3a29c"
_WIDTH, _MARGIN, _GAP = 1920, 56, 28
_HEAD, _CAPTION = 108, 62
_NARROWEST, _MOST_COLUMNS = 176, 10
_SHAPE = 1.5
"""The sheet's width by its height, as near as whole rows allow."""
_QUALITY = 90


def cell(profile: Profile, scenes: int) -> tuple[int, int]:
    """The size of one picture on the sheet of so many, never larger than in the film."""
    columns = _columns(profile, scenes)
    width = (_WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) // columns
    width = min(max(width, _NARROWEST), profile.width)
    return width, max(1, width * profile.height // profile.width)


def draw(recipe: Film, pictures: Iterable[Image.Image], target: Path) -> None:
    """Write the sheet as JPEG; one picture for each chapter, in order."""
    profile, count = recipe.profile, len(recipe.chapters)
    columns, (width, height) = _columns(profile, count), cell(profile, count)
    rows = math.ceil(count / columns)
    across = max(width, _NARROWEST)
    sheet = Image.new(
        "RGB",
        (
            2 * _MARGIN + columns * across + (columns - 1) * _GAP,
            _MARGIN + _HEAD + rows * (height + _CAPTION) + (rows - 1) * _GAP + _MARGIN // 2,
        ),
        _ROOM,
    )
    pen = ImageDraw.Draw(sheet)
    _head(pen, recipe, sheet.width)
    for number, (chapter, picture) in enumerate(zip(recipe.chapters, pictures, strict=True)):
        x = _MARGIN + number % columns * (across + _GAP)
        y = _MARGIN + _HEAD + number // columns * (height + _CAPTION + _GAP)
        pen.rectangle((x - 1, y - 1, x + width, y + height), _WELL, _HAIR)
        sheet.paste(picture, (x + (width - picture.width) // 2, y + (height - picture.height) // 2))
        _caption(pen, (x, y + height + 12), across, chapter, recipe)
    sheet.save(target, "JPEG", quality=_QUALITY, optimize=True)


def _columns(profile: Profile, count: int) -> int:
    """As many columns as bring the sheet nearest to its shape with the fewest empty places."""
    ratio = profile.width / profile.height

    def badness(columns: int) -> float:
        rows = math.ceil(count / columns)
        shape = columns / (rows * (1 / ratio + 0.15))  # a caption is about that share of a picture's width
        return abs(math.log(shape / _SHAPE)) + 0.5 * (rows * columns - count) / columns

    return min(range(1, min(count, _MOST_COLUMNS) + 1), key=badness)


def _head(pen: ImageDraw.ImageDraw, recipe: Film, width: int) -> None:
    _write(pen, (_MARGIN, _MARGIN - 10), recipe.title, 38, _INK, width - 2 * _MARGIN)
    count = len(recipe.chapters)
    facts = (
        f"{count} scene{'s' if count > 1 else ''}",
        _clock(recipe.seconds),
        f"{recipe.profile.width} x {recipe.profile.height}",
        f"{float(recipe.profile.fps):.5g} fps",
    )
    _write(pen, (_MARGIN, _MARGIN + 42), "  ·  ".join(facts), 18, _INK_3, width - 2 * _MARGIN)
    pen.line((_MARGIN, _MARGIN + 80, width - _MARGIN, _MARGIN + 80), _HAIR)


def _caption(pen: ImageDraw.ImageDraw, at: tuple[int, int], width: int, chapter: Chapter, recipe: Film) -> None:
    """The slate number, the title behind it, and beneath when the scene starts and how long it is."""
    x, y = at
    indent = _write(pen, at, f"{chapter.number:02d}", 22, _INK, width) + 12
    _write(pen, (x + indent, y + 2), chapter.title, 19, _INK_2, width - indent)
    start, length = chapter.start / recipe.profile.fps, chapter.frames / recipe.profile.fps
    _write(pen, (x + indent, y + 28), f"{_clock(start)}  ·  {float(length):.1f} s", 15, _INK_3, width - indent)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, ink: str, most: int) -> int:
    """Write one line, cut with an ellipsis to `most` pixels; returns its width."""
    text, face = lettering.legible(" ".join(text.split()), size)
    shown = text
    while shown and pen.textlength(shown, face) > most:
        text = text[:-1].rstrip()
        shown = text + "…" if text else ""
    pen.text(at, shown, ink, face)
    return math.ceil(pen.textlength(shown, face))


def _clock(seconds: Fraction) -> str:
    minutes, rest = divmod(timeline.nearest(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
