"""Places that people built outdoors: the skyline and the street."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.sandbox import brush, cels, palette, sky

rgb = palette.rgb
_SIGNS = ("ff3f8e", "31e6ff", "ffb03a", "8f5bff", "4dff9a")


def city(canvas: brush.Canvas) -> list[cels.Painting]:
    """Four depths of towers with lit windows, and a parapet in front."""
    layers = sky.paint(canvas)
    for number, (base, tall, distance) in enumerate(((0.72, 0.46, 0.7), (0.8, 0.52, 0.48), (0.92, 0.6, 0.2))):
        layers.append(_towers(canvas, base, tall, distance, 0.1 + 0.18 * number))
        layers.append(sky.mist(canvas, base - 0.02, 0.12, 0.42, 0.14 + 0.18 * number))
    layers.append(_parapet(canvas))
    return layers


def _burning(canvas: brush.Canvas) -> float:
    """The share of windows with a light on."""
    return {"night": 0.52, "dusk": 0.42, "dawn": 0.16, "golden": 0.14, "day": 0.05}[canvas.scene.hour]


@dataclass(frozen=True, slots=True)
class _Tower:
    """A building: its left edge, roof and width, and a number from 0 to 1 that tells what kind it is."""

    x: float
    top: float
    wide: float
    kind: float


def _skyline(canvas: brush.Canvas, height: int, tall: float, distance: float) -> list[_Tower]:
    towers, x, rng = [], -0.03 * canvas.width, canvas.rng
    most = min(1.0, tall * canvas.height / height)
    while x < canvas.width:
        wide = canvas.unit * rng.uniform(0.04, 0.1) * (1.4 - distance)
        towers.append(_Tower(x, height * (1 - (0.4 + 0.55 * rng.random() ** 1.8) * most), wide, rng.random()))
        x += wide * rng.uniform(0.8, 1.3)
    return towers


def _outline(pen: brush.Pen, tower: _Tower, height: float, mast: float) -> None:
    pen.rectangle((tower.x, tower.top, tower.x + tower.wide, height))
    roof = pen.sized(tower.x, tower.top, tower.wide)
    if tower.kind < 0.3:
        roof.rectangle((0.2, -0.28, 0.8, 0))
    elif tower.kind < 0.45:
        roof.polygon([(0, 0), (0.5, -0.3), (1, 0)])
    if tower.kind > 0.8 or tower.kind < 0.12:
        roof.line([(0.5, 0), (0.5, -0.9)], mast / tower.wide)


def _sides(pen: brush.Pen, tower: _Tower, height: float) -> None:
    edge = tower.x + tower.wide * (0.62 + 0.2 * tower.kind)
    pen.rectangle((tower.x, 0, edge, height), tone=int(90 + 120 * tower.kind))
    pen.rectangle((edge, 0, tower.x + tower.wide, height), tone=20)


def _windows(pen: brush.Pen, tower: _Tower, height: float, cell: float, canvas: brush.Canvas) -> None:
    rng, burning = canvas.rng, _burning(canvas)
    pitch = cell * (1.25 if tower.kind < 0.6 else 1.7)
    for y in np.arange(tower.top + cell, height, cell * 1.5):
        if rng.random() > 0.45 + burning:
            continue
        for x in np.arange(tower.x + cell * 0.7, tower.x + tower.wide - cell, pitch):
            if rng.random() < burning * 1.3:
                pen.rectangle((x, y, x + cell * 0.6, y + cell * 0.75), tone=int(rng.uniform(110, 255)))


def _towers(canvas: brush.Canvas, base: float, tall: float, distance: float, depth: float) -> cels.Painting:
    width, unit = canvas.width, canvas.unit
    top_row = canvas.row(base - tall) // 2 * 2
    height = canvas.height - top_row
    towers = _skyline(canvas, height, tall, distance)
    cell = max(3.0, unit * 0.0078 * (1.45 - distance))

    def drawn(draw: Callable[[brush.Pen, _Tower], None]) -> brush.Field:
        def all_of_them(pen: brush.Pen) -> None:
            for tower in towers:
                draw(pen, tower)

        return brush.mask(height, width, all_of_them)

    body = drawn(lambda pen, tower: _outline(pen, tower, height, unit * 0.0022))
    wall = brush.tint(
        brush.flat(brush.lit(canvas, rgb("26303c"), distance), height, width),
        brush.lit(canvas, palette.mix(rgb("8d97a3"), canvas.light.disc, 0.2), distance),
        drawn(lambda pen, tower: _sides(pen, tower, height)) * 0.75,
    )
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    wall = brush.tint(wall, canvas.light.haze, rows * (0.2 + 0.5 * distance))
    lit = drawn(lambda pen, tower: _windows(pen, tower, height, cell, canvas))
    return cels.Painting(_shining(canvas, wall, lit, distance), body, y=top_row, depth=depth)


def _shining(canvas: brush.Canvas, wall: palette.RGB, lit: brush.Field, distance: float) -> palette.RGB:
    """The wall with its windows: warm here, cold there, in the colours of the signs when the look is neon."""
    height, width = lit.shape
    mood = np.clip((brush.fbm(canvas.rng, height, width, canvas.unit * 0.08, 2) - 0.5) * 6, 0, 1)
    lamps = brush.tint(brush.flat(rgb("ffd083"), height, width), rgb("cfe6ff"), mood)
    if canvas.scene.look == "neon":
        lamps = palette.mix(lamps, rgb(_SIGNS[int(distance * 10) % len(_SIGNS)]), 0.6)
    strength = (1 - 0.55 * distance) * (1.0 if canvas.light.strength < 0.5 else 0.6)
    glowing = np.clip(lit + brush.blurred(lit, canvas.unit * 0.006) * 0.5, 0, 1) * strength
    return wall + (lamps - wall) * glowing[..., None]


def _parapet(canvas: brush.Canvas) -> cels.Painting:
    top_row = canvas.row(0.82) // 2 * 2
    height, width = canvas.height - top_row, canvas.width

    def draw(pen: brush.Pen) -> None:
        w, h = width, height
        pen.rectangle((0, h * 0.52, w, h))
        for post in np.arange(0.02, 1.0, 0.13):
            pen.rectangle((w * post, h * 0.2, w * post + w * 0.006, h * 0.55))
        pen.rectangle((0, h * 0.17, w, h * 0.21))
        side = 0.06 if canvas.scene.seed % 2 else 0.8
        pen.rectangle((w * side, 0, w * (side + 0.1), h))

    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    edge = brush.lit(canvas, palette.mix(rgb("4a4e57"), canvas.light.horizon, 0.25), 0.06)
    colour = brush.tint(brush.flat(edge, height, width), brush.lit(canvas, rgb("0d0f14"), 0.0), np.clip(rows * 3, 0, 1))
    return cels.Painting(colour, brush.mask(height, width, draw), y=top_row, depth=0.85)


def street(canvas: brush.Canvas) -> list[cels.Painting]:
    """House fronts running to a vanishing point, signs and lamps, and all of it again in the pavement."""
    back = [painting for painting in sky.paint(canvas)]
    back.append(_towers(canvas, 0.68, 0.3, 0.6, 0.12))
    left, right = _front(canvas, True), _front(canvas, False)
    return [*back, sky.mist(canvas, 0.6, 0.12, 0.5, 0.14), _pavement(canvas), left, right, *_lamps(canvas)]


def _front(canvas: brush.Canvas, left: bool) -> cels.Painting:
    """One side of the street: storeys between two lines that meet at the vanishing point."""
    rng, unit = canvas.rng, canvas.unit
    width, height = int(canvas.width * 0.44) // 2 * 2, canvas.height
    vanish = height * 0.56
    away = np.linspace(1, 0.12, width, dtype=np.float32)
    top, foot = vanish - away * height * 0.72, vanish + away * height * 0.4

    def facade(pen: brush.Pen) -> None:
        gaps = np.cumsum(rng.uniform(0.8, 1.2, 7))
        gaps = (1 - 0.86 * gaps / gaps[-1]) * 255
        for start, end, tone in zip([255, *gaps], gaps, rng.integers(60, 255, 7), strict=False):
            a, b = (int(np.clip((1 - g / 255) / 0.88, 0, 1) * width) for g in (start, end))
            pen.rectangle((a, 0, b, height), tone=int(tone))

    def panes(pen: brush.Pen) -> None:
        for column in np.geomspace(1.0, 0.16, 23)[:-1]:
            thin = column * 0.955
            a, b = ((1 - c) / 0.88 * width for c in (column, thin))
            for storey in np.arange(-0.66, -0.02, 0.105):
                if rng.random() < _burning(canvas) * 0.75 + 0.04:
                    y0, y1 = (vanish + s * height for s in (storey, storey + 0.06))
                    corners = [(a, vanish + (y0 - vanish) * column), (b, vanish + (y0 - vanish) * thin)]
                    corners += [(b, vanish + (y1 - vanish) * thin), (a, vanish + (y1 - vanish) * column)]
                    pen.polygon([(x, y) for x, y in corners], tone=int(255 * rng.uniform(0.2, 1) ** 1.5))
        for start in np.geomspace(1.0, 0.17, 10)[:-1]:  # shop windows at the foot of the wall
            end, tone = start * 0.86, int(rng.choice([40, 130, 235]) * (0.4 + _burning(canvas)))
            a, b = ((1 - c) / 0.88 * width for c in (start, end))
            corners = [(a, vanish + 0.1 * height * start), (b, vanish + 0.1 * height * end)]
            corners += [(b, vanish + 0.33 * height * end), (a, vanish + 0.33 * height * start)]
            pen.polygon([(x, y) for x, y in corners], tone=min(255, tone))

    body = brush.under(top, height) * (1 - brush.under(foot, height))
    tones = brush.mask(height, width, facade)
    haze = np.broadcast_to(1 - away, (height, width)) * 0.75
    colour = brush.tint(
        brush.flat(brush.lit(canvas, rgb("2a2429"), 0.02), height, width),
        brush.lit(canvas, rgb("7d6a60"), 0.05),
        tones * 0.7,
    )
    colour = brush.tint(colour, canvas.light.haze, haze.astype(np.float32))
    lit = brush.mask(height, width, panes)
    colour = brush.tint(colour, rgb("ffcf86"), np.clip(lit + brush.blurred(lit, unit * 0.008) * 0.6, 0, 1))
    colour = _signs(canvas, colour, vanish)
    if not left:
        colour, body = np.ascontiguousarray(colour[:, ::-1]), np.ascontiguousarray(body[:, ::-1])
    return cels.Painting(np.clip(colour, 0, 1), body, x=0 if left else (canvas.width - width) // 2 * 2, depth=0.42)


def _signs(canvas: brush.Canvas, colour: palette.RGB, vanish: float) -> palette.RGB:
    if canvas.light.strength > 0.6 and canvas.scene.look != "neon":
        return colour
    rng = canvas.rng
    height, width = colour.shape[:2]
    for code in rng.permutation(_SIGNS)[: 5 if canvas.scene.look == "neon" else 3]:
        share, size = rng.uniform(0.3, 0.85), rng.uniform(0.05, 0.09)
        x, y = (1 - share) / 0.88 * width, vanish - share * height * rng.uniform(0.02, 0.34)
        tall, wide = share * size * rng.uniform(1.2, 3.0), share * size * 0.55
        tube = brush.mask(height, width, functools.partial(_sign, x=x, y=y, wide=canvas.unit * wide, tall=tall / wide))
        colour = brush.tint(colour, rgb(str(code)), np.clip(brush.blurred(tube, canvas.unit * 0.022) * 1.7, 0, 0.75))
        colour = brush.tint(colour, palette.mix(rgb(str(code)), rgb("ffffff"), 0.45), tube)
    return colour


def _sign(pen: brush.Pen, x: float, y: float, wide: float, tall: float) -> None:
    """A tube around three bars, hanging from its foot at (x, y); `tall` times as tall as wide."""
    sign = pen.sized(x, y, wide)
    sign.frame((0, -tall, 1, 0), 0.25, 0.16)
    for top in (0.82, 0.56, 0.3):
        sign.rectangle((0.28, -tall * top, 0.72, tall * (0.1 - top)))


def _pavement(canvas: brush.Canvas) -> cels.Painting:
    light, rng, width = canvas.light, canvas.rng, canvas.width
    top = canvas.row(0.57) // 2 * 2
    height = canvas.height - top
    wet = 0.95 if canvas.scene.weather == "rain" or canvas.light.night else 0.3
    stone = rgb("d5dce2") if canvas.scene.weather == "snow" else rgb("4b4a4d")
    stops = [
        (0.0, light.haze),
        (0.2, brush.lit(canvas, stone, 0.25)),
        (1.0, brush.lit(canvas, stone * np.float32(0.4), 0.0)),
    ]
    colour = brush.ramp(height, stops, width)
    puddles = np.clip((brush.fbm(rng, height, width, canvas.unit * 0.2, 5, stretch=4) - 0.34) * 3, 0, 1) * wet
    colour = brush.tint(colour, palette.mix(light.horizon, light.haze, 0.4), puddles * 0.5)
    for code in _SIGNS if canvas.light.strength < 0.6 or canvas.scene.look == "neon" else ("ffd9a0",):
        x, spread = rng.uniform(0.08, 0.92) * width, canvas.unit * rng.uniform(0.02, 0.05)
        spread *= 1.5
        streak = np.exp(-(((np.arange(width, dtype=np.float32) - x) / spread) ** 2))[None]
        fall = np.linspace(1, 0.1, height, dtype=np.float32)[:, None]
        broken = 0.35 + 0.65 * brush.fbm(rng, height, width, canvas.unit * 0.03, 3, stretch=5)
        colour = brush.tint(colour, rgb(code), (streak * fall * broken * puddles * 0.9).astype(np.float32))
    return cels.Painting(np.clip(colour, 0, 1), None, y=top, depth=0.42)


def _lamp(pen: brush.Pen) -> None:
    pen.rectangle((-0.009, 0.17, 0.009, 1.0))
    pen.polygon([(-0.03, 0.1), (0.03, 0.1), (0.02, 0.175), (-0.02, 0.175)])
    pen.rectangle((-0.035, 0.09, 0.035, 0.103))


def _lamps(canvas: brush.Canvas) -> list[cels.Painting]:
    layers = []
    bright = 0.95 if canvas.light.strength < 0.6 else 0.3
    for side, share, depth in ((0.3, 0.42, 0.5), (0.74, 0.62, 0.62), (0.1, 1.0, 0.9)):
        height = int(canvas.height * 0.62 * share) // 2 * 2
        width = int(height * 0.9) // 2 * 2
        post = brush.drawn(height, width, _lamp, height, x=width / 2)
        shine = brush.glow(height, width, width / 2, height * 0.14, height * 0.055) * bright
        colour = brush.tint(
            brush.flat(brush.lit(canvas, rgb("121318"), 0.0), height, width), rgb("ffe2a6"), np.clip(shine * 1.6, 0, 1)
        )
        edge = np.clip(1 - np.abs(np.linspace(-1, 1, width, dtype=np.float32)), 0, 1)[None]
        top = int(canvas.height * (0.57 + 0.42 * share)) - height
        left = int(canvas.width * side - width / 2) // 2 * 2
        layers.append(cels.Painting(colour, np.maximum(post, shine * edge), x=left, y=top // 2 * 2, depth=depth))
    return layers
