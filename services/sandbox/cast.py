"""The people of a scene: figures against the light, standing or walking, told apart by coat, hat and hair."""

from dataclasses import dataclass

import numpy as np
import PIL.ImageDraw

from services.sandbox import brush, cels, palette, sky

POSES = 12
DEPTH = 0.7
"""How near people stand."""
_TALL = {"wide": 0.25, "room": 0.46, "medium": 0.66, "close": 1.45}
_FEET = {"wide": 0.83, "room": 0.97, "medium": 1.1, "close": 1.7}
_Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Figure:
    """One person: shares of the body's height."""

    build: float
    coat: float
    hat: bool
    hair: bool
    facing: int
    stride: float
    umbrella: bool
    helmet: bool


def paint(canvas: brush.Canvas) -> list[cels.Painting]:
    """Everyone in the scene, each a set of poses when they walk."""
    scene = canvas.scene
    paintings = []
    for number in range(scene.cast):
        kind = scene.seed >> (3 * number) & 7
        umbrella = scene.weather == "rain" and number == 0 and scene.framing != "close"
        figure = _Figure(
            build=0.9 + 0.05 * (kind % 4),
            coat=(0.24, 0.06, 0.3, 0.14)[(kind + 2 * number) % 4],
            hat=bool(kind & 4) != bool(number),
            hair=bool(kind & 2) == bool(number),
            facing=1 if (scene.seed >> 5) % 2 else -1,
            stride=0.42 if scene.walking else 0.0,
            umbrella=umbrella,
            helmet=scene.place == "space",
        )
        paintings += _poses(canvas, figure, number)
    return paintings


def _poses(canvas: brush.Canvas, figure: _Figure, number: int) -> list[cels.Painting]:
    scene, unit = canvas.scene, canvas.unit
    framing = "room" if scene.place == "interior" and scene.framing == "wide" else scene.framing
    tall = int(unit * _TALL[framing] * (1 - 0.06 * number)) // 2 * 2
    wide = int(tall * 0.9) // 2 * 2
    thirds = (0.4, 0.62) if scene.seed % 2 else (0.6, 0.38)
    gap = {"wide": 0.1, "room": 0.19, "medium": 0.26, "close": 0.34}[framing] * unit * (1 if thirds[0] < 0.5 else -1)
    left = canvas.width * thirds[0] + number * gap - wide / 2
    top = max(canvas.row(0.17), canvas.row(_FEET[framing]) - tall)
    count = POSES if figure.stride else 1
    drift = unit * 0.0017 * figure.facing if figure.stride and scene.framing == "wide" else 0.0
    return [
        _pose(canvas, figure, tall, wide, pose / POSES, (int(left) // 2 * 2, top // 2 * 2), (pose, count), drift)
        for pose in range(count)
    ]


def _pose(
    canvas: brush.Canvas,
    figure: _Figure,
    tall: int,
    wide: int,
    turn: float,
    at: tuple[int, int],
    beat: tuple[int, int],
    drift: float,
) -> cels.Painting:
    height = min(tall, canvas.height - at[1]) // 2 * 2
    drawn = brush.mask(height, wide, lambda pen, k: _draw(pen, figure, turn, tall * k, wide * k / 2))
    shape = brush.rounded(drawn, max(1.0, tall * 0.0075))
    light = canvas.light
    near, far = (brush.lit(canvas, palette.rgb(code), air) for code, air in (("1b1a20", 0.0), ("3a3640", 0.1)))
    soft = brush.blurred(1 - shape, tall * 0.03)
    body = brush.tint(brush.flat(near, height, wide), far, np.clip(soft * 1.4, 0, 1))
    side = 1 if sky.disc_at(canvas)[0] > canvas.width * 0.5 else -1
    edge = max(1, round(canvas.unit * 0.0018 + tall * 0.0022))
    away = np.roll(np.roll(shape, -side * edge, 1), edge // 2, 0)
    rim = brush.blurred(np.clip(shape - away, 0, 1), max(0.6, edge * 0.6)) * shape
    glow = palette.mix(light.disc, light.horizon, 0.35)
    colour = brush.tint(body, glow, np.clip(rim * 1.5, 0, 1) * (0.85 if canvas.scene.weather == "clear" else 0.5))
    sway = 0.0 if drift or figure.stride else canvas.unit * 0.0012
    return cels.Painting(colour, shape, *at, depth=DEPTH, drift=drift, sway=sway, beat=beat if beat[1] > 1 else None)


def _draw(pen: PIL.ImageDraw.ImageDraw, figure: _Figure, turn: float, s: float, x: float) -> None:
    """A figure of height `s` in the middle `x`: legs, body, arms, head."""
    swing = 2 * np.pi * turn
    bob = 0.012 * abs(np.sin(swing)) if figure.stride else 0.0
    hip, shoulder, head = (0.5 + bob, 0.185 + bob, 0.085 + bob)
    b = figure.build * 0.9

    def limb(start: _Point, first: float, second: float, lengths: _Point, thick: float) -> _Point:
        middle = (start[0] + lengths[0] * np.sin(first), start[1] + lengths[0] * np.cos(first))
        end = (middle[0] + lengths[1] * np.sin(second), middle[1] + lengths[1] * np.cos(second))
        for a, c, width in ((start, middle, thick), (middle, end, thick * 0.82)):
            pen.line([(x + a[0] * s, a[1] * s), (x + c[0] * s, c[1] * s)], fill=255, width=max(1, int(width * s)))
            for point in (a, c):
                r = width * s / 2
                pen.ellipse((x + point[0] * s - r, point[1] * s - r, x + point[0] * s + r, point[1] * s + r), fill=255)
        return float(end[0]), float(end[1])

    face = figure.facing
    for sign in (1, -1):
        leg = sign * figure.stride * np.sin(swing)
        bend = figure.stride * 1.1 * max(0.0, np.cos(swing) * sign) if figure.stride else 0.0
        angle = leg if figure.stride else sign * 0.07
        foot = limb((sign * 0.02 * (not figure.stride), hip), face * angle, face * (angle - bend), (0.23, 0.225), 0.07 * b)
        pen.ellipse((x + (foot[0] - 0.028 + face * 0.022) * s, (foot[1] - 0.012) * s, x + (foot[0] + 0.028 + face * 0.022) * s, (foot[1] + 0.02) * s), fill=255)
    hem = hip + figure.coat
    flare = (0.07 + 0.16 * figure.coat) * b + 0.03 * figure.stride
    body = [(-0.115 * b, shoulder + 0.035), (-0.075 * b, shoulder), (-0.03, shoulder - 0.03)]
    body += [(0.03, shoulder - 0.03), (0.075 * b, shoulder), (0.115 * b, shoulder + 0.035)]
    body += [(0.078 * b, 0.36 + bob), (flare, hem), (-flare, hem), (-0.078 * b, 0.36 + bob)]
    pen.polygon([(x + px * s, py * s) for px, py in body], fill=255)
    for sign in (1, -1):
        arm = -sign * figure.stride * 0.9 * np.sin(swing)
        start = (sign * 0.09 * b, shoulder + 0.04)
        if figure.umbrella and sign == face:
            hand = limb(start, face * 0.5, face * 2.6, (0.14, 0.12), 0.05 * b)
            _umbrella(pen, x + hand[0] * s, hand[1] * s, s)
        else:
            limb(start, face * arm + sign * 0.16, face * arm + face * 0.16 - sign * 0.02, (0.155, 0.145), 0.052 * b)
    _head(pen, figure, x, head, s)


def _head(pen: PIL.ImageDraw.ImageDraw, figure: _Figure, x: float, head: float, s: float) -> None:
    face = figure.facing
    pen.polygon([(x - 0.028 * s, head * s), (x + 0.028 * s, head * s), (x + 0.036 * s, (head + 0.1) * s), (x - 0.036 * s, (head + 0.1) * s)], fill=255)
    pen.ellipse((x - 0.048 * s, (head - 0.062) * s, x + 0.048 * s, (head + 0.062) * s), fill=255)
    pen.polygon([(x + face * 0.04 * s, (head - 0.012) * s), (x + face * 0.058 * s, (head + 0.016) * s), (x + face * 0.04 * s, (head + 0.022) * s)], fill=255)
    if figure.helmet:
        pen.ellipse((x - 0.085 * s, (head - 0.08) * s, x + 0.085 * s, (head + 0.09) * s), fill=255)
        pen.rounded_rectangle((x - face * 0.1 * s - 0.06 * s, (head + 0.08) * s, x - face * 0.1 * s + 0.06 * s, (head + 0.36) * s), 0.03 * s, fill=255)
        return
    if figure.hair:
        pen.ellipse((x - 0.058 * s, (head - 0.07) * s, x + 0.056 * s, (head + 0.03) * s), fill=255)
        back = -face
        pen.ellipse((x + back * 0.03 * s - 0.045 * s, (head - 0.05) * s, x + back * 0.03 * s + 0.045 * s, (head + 0.115) * s), fill=255)
    if figure.hat:
        pen.ellipse((x - 0.09 * s, (head - 0.055) * s, x + 0.09 * s, (head - 0.028) * s), fill=255)
        pen.rounded_rectangle((x - 0.052 * s, (head - 0.085) * s, x + 0.052 * s, (head - 0.04) * s), 0.02 * s, fill=255)


def _umbrella(pen: PIL.ImageDraw.ImageDraw, x: float, y: float, s: float) -> None:
    top = 0.005 * s
    pen.line([(x, y), (x, top + 0.02 * s)], fill=255, width=max(1, int(0.012 * s)))
    pen.pieslice((x - 0.23 * s, top, x + 0.23 * s, top + 0.26 * s), 180, 360, fill=255)
