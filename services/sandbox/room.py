"""The room: a wall with a tall window, and what stands in its light."""

import numpy as np

from services.sandbox import brush, cels, palette, sky

rgb = palette.rgb


def interior(canvas: brush.Canvas) -> list[cels.Painting]:
    """A wall with a tall window, its light across the floor, furniture in the dusk of the room."""
    wall = _wall(canvas)
    return [*sky.paint(canvas), _range_outside(canvas), wall, _beam(canvas), _furniture(canvas), _table(canvas)]


def _opening(canvas: brush.Canvas) -> tuple[float, float, float, float]:
    """The window: left, top, right, bottom on the stage."""
    middle = canvas.width * (0.64 if canvas.scene.seed % 2 else 0.36)
    half, top = canvas.unit * 0.23, canvas.height * 0.16
    return middle - half, top, middle + half, top + canvas.unit * 0.5


def _range_outside(canvas: brush.Canvas) -> cels.Painting:
    height = int(canvas.unit * 0.2) // 2 * 2
    top = (1 - brush.profile(canvas.rng, canvas.width, canvas.unit * 0.2, 0.45)) * height * 0.8
    colour = brush.flat(brush.lit(canvas, rgb("3f5548"), 0.42), height, canvas.width)
    row = int(_opening(canvas)[3] - height * 0.9) // 2 * 2
    return cels.Painting(colour, brush.under(top, height), y=row, depth=0.08)


def _wall(canvas: brush.Canvas) -> cels.Painting:
    rng, light, height, width = canvas.rng, canvas.light, canvas.height, canvas.width
    left, top, right, bottom = _opening(canvas)
    tone = rgb(("6f5f52", "56646a", "7a6a4a", "5d5266")[canvas.scene.seed // 5 % 4])
    far = palette.mix(light.shade, tone, 0.3 + 0.25 * light.strength)
    colour = (
        brush.flat(far, height, width) * (0.9 + 0.2 * brush.fbm(rng, height, width, canvas.unit * 0.25, 4))[..., None]
    )
    spill = brush.glow(height, width, (left + right) / 2, (top + bottom) / 2, canvas.unit * 0.42)
    colour = brush.tint(colour, palette.mix(light.horizon, tone, 0.35), spill * (0.6 if not light.night else 0.3))
    floor = canvas.row(0.78)
    boards = 0.75 + 0.25 * (np.sin(np.arange(width) / canvas.unit * 40)[None] > -0.96)
    wood = brush.ramp(
        height - floor, [(0, palette.mix(far, rgb("5a3d28"), 0.6)), (1, palette.mix(far, rgb("1e130c"), 0.7))], width
    )
    colour[floor:] = wood * boards[..., None]
    colour[floor - max(2, int(canvas.unit * 0.012)) : floor] *= np.float32(0.55)
    reach = np.linspace(0, 1, height - floor, dtype=np.float32)[:, None]
    pool = np.exp(
        -(
            (
                (np.arange(width)[None] - (left + right) / 2 + reach * canvas.unit * 0.12)
                / (canvas.unit * (0.16 + 0.1 * reach))
            )
            ** 4
        )
    )
    colour[floor:] = brush.tint(
        colour[floor:], light.disc, (pool * (0.6 - 0.3 * reach) * (0.7 if not light.night else 0.25)).astype(np.float32)
    )

    def glass(pen: brush.Pen) -> None:
        pen.rectangle((left, top, right, bottom))
        bar = canvas.unit * 0.005
        for share in (1 / 3, 2 / 3):
            x = left + (right - left) * share
            pen.rectangle((x - bar, top, x + bar, bottom), tone=0)
        pen.rectangle((left, (top * 0.6 + bottom * 0.4) - bar, right, (top * 0.6 + bottom * 0.4) + bar), tone=0)

    def curtains(pen: brush.Pen) -> None:
        wide = canvas.unit * 0.1
        for edge, sign in ((left, -1), (right, 1)):
            outer, inner = edge + sign * wide * 0.7, edge - sign * wide * 0.45
            pen.polygon(
                [
                    (outer, top * 0.8),
                    (inner, top * 0.8),
                    (inner + sign * wide * 0.3, bottom * 1.08),
                    (outer, bottom * 1.08),
                ],
            )

    drape = brush.mask(height, width, curtains)
    folds = 0.5 + 0.5 * np.sin(np.arange(width, dtype=np.float32) / canvas.unit * 260)[None].repeat(height, 0)
    cloth = brush.tint(
        brush.flat(palette.mix(far, rgb("3a2a2a"), 0.5), height, width),
        palette.mix(light.horizon, tone, 0.3),
        folds * 0.65,
    )
    colour = colour + (cloth - colour) * drape[..., None]
    opening = brush.mask(height, width, glass) * (1 - drape)
    return cels.Painting(np.clip(colour, 0, 1), np.clip(1 - opening * 0.94, 0, 1), depth=0.22)


def _beam(canvas: brush.Canvas) -> cels.Painting:
    left, top, right, _ = _opening(canvas)
    height, width = canvas.height, canvas.width
    slide = -canvas.unit * 0.3 if canvas.scene.seed % 2 else canvas.unit * 0.3

    def draw(pen: brush.Pen) -> None:
        for share in (0, 1 / 3, 2 / 3):
            a, b = left + (right - left) * share, left + (right - left) * (share + 0.31)
            foot = [(b + slide, height * 0.98), (a + slide, height * 0.98)]
            pen.polygon([(a, top), (b, top), *foot], tone=150)

    fade = np.clip(np.linspace(1.15, 0.1, height, dtype=np.float32), 0, 1)[:, None]
    strength = 0.2 if canvas.light.night else 0.42
    beam = brush.mask(height, width, draw, blur=canvas.unit * 0.012) * fade * strength
    return cels.Painting(
        brush.flat(palette.mix(canvas.light.disc, canvas.light.horizon, 0.3), height, width), beam, depth=0.3
    )


def _shelf(pen: brush.Pen) -> None:
    pen.rectangle((-0.14, -0.52, 0.14, 0.03))
    pen.ellipse((-0.03, -0.63, 0.03, -0.52))


def _books(pen: brush.Pen, rng: np.random.Generator) -> None:
    for foot in (-0.02, -0.145, -0.27, -0.395):
        x = -0.125
        while x < 0.115:
            wide = rng.uniform(0.008, 0.02)
            pen.rectangle((x, foot - rng.uniform(0.06, 0.1), x + wide, foot), tone=int(rng.uniform(60, 255)))
            x += wide * 1.08


def _furniture(canvas: brush.Canvas) -> cels.Painting:
    height, width = canvas.height, canvas.width
    corner = (width * (0.14 if canvas.scene.seed % 2 else 0.86), height * 0.8, canvas.unit)
    shelf = brush.mask(height, width, lambda pen: _shelf(pen.sized(*corner)))
    books = brush.mask(height, width, lambda pen: _books(pen.sized(*corner), canvas.rng))
    dark = brush.lit(canvas, rgb("2a1c14"), 0.04)
    colour = brush.tint(brush.flat(dark, height, width), brush.lit(canvas, rgb("a06a44"), 0.1), books * 0.6)
    return cels.Painting(colour, shelf, depth=0.34)


def _table_top(pen: brush.Pen, reach: float) -> None:
    """A table from far outside the picture to `reach`, and a lamp on it at x = 0."""
    pen.rectangle((min(reach, -reach * 9), 0, max(reach, -reach * 9), 9))
    pen.polygon([(-0.055, -0.2), (0.055, -0.2), (0.095, -0.1), (-0.095, -0.1)])
    pen.rectangle((-0.006, -0.1, 0.006, 0))
    pen.ellipse((-0.04, -0.012, 0.04, 0.012))


def _table(canvas: brush.Canvas) -> cels.Painting:
    height, width, unit = canvas.height, canvas.width, canvas.unit
    left = bool(canvas.scene.seed % 2)
    x, top = width * (0.3 if left else 0.7), height * 0.86
    shape = brush.mask(height, width, lambda pen: _table_top(pen.sized(x, top, unit), 0.42 if left else -0.42))
    lamp = brush.glow(height, width, x, top - 0.13 * unit, unit * 0.075)
    strength = 0.95 if canvas.light.strength < 0.5 else 0.45
    wood = brush.flat(brush.lit(canvas, rgb("1d130d"), 0.0), height, width)
    rim = np.exp(-np.abs(np.arange(height, dtype=np.float32)[:, None] - top) / (unit * 0.006)) * 0.5
    wood = brush.tint(wood, palette.mix(canvas.light.horizon, rgb("8a5a34"), 0.5), rim.repeat(width, 1))
    colour = brush.tint(wood, rgb("ffd08a"), np.clip(lamp * strength * 1.5, 0, 1))
    return cels.Painting(colour, np.maximum(shape, lamp * strength), depth=0.8)
