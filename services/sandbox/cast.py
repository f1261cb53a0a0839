"""The people of a scene: figures against the light, standing or walking, told apart by coat, hat and hair."""

from dataclasses import dataclass

import numpy as np

from services.sandbox import brush, cels, palette, script, sky

POSES = 12
DEPTH = 0.7
"""How near people stand."""
_TALL = {"wide": 0.25, "room": 0.46, "medium": 0.66, "close": 1.45}
_FEET = {"wide": 0.8, "room": 0.97, "medium": 1.1, "close": 1.7}


@dataclass(frozen=True, slots=True)
class _Figure:
    """One person: shares of the body's height."""

    person: script.Person
    build: float
    coat: float
    facing: int
    stride: float
    umbrella: bool
    helmet: bool


def paint(canvas: brush.Canvas) -> list[cels.Painting]:
    """Everyone in the scene, each a set of poses when they walk."""
    scene = canvas.scene
    paintings = []
    facing = 1 if (scene.seed >> 5) % 2 else -1
    for number, person in enumerate(scene.cast):
        figure = _Figure(
            person=person,
            build=0.92 + 0.04 * (person.seed % 4),
            coat=(0.24, 0.06, 0.3, 0.14)[person.seed // 4 % 4],
            facing=facing if number == 0 or scene.walking else -facing,
            stride=0.42 if scene.walking and scene.framing != "close" else 0.0,
            umbrella=scene.weather == "rain" and number == 0 and scene.framing != "close" and scene.place != "interior",
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
    top = canvas.row(_FEET[framing]) - tall
    if framing in ("close", "medium"):
        top = min(max(canvas.row(0.17), top), canvas.row(0.36))
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
    drawn = brush.drawn(height, wide, lambda pen: _draw(pen, figure, turn), tall, x=wide / 2)
    shape = brush.rounded(drawn, max(1.0, min(tall * 0.0075, canvas.unit * 0.004)))
    light = canvas.light
    cloth = palette.rgb(figure.person.colour or "2a2730")
    dark = brush.lit(canvas, palette.rgb("1b1a20"), 0.0)
    soft = np.clip(brush.blurred(1 - shape, tall * 0.03) * 1.4, 0, 1)
    body = brush.tint(brush.flat(dark, height, wide), brush.lit(canvas, palette.rgb("4a4550"), 0.1), soft * 0.6)
    rows = np.arange(height, dtype=np.float32)[:, None] / np.float32(tall)
    worn = np.clip((rows - 0.172) * 60, 0, 1) * np.clip((0.5 + figure.coat - rows) * 60, 0, 1)
    worn = worn * (0.55 if figure.person.colour else 0.15) * (0.75 + 0.6 * soft)
    body = brush.tint(body, brush.lit(canvas, cloth, 0.04), np.clip(worn, 0, 1).astype(np.float32))
    side = 1 if sky.disc_at(canvas)[0] > canvas.width * 0.5 else -1
    edge = max(1, round(canvas.unit * 0.0018 + tall * 0.0022))
    away = np.roll(np.roll(shape, -side * edge, 1), edge // 2, 0)
    rim = brush.blurred(np.clip(shape - away, 0, 1), max(0.6, edge * 0.6)) * shape
    glow = palette.mix(light.disc, light.horizon, 0.35)
    colour = brush.tint(body, glow, np.clip(rim * 1.5, 0, 1) * (0.85 if canvas.scene.weather == "clear" else 0.5))
    sway = 0.0 if drift or figure.stride else canvas.unit * 0.0012
    return cels.Painting(colour, shape, *at, depth=DEPTH, drift=drift, sway=sway, beat=beat if beat[1] > 1 else None)


def _draw(pen: brush.Pen, figure: _Figure, turn: float) -> None:
    """A figure in shares of its height, around x = 0: legs, body, arms, head."""
    swing = 2 * np.pi * turn
    bob = 0.012 * abs(np.sin(swing)) if figure.stride else 0.0
    hip, shoulder, head = 0.5 + bob, 0.185 + bob, 0.085 + bob
    b, face = figure.build * 0.9, figure.facing
    for sign in (1, -1):
        angle = sign * (figure.stride * np.sin(swing) if figure.stride else 0.07)
        bend = figure.stride * 1.1 * max(0.0, np.cos(swing) * sign)
        start = (0.0 if figure.stride else sign * 0.02, hip)
        x, y = _limb(pen, start, face * angle, face * (angle - bend), (0.23, 0.225), 0.07 * b)
        pen.ellipse((x - 0.028 + face * 0.022, y - 0.012, x + 0.028 + face * 0.022, y + 0.02))
    flare = (0.07 + 0.16 * figure.coat) * b + 0.03 * figure.stride
    half = [(0.03, shoulder - 0.03), (0.075 * b, shoulder), (0.115 * b, shoulder + 0.035), (0.078 * b, 0.36 + bob)]
    half.append((flare, hip + figure.coat))
    pen.polygon([*half, *((-x, y) for x, y in reversed(half))])
    for sign in (1, -1):
        start = (sign * 0.09 * b, shoulder + 0.04)
        if figure.umbrella and sign == face:
            _umbrella(pen, _limb(pen, start, face * 0.5, face * 2.6, (0.14, 0.12), 0.05 * b))
        else:
            arm = face * -sign * figure.stride * 0.9 * np.sin(swing)
            _limb(pen, start, arm + sign * 0.16, arm + face * 0.16 - sign * 0.02, (0.155, 0.145), 0.052 * b)
    _head(pen.sized(0, head, 1), figure)


def _limb(
    pen: brush.Pen, start: brush.Point, first: float, second: float, lengths: brush.Point, thick: float
) -> brush.Point:
    """An arm or a leg of two parts, each at its angle from straight down; where it ends."""
    middle = (start[0] + lengths[0] * np.sin(first), start[1] + lengths[0] * np.cos(first))
    end = (middle[0] + lengths[1] * np.sin(second), middle[1] + lengths[1] * np.cos(second))
    for a, c, width in ((start, middle, thick), (middle, end, thick * 0.82)):
        pen.line([a, c], width)
        for x, y in (a, c):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2))
    return end


def _head(pen: brush.Pen, figure: _Figure) -> None:
    face = figure.facing
    pen.polygon([(-0.028, 0.0), (0.028, 0.0), (0.036, 0.1), (-0.036, 0.1)])
    pen.ellipse((-0.048, -0.062, 0.048, 0.062))
    pen.polygon([(face * 0.04, -0.012), (face * 0.058, 0.016), (face * 0.04, 0.022)])
    if figure.helmet:
        pen.ellipse((-0.085, -0.08, 0.085, 0.09))
        pen.rounded((-face * 0.1 - 0.06, 0.08, -face * 0.1 + 0.06, 0.36), 0.03)
        return
    if figure.person.hair:
        back = -0.03 * face
        pen.ellipse((-0.058, -0.07, 0.056, 0.03))
        pen.ellipse((back - 0.045, -0.05, back + 0.045, 0.115))
    if figure.person.hat:
        pen.ellipse((-0.09, -0.055, 0.09, -0.028))
        pen.rounded((-0.052, -0.085, 0.052, -0.04), 0.02)


def _umbrella(pen: brush.Pen, hand: brush.Point) -> None:
    x, y = hand
    pen.line([(x, y), (x, 0.025)], 0.012)
    pen.dome((x - 0.23, 0.005, x + 0.23, 0.265))
