"""The painter's brushes (noise, ridges, glows, masks): arrays with rows first, and values from 0 to 1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
from numpy.typing import NDArray

from services.sandbox import palette, script

Field = NDArray[np.floating[Any]]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
OVERSCAN = 0.08
"""How much a painting reaches over each edge of the frame, so that the camera can move."""
_SHARPNESS = 2


@dataclass(frozen=True, slots=True)
class Canvas:
    """The stage to paint: its size with overscan, the row of the horizon, and the dice of this scene."""

    scene: script.Scene
    light: palette.Light
    width: int
    height: int
    horizon: int
    unit: float
    """Geometric mean of the sides of the frame: sizes are shares of it, so that tall frames look alike."""
    rng: np.random.Generator

    def row(self, share: float) -> int:
        """The row at a share of the stage's height."""
        return int(self.height * share)


def fbm(
    rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4, stretch: float = 1.0
) -> Field:
    """Cloudy noise with features of `cell` pixels, `stretch` times wider than tall."""
    low_h, low_w = max(4, height // 2), max(4, width // 2)
    total, weight = np.zeros((low_h, low_w), np.float32), 0.0
    for octave in range(octaves):
        size = cell / 2 / 2**octave
        rows, columns = int(low_h / size) + 4, int(low_w / size / stretch) + 4
        grid = PIL.Image.fromarray(rng.random((rows, columns), np.float32))
        box = (1.0, 1.0, 1 + low_w / size / stretch, 1 + low_h / size)
        total += np.asarray(grid.resize((low_w, low_h), PIL.Image.Resampling.BICUBIC, box=box)) * np.float32(
            0.5**octave
        )
        weight += 0.5**octave
    full = PIL.Image.fromarray(total / np.float32(weight)).resize((width, height), PIL.Image.Resampling.BILINEAR)
    clear: Field = np.clip((np.asarray(full) - 0.5) * 1.6 + 0.5, 0, 1)
    return clear


def profile(rng: np.random.Generator, width: int, cell: float, roughness: float, octaves: int = 7) -> Field:
    """A line of hills (roughness 0.3) or peaks (0.55): one height from 0 to 1 for each column."""
    line, weight = np.zeros(width, np.float32), 0.0
    for octave in range(octaves):
        size = max(2.0, cell / 2**octave)
        knots = rng.random(int(width / size) + 3)
        at = np.arange(width) / size
        share = at % 1
        if roughness < 0.45:
            share = share * share * (3 - 2 * share)
        line += ((1 - share) * knots[at.astype(int)] + share * knots[at.astype(int) + 1]) * roughness**octave
        weight += roughness**octave
    line /= weight
    full: Field = (line - line.min()) / np.float32(max(1e-6, float(np.ptp(line))))
    return full


def under(top: Field, height: int) -> Field:
    """The mask of everything below the line `top`, with a soft pixel at the edge."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    return np.clip(rows - top[None, :] + 0.5, 0, 1).astype(np.float32)


def ramp(height: int, colours: Sequence[tuple[float, palette.RGB]], width: int = 1) -> palette.RGB:
    """A vertical gradient through (share of the height, colour) stops."""
    rows = np.linspace(0, 1, height)
    stops = [share for share, _ in colours]
    bands = [np.interp(rows, stops, [float(colour[c]) for _, colour in colours]) for c in range(3)]
    return np.repeat(np.stack(bands, -1).astype(np.float32)[:, None], width, 1)


def glow(height: int, width: int, x: float, y: float, radius: float, squash: float = 1.0) -> Field:
    """A soft light around (x, y) that has faded to a third at `radius`."""
    rows = ((np.arange(height, dtype=np.float32) - y) * squash) ** 2
    columns = (np.arange(width, dtype=np.float32) - x) ** 2
    return np.exp(-np.sqrt(rows[:, None] + columns[None, :]) / np.float32(radius)).astype(np.float32)


class Pen:
    """Draws on a sheet that is larger than the mask, so that edges come out smooth."""

    def __init__(self, draw: PIL.ImageDraw.ImageDraw, x: float, y: float, scale: float) -> None:
        self._draw, self._x, self._y, self._scale = draw, x, y, scale

    def sized(self, x: float, y: float, size: float) -> "Pen":
        """A pen whose origin is at (x, y), and whose unit is `size`: shapes are drawn as shares of a whole."""
        return Pen(self._draw, self._x + x * self._scale, self._y + y * self._scale, self._scale * size)

    def rectangle(self, box: Box, tone: int = 255) -> None:
        """A filled box."""
        self._draw.rectangle(self._box(box), fill=tone)

    def rounded(self, box: Box, radius: float) -> None:
        """A filled box with round corners."""
        self._draw.rounded_rectangle(self._box(box), radius * self._scale, fill=255)

    def frame(self, box: Box, radius: float, width: float) -> None:
        """The outline of a box with round corners."""
        self._draw.rounded_rectangle(self._box(box), radius * self._scale, outline=255, width=self._width(width))

    def ellipse(self, box: Box, tone: int = 255) -> None:
        """A filled ellipse in a box."""
        self._draw.ellipse(self._box(box), fill=tone)

    def ring(self, box: Box, width: float) -> None:
        """The outline of an ellipse in a box."""
        self._draw.ellipse(self._box(box), outline=255, width=self._width(width))

    def dome(self, box: Box) -> None:
        """The upper half of an ellipse in a box."""
        self._draw.pieslice(self._box(box), 180, 360, fill=255)

    def polygon(self, points: Sequence[Point], tone: int = 255) -> None:
        """A filled polygon."""
        self._draw.polygon([self._point(point) for point in points], fill=tone)

    def line(self, points: Sequence[Point], width: float, tone: int = 255) -> None:
        """A line through points."""
        self._draw.line([self._point(point) for point in points], fill=tone, width=self._width(width), joint="curve")

    def _point(self, point: Point) -> Point:
        return self._x + point[0] * self._scale, self._y + point[1] * self._scale

    def _box(self, box: Box) -> Box:
        return *self._point(box[:2]), *self._point(box[2:])

    def _width(self, width: float) -> int:
        return max(1, round(width * self._scale))


def mask(height: int, width: int, draw: Callable[[Pen], None], blur: float = 0.0) -> Field:
    """What `draw(pen)` draws in white on black."""
    sheet = PIL.Image.new("L", (width * _SHARPNESS, height * _SHARPNESS))
    draw(Pen(PIL.ImageDraw.Draw(sheet), 0, 0, _SHARPNESS))
    small = sheet.reduce(_SHARPNESS)
    if blur:
        small = small.filter(PIL.ImageFilter.GaussianBlur(blur))
    return np.asarray(small, np.float32) / np.float32(255)


def drawn(height: int, width: int, outline: Callable[[Pen], None], size: float, x: float = 0, blur: float = 0) -> Field:
    """The mask of an outline that is drawn in shares of `size`, around the column `x`."""
    return mask(height, width, lambda pen: outline(pen.sized(x, 0, size)), blur)


def rounded(shape: Field, radius: float) -> Field:
    """The mask with its corners and joints melted together, and edges as sharp as before."""
    sharp: Field = np.clip((blurred(shape, radius) - 0.5) * np.float32(2.2 * radius) + 0.5, 0, 1)
    return sharp


def blurred(field: Field, radius: float) -> Field:
    """The field, softened."""
    sheet = PIL.Image.fromarray(np.rint(np.clip(field, 0, 1) * 255).astype(np.uint8))
    return np.asarray(sheet.filter(PIL.ImageFilter.GaussianBlur(radius)), np.float32) / np.float32(255)


def flat(colour: palette.RGB, height: int, width: int) -> palette.RGB:
    """One colour everywhere."""
    return np.broadcast_to(colour, (height, width, 3)).astype(np.float32)


def tint(colour: palette.RGB, target: palette.RGB, share: Field) -> palette.RGB:
    """The colours moved towards a target by a share for each pixel."""
    return colour + (target - colour) * share[..., None]


def lit(canvas: Canvas, surface: palette.RGB, distance: float) -> palette.RGB:
    """A surface's colour in this light, at a distance from 0 (near) to 1 (lost in the air)."""
    light = canvas.light
    near = palette.mix(light.shade, surface, light.strength)
    near = palette.mix(near, (near * (light.horizon + np.float32(0.35))).astype(np.float32), 0.5)
    return palette.mix(near, light.haze, distance)
