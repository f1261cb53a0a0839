"""The sea: a glittering surface that really moves, and what stands or sails on it."""

import numpy as np
from numpy.typing import NDArray

from services.sandbox import brush, cels, palette, sky

rgb = palette.rgb


def sea(canvas: brush.Canvas) -> list[cels.Painting]:
    """Open water under the sky, a headland, a lighthouse or a sail when the words ask for one, rocks in front."""
    words = canvas.scene.words
    layers = [*sky.paint(canvas), _headland(canvas, 0.62, 0.1)]
    if words & {"lighthouse", "keeper", "beacon"}:
        layers.append(_lighthouse(canvas))
    layers += _water(canvas)
    if words & {"ferry", "ship", "steamer", "liner", "freighter", "trawler"}:
        layers.append(_ship(canvas))
    elif words & {"boat", "sail", "sailing", "yacht", "captain", "sailor", "fisherman", "harbour", "harbor"}:
        layers.append(_sail(canvas))
    layers += [_swell(canvas, 0.78, 0.42, 0.0009), _swell(canvas, 0.87, 0.62, -0.0013)]
    if canvas.scene.cast:
        layers.append(_ledge(canvas))
    layers.append(_rocks(canvas))
    return layers


def _headland(canvas: brush.Canvas, distance: float, depth: float) -> cels.Painting:
    rng, width = canvas.rng, canvas.width
    tall = canvas.height * 0.13
    height = int(tall + 4) // 2 * 2
    share = np.linspace(0, 1, width, dtype=np.float32)
    if canvas.scene.seed % 2:
        share = 1 - share
    fall = np.clip(1.12 - share * 2.1, 0, 1) ** 0.7
    top = height - (brush.profile(rng, width, canvas.unit * 0.22, 0.48) * 0.55 + 0.42) * fall * tall
    relief = brush.fbm(rng, height, width, canvas.unit * 0.06, 4)
    dark, bright = (brush.lit(canvas, rgb(code), distance) for code in ("36423e", "8b8a78"))
    colour = brush.tint(brush.flat(dark, height, width), bright, np.clip(relief * 1.6 - 0.5, 0, 1))
    top[share > 0.53] = height + 2
    return cels.Painting(
        colour, brush.under(top, height), y=canvas.horizon - height + 2 - canvas.horizon % 2, depth=depth
    )


def _tower(pen: brush.Pen) -> None:
    pen.polygon([(-0.075, 1.0), (-0.045, 0.25), (0.045, 0.25), (0.075, 1.0)])
    pen.rectangle((-0.065, 0.235, 0.065, 0.26))
    pen.rectangle((-0.034, 0.15, 0.034, 0.24))
    pen.polygon([(-0.045, 0.155), (0.0, 0.085), (0.045, 0.155)])


def _bands(pen: brush.Pen) -> None:
    for y in (0.36, 0.62, 0.88):
        pen.rectangle((-1.0, y, 1.0, y + 0.13))


def _rays(pen: brush.Pen) -> None:
    for end in (-1.0, 1.0):
        pen.polygon([(0.0, 0.19), (0.0, 0.2), (end, 0.325), (end, 0.095)], tone=120)


def _lighthouse(canvas: brush.Canvas) -> cels.Painting:
    size = int(canvas.unit * 0.36) // 2 * 2
    wide = size * 2

    body = brush.drawn(size, wide, _tower, size, x=size)
    paint = brush.flat(brush.lit(canvas, rgb("efe9dc"), 0.18), size, wide)
    paint = brush.tint(paint, brush.lit(canvas, rgb("a8362c"), 0.18), brush.drawn(size, wide, _bands, size, x=size))
    x = np.linspace(-1, 1, wide, dtype=np.float32)[None] * wide / (size * 0.15)
    facing = 1.0 if sky.disc_at(canvas)[0] > canvas.width / 2 else -1.0
    paint = brush.tint(paint, canvas.light.shade, np.clip(0.35 - x * facing * 0.5, 0, 0.7).repeat(size, 0))
    lamp = brush.glow(size, wide, wide / 2, size * 0.195, size * 0.035)
    rays = brush.drawn(size, wide, _rays, size, x=size, blur=size * 0.012)
    away = np.clip(1 - np.abs(np.linspace(-1, 1, wide, dtype=np.float32)), 0, 1)[None]
    glowing = np.clip(lamp * 1.3 + rays * away * (0.75 if canvas.light.strength < 0.5 else 0.3), 0, 1)
    colour = brush.tint(paint, rgb("fff0c0"), glowing * (1 - body * 0.4))
    left = int(canvas.width * (0.79 if canvas.scene.seed % 2 else 0.21) - wide / 2) // 2 * 2
    foot = canvas.horizon - int(canvas.height * 0.028)
    return cels.Painting(colour, np.maximum(body, glowing), x=left, y=(foot - size) // 2 * 2, depth=0.1)


def _waves(canvas: brush.Canvas, height: int, width: int, grain: float) -> brush.Field:
    """Noise that is laid on the surface in perspective: fine at the horizon, long and tall in front."""
    tile = brush.fbm(canvas.rng, 512, 1024, 26, 4, stretch=3.5)
    away = np.linspace(0.015, 1, height, dtype=np.float32)[:, None]
    columns = (np.arange(width, dtype=np.float32)[None] - width / 2) / (canvas.unit * grain * (0.1 + away)) * 120
    rows = np.broadcast_to(np.log(away * 14 + 0.3) * 150 / grain, (height, width))
    return tile[_folded(rows, 512), _folded(columns, 1024)]


def _folded(index: NDArray[np.float32], length: int) -> NDArray[np.intp]:
    """To and fro along a tile, so that it has no seam."""
    return np.abs(index.astype(np.intp) % (2 * length - 2) - (length - 1))


def _water(canvas: brush.Canvas) -> list[cels.Painting]:
    light, width = canvas.light, canvas.width
    top = canvas.horizon // 2 * 2
    height = (canvas.height - top) // 2 * 2
    deep = palette.mix(rgb("0d3a4c"), light.shade, 0.55 - 0.35 * light.strength)
    far = palette.mix(light.horizon, deep, 0.3)
    stops = [
        (0.0, far),
        (0.12, palette.mix(light.horizon, deep, 0.5)),
        (0.55, palette.mix(light.zenith, deep, 0.72)),
        (1.0, deep),
    ]
    base = brush.ramp(height, stops, width)
    waves = _waves(canvas, height, width, 1.0)
    base = brush.tint(base, light.horizon, np.clip((waves - 0.5) * 0.9, 0, 0.34))
    base = brush.tint(base, deep * np.float32(0.6), np.clip((0.5 - waves) * 1.1, 0, 0.4))
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x, _ = sky.disc_at(canvas)
    across = (np.arange(width, dtype=np.float32)[None] - x) / (canvas.unit * (0.07 + 0.34 * rows))
    path = np.exp(-(across**2)) * (0.95 if light.disc_height > -0.5 else 0.22) + 0.1
    sparkle = np.clip((_waves(canvas, height, width, 0.7) - 0.36) * 4.2, 0, 1) * path * (1 - 0.45 * rows)
    layers = [
        cels.Painting(np.clip(base, 0, 1), None, y=top, depth=0.16),
        cels.Painting(brush.flat(light.disc, height, width), sparkle.astype(np.float32), y=top, depth=0.16),
    ]
    wide = int(width * 1.5) // 2 * 2
    for speed in (0.0016, -0.0011):
        lids = np.clip((_waves(canvas, height, wide, 0.85) - 0.46) * 5, 0, 0.82) * np.clip(rows * 12, 0, 1)
        shade = brush.ramp(height, stops, wide)
        start = width - wide if speed > 0 else 0
        layers.append(
            cels.Painting(shade, lids.astype(np.float32), x=start, y=top, depth=0.16, drift=canvas.unit * speed)
        )
    return layers


def _swell(canvas: brush.Canvas, base: float, depth: float, speed: float) -> cels.Painting:
    rng, light = canvas.rng, canvas.light
    top_row = canvas.row(base) // 2 * 2
    height, width = canvas.height - top_row, int(canvas.width * 1.5) // 2 * 2
    crest = (1 - brush.profile(rng, width, canvas.unit * 0.34, 0.36, 4)) * canvas.height * 0.035 + 2
    rows = np.arange(height, dtype=np.float32)[:, None] - crest[None]
    body = palette.mix(palette.mix(rgb("0b3444"), light.shade, 0.6 - 0.35 * light.strength), light.zenith, 0.12)
    tile = _waves(canvas, height, width, 1.5)
    colour = brush.tint(brush.flat(body, height, width), light.horizon, np.clip((tile - 0.56) * 0.8, 0, 0.25))
    shine = np.exp(-np.clip(rows, 0, None) / (canvas.unit * 0.008)) * 0.5 * np.clip(tile * 1.6 - 0.2, 0, 1)
    colour = brush.tint(colour, palette.mix(light.horizon, light.disc, 0.5), shine.astype(np.float32))
    alpha = brush.under(crest, height) * np.clip(1 - rows / (height * 0.9), 0.0, 1) ** 0.5
    start = canvas.width - width if speed > 0 else 0
    return cels.Painting(colour, alpha.astype(np.float32), x=start, y=top_row, depth=depth, drift=canvas.unit * speed)


def _hull(pen: brush.Pen) -> None:
    pen.polygon([(0.04, 0.34), (0.98, 0.31), (0.9, 0.45), (0.09, 0.45)])


def _decks(pen: brush.Pen) -> None:
    pen.rectangle((0.1, 0.27, 0.86, 0.345))
    pen.rectangle((0.2, 0.2, 0.8, 0.28))
    pen.rectangle((0.62, 0.13, 0.77, 0.21))
    pen.rectangle((0.34, 0.1, 0.42, 0.21))
    pen.line([(0.7, 0.13), (0.7, 0.03)], 0.006)


def _portholes(pen: brush.Pen) -> None:
    for y, start, end in ((0.3, 0.13, 0.84), (0.235, 0.23, 0.78), (0.155, 0.64, 0.76)):
        for x in np.arange(start, end, 0.035):
            pen.rectangle((x, y, x + 0.018, y + 0.018))


def _ship(canvas: brush.Canvas) -> cels.Painting:
    """A ferry with its lights on."""
    size = int(canvas.unit * 0.34) // 2 * 2
    height = size // 4 * 2
    body, house, lit = (brush.drawn(height, size, outline, size) for outline in (_hull, _decks, _portholes))
    colour = brush.flat(brush.lit(canvas, rgb("1d2430"), 0.2), height, size)
    colour = brush.tint(colour, brush.lit(canvas, rgb("dfe3e4"), 0.22), house * (1 - body))
    shine = np.clip(lit + brush.blurred(lit, size * 0.012) * 1.2, 0, 1) * (1.0 if canvas.light.strength < 0.7 else 0.35)
    colour = brush.tint(colour, rgb("ffdf9c"), shine)
    alpha = np.clip(np.maximum(np.maximum(house, body), shine * 0.8), 0, 1)
    left = int(canvas.width * (0.22 if canvas.scene.seed % 2 else 0.48)) // 2 * 2
    top = canvas.horizon + int(canvas.height * 0.035) - int(size * 0.45)
    return cels.Painting(colour, alpha, x=left, y=top // 2 * 2, depth=0.22, drift=canvas.unit * 0.0005)


def _boat(pen: brush.Pen) -> None:
    pen.polygon([(0.16, 0.8), (0.9, 0.78), (0.76, 0.93), (0.26, 0.93)])
    pen.line([(0.5, 0.8), (0.5, 0.04)], 0.016)


def _cloth(pen: brush.Pen) -> None:
    pen.polygon([(0.515, 0.07), (0.54, 0.74), (0.84, 0.72), (0.66, 0.38)])
    pen.polygon([(0.485, 0.12), (0.46, 0.74), (0.2, 0.75)], tone=235)


def _sail(canvas: brush.Canvas) -> cels.Painting:
    size = int(canvas.unit * 0.2) // 2 * 2
    hull, cloth = (brush.drawn(size, size, outline, size) for outline in (_boat, _cloth))
    colour = brush.tint(
        brush.flat(brush.lit(canvas, rgb("231a16"), 0.12), size, size),
        brush.lit(canvas, rgb("f3e6cc"), 0.1),
        cloth,
    )
    left = int(canvas.width * (0.36 if canvas.scene.seed % 2 else 0.58)) // 2 * 2
    top = canvas.horizon + int(canvas.height * 0.06) - int(size * 0.9)
    return cels.Painting(
        colour, np.maximum(hull, cloth), x=left, y=top // 2 * 2, depth=0.26, drift=canvas.unit * 0.0004
    )


def _ledge(canvas: brush.Canvas) -> cels.Painting:
    """The rock people stand on: a shelf that runs out into the water."""
    share = np.linspace(0, 1, canvas.width, dtype=np.float32)
    out = share if canvas.scene.seed % 2 else 1 - share
    edge = np.clip((out - 0.78) * 5, 0, 1) ** 1.5
    rough = brush.profile(canvas.rng, canvas.width, canvas.unit * 0.12, 0.46)
    return _rock(canvas, 0.77, 0.16 + 0.12 * rough + 0.85 * edge, 0.1, 0.69)


def _rocks(canvas: brush.Canvas) -> cels.Painting:
    """Boulders that frame the picture."""
    share = np.abs(np.linspace(-1, 1, canvas.width, dtype=np.float32) + (0.25 if canvas.scene.seed % 2 else -0.25))
    line = brush.profile(canvas.rng, canvas.width, canvas.unit * 0.16, 0.5) * 0.5 + 0.5
    return _rock(canvas, 0.62, 1.12 - np.clip(share - 0.28, 0, 1) ** 0.8 * line * 1.05, 0.0, 0.9)


def _rock(canvas: brush.Canvas, row: float, line: brush.Field, distance: float, depth: float) -> cels.Painting:
    top_row = canvas.row(row) // 2 * 2
    height, width = canvas.height - top_row, canvas.width
    top = (height * line).astype(np.float32)
    relief = brush.fbm(canvas.rng, height, width, canvas.unit * 0.05, 5)
    rows = np.arange(height, dtype=np.float32)[:, None] - top[None]
    dark, bright = (brush.lit(canvas, rgb(code), distance) for code in ("15171a", "77726c"))
    edge = np.clip((relief - 0.4) * 2, 0, 1) * np.exp(-np.clip(rows, 0, None) / (canvas.unit * 0.05))
    colour = brush.tint(brush.flat(dark, height, width), bright, edge.astype(np.float32))
    crest = np.exp(-np.abs(rows) / (canvas.unit * 0.003)) * 0.4 * relief
    colour = brush.tint(colour, canvas.light.horizon, crest.astype(np.float32))
    return cels.Painting(colour, brush.under(top, height), y=top_row, depth=depth)
