"""The sky of every outdoor scene: gradient, sun or moon, stars, clouds, and the mist between the layers."""

import numpy as np

from services.sandbox import brush, cels, palette


def paint(canvas: brush.Canvas) -> list[cels.Painting]:
    """The sky and its clouds, farthest first."""
    return [_dome(canvas), *_clouds(canvas)]


def disc_at(canvas: brush.Canvas) -> tuple[float, float]:
    """Where the sun or moon stands."""
    side = (0.3, 0.7, 0.5, 0.62)[canvas.scene.seed // 7 % 4]
    return canvas.width * side, canvas.horizon * (1 - canvas.light.disc_height)


def _dome(canvas: brush.Canvas) -> cels.Painting:
    light, width, height = canvas.light, canvas.width, canvas.height
    middle = palette.mix(light.zenith, light.horizon, 0.38)
    edge = canvas.horizon / height
    stops = [(0.0, light.zenith), (edge * 0.55, middle), (edge, light.horizon), (1.0, light.horizon)]
    sky = brush.ramp(height, stops, width)
    if light.night:
        sky += _stars(canvas)[..., None] * palette.rgb("eaf0ff")
    if light.disc_height > -0.5:
        x, y = disc_at(canvas)
        sky = brush.tint(sky, light.disc, 0.55 * brush.glow(height, width, x, y, canvas.unit * 0.16))
        sky = brush.tint(sky, light.disc, 0.35 * brush.glow(height, width, x, y, canvas.unit * 0.5, squash=2.2))
        sky = _disc(canvas, sky, x, y)
    return cels.Painting(np.clip(sky, 0, 1), None, depth=0.03)


def _disc(canvas: brush.Canvas, sky: palette.RGB, x: float, y: float) -> palette.RGB:
    radius = canvas.unit * (0.036 if canvas.light.night else 0.045)
    rows = np.arange(canvas.height, dtype=np.float32)[:, None] - np.float32(y)
    columns = np.arange(canvas.width, dtype=np.float32)[None] - np.float32(x)
    inside = np.clip(radius - np.sqrt(rows**2 + columns**2) + 0.5, 0, 1).astype(np.float32)
    colour: palette.RGB = canvas.light.disc
    sky = brush.tint(sky, palette.mix(colour, palette.rgb("ffffff"), 0.5), inside)
    if canvas.light.night:
        seas = brush.fbm(canvas.rng, canvas.height, canvas.width, radius * 0.9, 3)
        sky = brush.tint(sky, palette.rgb("a9b6cc"), inside * np.clip((seas - 0.5) * 2.2, 0, 0.6))
    return sky


def _stars(canvas: brush.Canvas) -> brush.Field:
    rng, sky = canvas.rng, np.zeros((canvas.height, canvas.width), np.float32)
    count = int(canvas.width * canvas.horizon / 1500)
    rows = (rng.random(count) ** 1.3 * canvas.horizon * 0.92).astype(int)
    columns = rng.integers(0, canvas.width - 2, count)
    sky[rows, columns] = rng.random(count).astype(np.float32) ** 3
    return np.clip(sky + brush.blurred(sky, 1.0) * 2.5, 0, 1)


def _clouds(canvas: brush.Canvas) -> list[cels.Painting]:
    light, rng = canvas.light, canvas.rng
    height = int(canvas.horizon * 0.98) // 2 * 2
    width = int(canvas.width * 1.5)
    cover = {"clear": 0.54, "rain": 0.3, "snow": 0.34, "fog": 0.5}[canvas.scene.weather]
    density = brush.fbm(rng, height, width, canvas.unit * 0.34, 6, stretch=2.6)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    shape = np.clip((density - cover) * 2.6, 0, 1) * np.clip(4.5 * (1.02 - rows), 0, 1) * (0.4 + 0.6 * np.sqrt(rows))
    lift = max(2, int(canvas.unit * 0.022))
    lining = np.clip(0.55 + 4.2 * (density - np.roll(density, -lift, 0)), 0, 1)
    dark = palette.mix(light.zenith, light.haze, 0.55)
    bright = palette.mix(light.disc, light.horizon, 0.4 if not light.night else 0.85)
    colour = brush.tint(brush.flat(dark, height, width), bright, lining.astype(np.float32))
    alpha = (shape * (0.86 if not light.night else 0.5)).astype(np.float32)
    start = canvas.width - width
    return [cels.Painting(colour, alpha, x=start, depth=0.06, drift=canvas.unit * 0.00035)]


def mist(canvas: brush.Canvas, middle: float, spread: float, strength: float, depth: float) -> cels.Painting:
    """A band of drifting mist around a share of the stage's height."""
    top, bottom = canvas.row(max(0.0, middle - spread)) // 2 * 2, canvas.row(min(1.0, middle + spread))
    height, width = max(4, bottom - top), int(canvas.width * 1.5)
    band = np.clip(np.sin(np.linspace(0, np.pi, height, dtype=np.float32)), 0, 1)[:, None] ** 1.5
    wisps = brush.fbm(canvas.rng, height, width, canvas.unit * 0.3, 4, stretch=3.5)
    alpha = (band * (0.25 + 0.75 * wisps) * strength).astype(np.float32)
    colour = brush.flat(palette.mix(canvas.light.haze, canvas.light.horizon, 0.4), height, width)
    start = canvas.width - width
    return cels.Painting(colour, alpha, x=start, y=top, depth=depth, drift=canvas.unit * (0.0004 + 0.0008 * depth))
