"""The table: one thing in a studio's light, on a surface that mirrors it."""

from collections.abc import Callable

import numpy as np

from services.sandbox import brush, cels, palette, sky

rgb = palette.rgb

_Outline = Callable[[brush.Pen], None]


def table(canvas: brush.Canvas) -> list[cels.Painting]:
    """A backdrop with its pool of light, the thing and its reflection, steam, and something soft in front."""
    words = canvas.scene.words
    paintings = [_backdrop(canvas), _surface(canvas)]
    if words & {"letter", "envelope", "paper", "page", "sheet", "book", "photograph"}:
        paintings += _letter(canvas)
    elif words & {"bottle", "perfume", "wine", "flask", "vial"}:
        paintings += _turned(canvas, _bottle, 0.52, rgb("c98a54"), 0.34)
    elif words & {"beans", "bean", "berries", "stones", "seeds", "fruit"}:
        paintings += _heap(canvas)
    else:
        paintings += _turned(canvas, _cup, 0.36, rgb("d9d4cc"), 0.42)
        paintings.append(_steam(canvas))
    return [*paintings, _foreground(canvas)]


def _backdrop(canvas: brush.Canvas) -> cels.Painting:
    height, width = canvas.height, canvas.width
    tone = rgb(("8c8177", "74808a", "9a7f6c", "7d8576")[canvas.scene.seed // 5 % 4])
    light = palette.mix(canvas.light.horizon, tone, 0.45)
    dark = palette.mix(canvas.light.shade, tone, 0.22 + 0.25 * canvas.light.strength)
    side = 0.3 if canvas.scene.seed % 2 else 0.7
    pool = brush.glow(height, width, width * side, height * 0.3, canvas.unit * 0.42)
    colour = brush.tint(brush.flat(dark, height, width), light, np.clip(pool * 1.25, 0, 1))
    return cels.Painting(np.clip(colour, 0, 1), None, depth=0.05)


def _edge(canvas: brush.Canvas) -> int:
    return canvas.row(0.62) // 2 * 2


def _surface(canvas: brush.Canvas) -> cels.Painting:
    height, width = (canvas.height - _edge(canvas)) // 2 * 2, canvas.width
    stone = rgb("3a2a20") if canvas.scene.words & {"wood", "wooden", "oak", "walnut", "kitchen"} else rgb("2b2d31")
    near, far = brush.lit(canvas, stone * np.float32(0.6), 0.0), brush.lit(canvas, stone, 0.32)
    colour = brush.ramp(height, [(0.0, far), (0.25, palette.mix(far, near, 0.5)), (1.0, near)], width)
    grain = brush.fbm(canvas.rng, height, width, canvas.unit * 0.05, 5, stretch=6)
    colour = brush.tint(colour, canvas.light.horizon, np.clip((grain - 0.5) * 0.35, 0, 0.12))
    side = 0.3 if canvas.scene.seed % 2 else 0.7
    sheen = brush.glow(height, width, width * side, 0, canvas.unit * 0.25, squash=0.8) * 0.5
    colour = brush.tint(colour, palette.mix(canvas.light.disc, canvas.light.horizon, 0.5), sheen)
    return cels.Painting(np.clip(colour, 0, 1), None, y=_edge(canvas), depth=0.35)


def _cup(pen: brush.Pen) -> None:
    pen.polygon([(0.24, 0.34), (0.76, 0.34), (0.66, 0.9), (0.34, 0.9)])
    pen.ellipse((0.24, 0.29, 0.76, 0.39))
    pen.ellipse((0.34, 0.86, 0.66, 0.93))
    pen.ring((0.66, 0.42, 0.92, 0.72), 0.045)


def _bottle(pen: brush.Pen) -> None:
    pen.rounded((0.3, 0.4, 0.7, 0.94), 0.06)
    pen.polygon([(0.32, 0.45), (0.68, 0.45), (0.56, 0.32), (0.44, 0.32)])
    pen.rectangle((0.45, 0.22, 0.55, 0.34))
    pen.rounded((0.42, 0.08, 0.58, 0.24), 0.02)


def _turned(
    canvas: brush.Canvas, outline: _Outline, share: float, tone: palette.RGB, half: float
) -> list[cels.Painting]:
    """A round body: its outline, light across it as across a cylinder, and the same upside down in the table."""
    size = int(canvas.unit * share * (1.25 if canvas.scene.framing == "close" else 1.0)) // 2 * 2
    shape = brush.rounded(brush.drawn(size, size, outline, size), max(1.0, size * 0.006))
    across = np.linspace(-1, 1, size, dtype=np.float32)[None] / np.float32(2 * half)
    side = -1.0 if canvas.scene.seed % 2 else 1.0
    body = np.clip(0.62 + 0.75 * across * side - 0.75 * across**2, 0.02, 1)
    strip = np.exp(-(((across - 0.5 * side) / 0.1) ** 2)) * 0.8 + np.exp(-(((across + 0.78 * side) / 0.06) ** 2)) * 0.4
    rows = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    dark, bright = brush.lit(canvas, tone * np.float32(0.22), 0.0), brush.lit(canvas, tone, 0.1)
    colour = brush.tint(brush.flat(dark, size, size), bright, (body * (1.08 - 0.35 * rows)).astype(np.float32))
    colour = brush.tint(colour, rgb("fffaf0"), (strip * np.clip(1.2 - rows, 0, 1) * 0.75).astype(np.float32))
    left, foot = int((canvas.width - size) / 2) // 2 * 2, canvas.row(0.78)
    fade = np.clip(0.42 - 0.75 * rows, 0, 1) * brush.blurred(shape, size * 0.012)[::-1]
    return [
        cels.Painting(
            colour[::-1].copy(), fade.astype(np.float32), x=left, y=foot // 2 * 2 - int(size * 0.14) // 2 * 2, depth=0.5
        ),
        cels.Painting(np.clip(colour, 0, 1), shape, x=left, y=(foot - size) // 2 * 2, depth=0.5),
    ]


def _heap(canvas: brush.Canvas) -> list[cels.Painting]:
    """Many small round things on the table, each with its own light; some still in the air."""
    rng, unit = canvas.rng, canvas.unit
    height, width = canvas.height, canvas.width
    bodies, lights = [], []
    for _ in range(150):
        spread = rng.normal(0, 0.17)
        x, y = width / 2 + spread * unit, canvas.row(0.8) - max(0.0, rng.normal(0.06, 0.05) - 0.35 * abs(spread)) * unit
        if rng.random() < 0.16:
            x, y = width / 2 + rng.normal(0, 0.09) * unit, canvas.height * rng.uniform(0.12, 0.6)
        r = unit * rng.uniform(0.012, 0.02)
        bodies.append((x, y, r, rng.uniform(0.62, 0.95)))
        lights.append((x - r * 0.3, y - r * 0.35, r * 0.34, 0.6))

    def draw(dots: list[tuple[float, float, float, float]]) -> _Outline:
        def outline(pen: brush.Pen) -> None:
            for x, y, r, flat in dots:
                pen.ellipse(((x - r), (y - r * flat), (x + r), (y + r * flat)))

        return outline

    shape = brush.mask(height, width, draw(bodies))
    shine = brush.mask(height, width, draw(lights), blur=unit * 0.0018)
    shade = brush.blurred(brush.fbm(canvas.rng, height, width, unit * 0.02, 2), 1.0)
    brown = rgb("6a3a1e") if canvas.scene.words & {"coffee", "beans", "bean", "chestnut-brown"} else rgb("9a3f3a")
    colour = brush.tint(
        brush.flat(brush.lit(canvas, brown * np.float32(0.4), 0), height, width), brush.lit(canvas, brown, 0.05), shade
    )
    colour = brush.tint(colour, rgb("ffe9cf"), shine * 0.85)
    return [cels.Painting(np.clip(colour, 0, 1), shape, depth=0.5)]


def _letter(canvas: brush.Canvas) -> list[cels.Painting]:
    """An envelope on the table, with its flap, a stamp and lines of ink."""
    wide = int(canvas.unit * 0.56) // 2 * 2
    tall = int(canvas.unit * 0.34) // 2 * 2

    def paper(pen: brush.Pen) -> None:
        w, h = wide, tall
        pen.polygon([(w * 0.14, h * 0.2), (w * 0.9, h * 0.08), (w * 0.98, h * 0.78), (w * 0.04, h * 0.92)])

    def folds(pen: brush.Pen) -> None:
        w, h, thick = wide, tall, wide * 0.004
        pen.line([(w * 0.14, h * 0.2), (w * 0.53, h * 0.5), (w * 0.9, h * 0.08)], tone=120, width=thick)
        for line in range(3):
            y = 0.6 + 0.085 * line
            points = [
                (w * (0.26 + 0.03 * n), h * (y - 0.012 * n + 0.012 * np.sin(2.4 * n + line)))
                for n in range(13 - 3 * line)
            ]
            pen.line(points, tone=230, width=thick)

    sheet = brush.mask(tall, wide, paper)
    worn = brush.fbm(canvas.rng, tall, wide, canvas.unit * 0.05, 5)
    cream = brush.tint(
        brush.flat(brush.lit(canvas, rgb("b9a98a"), 0), tall, wide), brush.lit(canvas, rgb("f6ead0"), 0.12), worn
    )
    x = np.linspace(0.75, 1.12, wide, dtype=np.float32)[None, :, None]
    ink = brush.lit(canvas, rgb("4a3470"), 0.0)
    colour = brush.tint(cream * (x if canvas.scene.seed % 2 else x[:, ::-1]), ink, brush.mask(tall, wide, folds) * 0.75)
    left, top = int((canvas.width - wide) / 2) // 2 * 2, canvas.row(0.76) - tall
    shadow = np.roll(brush.blurred(sheet, canvas.unit * 0.012), int(canvas.unit * 0.012), 0) * 0.6
    dark = brush.flat(canvas.light.shade * np.float32(0.4), tall, wide)
    return [
        cels.Painting(dark, shadow.astype(np.float32), x=left, y=top // 2 * 2, depth=0.5),
        cels.Painting(np.clip(colour, 0, 1), sheet, x=left, y=top // 2 * 2, depth=0.5),
    ]


def _steam(canvas: brush.Canvas) -> cels.Painting:
    height, width = int(canvas.unit * 0.4) // 2 * 2, int(canvas.unit * 0.3) // 2 * 2
    wisps = brush.fbm(canvas.rng, height, width, canvas.unit * 0.09, 4, stretch=0.4)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None]
    column = np.exp(-((across / (0.25 + 0.4 * (1 - rows))) ** 2)) * np.clip(np.sin(np.pi * rows), 0, 1) ** 0.8
    alpha = np.clip((wisps - 0.42) * 2.4, 0, 1) * column * 0.5
    left, top = int((canvas.width - width) / 2) // 2 * 2, canvas.row(0.54) - height
    colour = brush.flat(palette.mix(canvas.light.disc, rgb("ffffff"), 0.4), height, width)
    return cels.Painting(colour, alpha.astype(np.float32), x=left, y=top // 2 * 2, depth=0.52, sway=canvas.unit * 0.006)


def _foreground(canvas: brush.Canvas) -> cels.Painting:
    """Out of focus, close to the lens."""
    height, width = canvas.height, canvas.width
    side = 0.0 if canvas.scene.seed % 2 else 1.0
    blob = brush.glow(height, width, width * side, height * 0.95, canvas.unit * 0.12) * 1.6
    alpha = np.clip(blob, 0, 0.8).astype(np.float32)
    x, _ = sky.disc_at(canvas)
    warm = palette.mix(canvas.light.shade, canvas.light.horizon, 0.25 if x > width / 2 else 0.12)
    return cels.Painting(brush.flat(warm, height, width), alpha, depth=0.95)
