"""Places without walls: mountains, sea, desert, fields, forest, space."""

import numpy as np

from services.sandbox import brush, cels, palette, sky

rgb = palette.rgb


def mountain(canvas: brush.Canvas) -> list[cels.Painting]:
    """Ranges that pale into the air, the last under snow; firs in front."""
    layers = sky.paint(canvas)
    snowy = canvas.scene.weather == "snow"
    for number, (base, tall, distance) in enumerate(
        ((0.60, 0.36, 0.74), (0.68, 0.24, 0.56), (0.77, 0.18, 0.34), (0.88, 0.14, 0.14))
    ):
        rock = palette.mix(rgb("5b6670"), rgb("3d5240"), number / 3) if not snowy else rgb("aebccb")
        cap = 0.75 if number == 0 or snowy else 0.0
        layers.append(_range(canvas, base, tall, distance, rock, cap, 0.08 + 0.16 * number))
        if number < 3:
            layers.append(sky.mist(canvas, base + 0.03, 0.09, 0.5, 0.12 + 0.16 * number))
    layers.append(_firs(canvas, 0.97, 0.15, 0.03, 0.85))
    return layers


def _range(
    canvas: brush.Canvas, base: float, tall: float, distance: float, rock: palette.RGB, cap: float, depth: float
) -> cels.Painting:
    rng, width = canvas.rng, canvas.width
    line = brush.profile(rng, width, canvas.unit * 0.55, 0.5) ** 1.25
    top_row = canvas.row(base - tall) // 2 * 2
    height = canvas.height - top_row
    top = (1 - line) * canvas.height * tall + 2
    relief = brush.fbm(rng, height, width, canvas.unit * 0.13, 5)
    slope = np.roll(relief, 3, 1) - np.roll(relief, -3, 1)
    sun, _ = sky.disc_at(canvas)
    facing = np.sign(sun - width / 2) or 1.0
    shade = np.clip(0.5 - facing * slope * 5, 0, 1).astype(np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None] - top[None]
    colour = brush.tint(
        brush.flat(brush.lit(canvas, rock * np.float32(0.55), distance), height, width),
        brush.lit(canvas, palette.mix(rock, canvas.light.disc, 0.42), distance),
        shade,
    )
    if cap:
        reach = canvas.height * tall * (0.34 + 0.5 * (relief - 0.5)) * line[None]
        snow = np.clip((reach - rows) / 6, 0, 1) * (0.45 + 0.55 * shade) * cap
        colour = brush.tint(colour, palette.mix(rgb("f4f8ff"), canvas.light.haze, distance * 0.55), snow)
    fade = np.clip(rows / (canvas.height * (tall * 0.9 + 0.05)), 0, 1) * (0.3 + 0.5 * distance)
    colour = brush.tint(colour, canvas.light.haze, fade.astype(np.float32))
    return cels.Painting(colour, brush.under(top, height), y=top_row, depth=depth)


def _firs(canvas: brush.Canvas, base: float, tall: float, distance: float, depth: float) -> cels.Painting:
    rng, width = canvas.rng, canvas.width
    top_row = canvas.row(base - tall * 1.5) // 2 * 2
    height = canvas.height - top_row
    ground = (brush.profile(rng, width, canvas.unit * 0.5, 0.3) * 0.5 * tall + tall * 0.85) * canvas.height

    def draw(pen: brush.Pen) -> None:
        x = -0.02 * width
        while x < width * 1.02:
            size = canvas.height * tall * rng.uniform(0.35, 1.0) ** 1.2
            foot = ground[int(np.clip(x, 0, width - 1))] + 6
            _fir(pen, rng, x, foot, size)
            x += size * rng.uniform(0.12, 0.42)

    trees = brush.mask(height, width, draw)
    colour = brush.flat(brush.lit(canvas, rgb("1c3326"), distance), height, width)
    return cels.Painting(colour, np.maximum(trees, brush.under(ground, height)), y=top_row, depth=depth)


def _fir(pen: brush.Pen, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    pen.rectangle((x - size * 0.015, foot - size * 0.3, x + size * 0.015, foot + size * 0.1))
    tiers = 7
    for tier in range(tiers):
        low = foot - size * (0.1 + 0.86 * tier / tiers)
        half = size * 0.2 * (1 - tier / tiers) ** 0.85 * rng.uniform(0.85, 1.15) + size * 0.012
        drop = size * 0.035
        pen.polygon([(x - half, low + drop), (x, low - size * 0.24), (x + half, low + drop), (x, low - drop)])


def desert(canvas: brush.Canvas) -> list[cels.Painting]:
    """Dunes with a lit and a shaded side."""
    layers = sky.paint(canvas)
    sand = rgb("d89a5a")
    layers.append(_range(canvas, 0.6, 0.07, 0.72, rgb("a8714e"), 0.0, 0.07))
    for number, (base, tall, distance) in enumerate(((0.64, 0.08, 0.5), (0.74, 0.13, 0.3), (0.9, 0.2, 0.08))):
        layers.append(_dune(canvas, base, tall, distance, sand, 0.16 + 0.26 * number))
    return layers


def _dune(
    canvas: brush.Canvas, base: float, tall: float, distance: float, sand: palette.RGB, depth: float
) -> cels.Painting:
    rng, width, unit = canvas.rng, canvas.width, canvas.unit
    top_row = canvas.row(base - tall) // 2 * 2
    height = canvas.height - top_row
    line = brush.profile(rng, width, unit * 0.85, 0.28, 3)
    top = (1 - line) * canvas.height * tall + 2
    slip = top + (brush.profile(rng, width, unit * 0.6, 0.3, 3) - 0.25) * canvas.height * tall * 1.5
    rows = np.arange(height, dtype=np.float32)[:, None]
    lit = np.clip((rows - slip[None]) / (unit * 0.01), 0, 1)
    ripple = np.sin(rows / unit * 330 * (1.4 - depth) + 14 * brush.fbm(rng, height, width, unit * 0.3, 3, 2.0))
    dark = brush.lit(canvas, palette.mix(sand, canvas.light.shade, 0.55), distance)
    bright = brush.lit(canvas, palette.mix(sand, canvas.light.disc, 0.45), distance)
    share = (
        lit * (0.85 + 0.13 * ripple * (1 - distance)) * np.clip(1.1 - 0.5 * (rows - top[None]) / (height * 0.7), 0.3, 1)
    )
    colour = brush.tint(brush.flat(dark, height, width), bright, share.astype(np.float32))
    crest = np.exp(-np.abs(rows - top[None]) / (unit * 0.006)) * 0.35
    colour = brush.tint(colour, canvas.light.disc, crest.astype(np.float32))
    return cels.Painting(colour, brush.under(top, height), y=top_row, depth=depth)


def field(canvas: brush.Canvas) -> list[cels.Painting]:
    """Rolling hills, a tree, perhaps a house with a light on; tall grass in front."""
    layers = sky.paint(canvas)
    meadow = rgb("dfe6ec") if canvas.scene.weather == "snow" else rgb("7a9a48")
    if canvas.scene.hour in ("golden", "dawn") and canvas.scene.weather != "snow":
        meadow = rgb("94a046")
    layers.append(_range(canvas, 0.6, 0.1, 0.66, rgb("64788a"), 0.0, 0.08))
    for number, (base, tall, distance) in enumerate(((0.66, 0.1, 0.46), (0.75, 0.12, 0.25), (0.86, 0.1, 0.1))):
        layers.append(_hill(canvas, base, tall, distance, meadow, 0.16 + 0.2 * number))
        if number == 1:
            layers.append(_landmark(canvas, 0.7))
    layers.append(_grass(canvas, 0.9))
    return layers


def _hill(
    canvas: brush.Canvas, base: float, tall: float, distance: float, meadow: palette.RGB, depth: float
) -> cels.Painting:
    rng, width, unit = canvas.rng, canvas.width, canvas.unit
    top_row = canvas.row(base - tall) // 2 * 2
    height = canvas.height - top_row
    top = (1 - brush.profile(rng, width, unit * 0.9, 0.3, 4)) * canvas.height * tall + 2
    patches = brush.fbm(rng, height, width, unit * 0.12, 5, stretch=5)
    rows = (np.arange(height, dtype=np.float32)[:, None] - top[None]) / (canvas.height * 0.2)
    share = np.clip(0.75 - rows * 0.9, 0, 1) * 0.55 + patches * 0.45
    dark = brush.lit(canvas, palette.mix(meadow, canvas.light.shade, 0.5), distance)
    bright = brush.lit(canvas, palette.mix(meadow, canvas.light.disc, 0.35), distance)
    colour = brush.tint(brush.flat(dark, height, width), bright, share.astype(np.float32))
    return cels.Painting(colour, brush.under(top, height), y=top_row, depth=depth)


def _landmark(canvas: brush.Canvas, base: float) -> cels.Painting:
    rng, unit = canvas.rng, canvas.unit
    size = int(unit * 0.34) // 2 * 2
    house = bool(canvas.scene.words & {"house", "farm", "farmhouse", "cottage", "barn", "home", "village"})
    side = size * 2

    def draw(pen: brush.Pen) -> None:
        if house:
            pen.rectangle((0.9, 0.62, 1.4, 1.0))
            pen.polygon([(0.84, 0.64), (1.02, 0.4), (1.28, 0.4), (1.46, 0.64)])
            pen.rectangle((1.24, 0.32, 1.31, 0.5))
        pen.polygon([(0.42, 1.0), (0.46, 0.5), (0.5, 0.5), (0.55, 1.0)])
        for turn, reach in zip(rng.uniform(0, 6.28, 220), rng.uniform(0, 1, 220) ** 0.6, strict=True):
            x, y = (0.485 + 0.27 * reach * np.cos(turn)), (0.33 + 0.2 * reach * np.sin(turn))
            r = rng.uniform(0.012, 0.05) * (1.25 - 0.6 * reach)
            pen.ellipse((x - r, y - r * 0.8, x + r, y + r * 0.8))

    shape = brush.rounded(brush.drawn(size, side, draw, size), max(1.0, size * 0.004))
    dark, bright = brush.lit(canvas, rgb("222c1a"), 0.12), brush.lit(canvas, rgb("8a8a4e"), 0.25)
    facing = 1 if sky.disc_at(canvas)[0] > canvas.width / 2 else -1
    edge = np.clip(shape - np.roll(shape, -facing * max(1, size // 40), 1), 0, 1)
    leaves = np.clip((brush.fbm(rng, size, side, size * 0.06, 3) - 0.45) * 2, 0, 1)
    share = np.clip(0.35 * leaves + brush.blurred(edge, size * 0.008), 0, 1)
    colour = brush.tint(brush.flat(dark, size, side), bright, share)
    if house:
        lamp = brush.drawn(size, side, _windows, size)
        colour = brush.tint(colour, rgb("ffd98a"), lamp)
    left = int(canvas.width * (0.12 if canvas.scene.seed % 2 else 0.56)) // 2 * 2
    return cels.Painting(colour, shape, x=left, y=canvas.row(base) - int(size * 0.86) // 2 * 2, depth=0.36)


def _windows(pen: brush.Pen) -> None:
    for x in (0.97, 1.2):
        pen.rectangle((x, 0.72, (x + 0.09), 0.82))


def _grass(canvas: brush.Canvas, depth: float) -> cels.Painting:
    rng, width = canvas.rng, canvas.width
    top_row = canvas.row(0.8) // 2 * 2
    height = canvas.height - top_row
    ground = (0.72 + 0.12 * brush.profile(rng, width, canvas.unit * 0.4, 0.3)) * height

    def draw(pen: brush.Pen) -> None:
        for x in rng.uniform(0, width, width // 2):
            foot, tall = ground[int(x)] + 8, height * rng.uniform(0.12, 0.62) ** 1.3
            tip, thick = x + rng.normal(0, 0.22) * tall, max(1.0, canvas.unit * 0.0016)
            blade = [
                (x - thick, foot),
                (x + thick, foot),
                ((x + tip) / 2 + thick, foot - tall * 0.6),
                (tip, foot - tall),
            ]
            pen.polygon([(a, b) for a, b in blade])

    blades = np.maximum(brush.mask(height, width, draw), brush.under(ground, height))
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    tips = palette.mix(brush.lit(canvas, rgb("8a8f45"), 0.0), canvas.light.disc, 0.12)
    colour = brush.tint(
        brush.flat(tips, height, width), brush.lit(canvas, rgb("1a2412"), 0.0), np.clip(rows * 1.3, 0, 1)
    )
    return cels.Painting(colour, blades, y=top_row, depth=depth, sway=canvas.unit * 0.002)


def forest(canvas: brush.Canvas) -> list[cels.Painting]:
    """Trunks fading into bright air, shafts of light, ferns at the feet."""
    light = canvas.light
    air = palette.mix(light.haze, light.horizon, 0.5)
    leaf = palette.mix(rgb("3f5a30"), light.shade, 0.35)
    stops = [(0.0, palette.mix(air, leaf, 0.6)), (0.4, air), (0.62, palette.mix(air, light.disc, 0.35)), (1.0, leaf)]
    back = brush.ramp(canvas.height, stops, canvas.width)
    x, _ = sky.disc_at(canvas)
    back = brush.tint(
        back, light.disc, 0.7 * brush.glow(canvas.height, canvas.width, x, canvas.height * 0.34, canvas.unit * 0.3)
    )
    layers = [cels.Painting(np.clip(back, 0, 1), None, depth=0.03)]
    for number, (base, girth, distance) in enumerate(((0.7, 0.012, 0.72), (0.76, 0.021, 0.5), (0.84, 0.036, 0.27))):
        layers.append(_trunks(canvas, base, girth, distance, 9 - 2 * number, 0.1 + 0.17 * number))
        layers.append(sky.mist(canvas, base - 0.02, 0.16, 0.5, 0.14 + 0.17 * number))
    layers.append(_shafts(canvas, x))
    layers.append(_trunks(canvas, 0.95, 0.075, 0.03, 3, 0.85))
    return layers


def _trunks(
    canvas: brush.Canvas, base: float, girth: float, distance: float, count: int, depth: float
) -> cels.Painting:
    rng, width, height = canvas.rng, canvas.width, canvas.height
    count = max(2, round(count * width / canvas.unit))
    thick = canvas.unit * girth
    ground = height * base - brush.profile(rng, width, canvas.unit * 0.3, 0.42) * height * 0.05
    near = depth > 0.8
    spots = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count * width
    if near:
        spots = np.array([0.02, 0.1, 0.97]) * width + rng.normal(0, 0.02, 3) * width

    def draw(pen: brush.Pen) -> None:
        for x in spots:
            w, lean = thick * rng.uniform(0.6, 1.25), rng.normal(0, 0.02) * height
            foot = ground[int(np.clip(x, 0, width - 1))] + w
            pen.polygon(
                [
                    ((x - w), foot),
                    ((x + w), foot),
                    ((x + lean + w * 0.55), 0),
                    ((x + lean - w * 0.55), 0),
                ],
            )
            for _ in range(5):
                start = foot * rng.uniform(0.08, 0.72)
                reach = rng.choice([-1, 1]) * height * rng.uniform(0.06, 0.17)
                at = x + lean * (1 - start / foot)
                thin, rise = w * 0.16, height * 0.035
                branch = [
                    (at, start - thin),
                    (at + reach * 0.5, start - rise - thin / 2),
                    (at + reach, start - rise * 2.6),
                ]
                branch += [(at + reach * 0.5, start - rise + thin / 2), (at, start + thin)]
                pen.polygon([(a, b) for a, b in branch])
        for a in rng.uniform(0, width, int(width / canvas.unit * 170)):
            tall, tip = height * rng.uniform(0.01, 0.05) * (1.25 - distance), rng.normal(0, 0.012) * height
            foot = ground[int(a)] + 4
            pen.polygon([((a - 2), foot), ((a + 2), foot), ((a + tip), (foot - tall))])

    shape = np.maximum(brush.mask(height, width, draw), brush.under(ground, height))
    shape = np.maximum(shape, _leaves(canvas, 0.34 - 0.12 * depth, distance))
    bark = brush.lit(canvas, rgb("3b3226") if not near else rgb("17150f"), distance)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    floor = brush.lit(canvas, rgb("c9d3da") if canvas.scene.weather == "snow" and not near else rgb("3c4a26"), distance)
    colour = brush.tint(brush.flat(bark, height, width), floor, np.clip((rows - base + 0.06) * 9, 0, 1))
    return cels.Painting(colour, shape, depth=depth)


def _leaves(canvas: brush.Canvas, reach: float, distance: float) -> brush.Field:
    """A canopy that thins out downwards, made of clumps and single leaves."""
    height, width, unit = canvas.height, canvas.width, canvas.unit
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    clumps = brush.fbm(canvas.rng, height, width, unit * 0.16, 3)
    leaves = brush.fbm(canvas.rng, height, width, unit * (0.024 - 0.01 * distance), 2)
    density = 0.62 * clumps + 0.38 * leaves - 0.5 * (rows / reach) ** 0.8 - 0.02
    cover: brush.Field = np.clip(density * 14, 0, 1) * (1 - 0.25 * distance)
    return cover


def _shafts(canvas: brush.Canvas, x: float) -> cels.Painting:
    rng, width, height = canvas.rng, canvas.width, canvas.height

    def draw(pen: brush.Pen) -> None:
        for _ in range(7):
            start, spread = x + rng.normal(0, 0.16) * width, rng.uniform(0.01, 0.035) * width
            end = start + (start - x) * 0.8 - 0.3 * height * np.sign(x - width / 2)
            foot = [((end + spread * 2.4), height * 0.9), ((end - spread * 2.4), height * 0.9)]
            pen.polygon([((start - spread), 0), ((start + spread), 0), *foot], tone=int(rng.integers(70, 150)))

    beams = brush.mask(height, width, draw, blur=canvas.unit * 0.02)
    fade = np.linspace(1, 0, height, dtype=np.float32)[:, None] ** 0.7
    strength = 0.25 if canvas.light.night or canvas.scene.weather == "rain" else 0.62
    colour = brush.flat(palette.mix(canvas.light.disc, canvas.light.horizon, 0.25), height, width)
    return cels.Painting(colour, beams * fade * strength, depth=0.5, sway=canvas.unit * 0.004)


def space(canvas: brush.Canvas) -> list[cels.Painting]:
    """A nebula, three depths of stars, and a planet with its terminator."""
    rng, width, height = canvas.rng, canvas.width, canvas.height
    hues = (("1b1140", "8a3d8f", "ff9a6b"), ("06142e", "1f6f8f", "8ff0d8"), ("16081f", "a03050", "ffc46b"))
    deep, gas, hot = (rgb(code) for code in hues[canvas.scene.seed // 3 % 3])
    cloud = brush.fbm(rng, height, width, canvas.unit * 0.6, 6)
    veins = 1 - np.abs(brush.fbm(rng, height, width, canvas.unit * 0.4, 5) - 0.5) * 2
    back = brush.flat(deep * np.float32(0.28), height, width)
    back = brush.tint(back, gas, np.clip((cloud - 0.42) * 1.7, 0, 0.8) * veins)
    back = brush.tint(back, hot, np.clip((cloud - 0.6) * 2.4, 0, 0.75) * veins**4)
    layers = [cels.Painting(np.clip(back, 0, 1), None, depth=0.03)]
    layers += [_starfield(canvas, 900, 0.5, 0.12), _starfield(canvas, 260, 1.0, 0.3), _planet(canvas, gas, hot)]
    layers.append(_starfield(canvas, 46, 1.7, 0.6))
    if canvas.scene.cast:
        layers.append(_surface(canvas, hot))
    return layers


def _surface(canvas: brush.Canvas, hot: palette.RGB) -> cels.Painting:
    """The ground of a moon, lit from the side of the planet's day."""
    rng, width, top_row = canvas.rng, canvas.width, canvas.row(0.76) // 2 * 2
    height = canvas.height - top_row
    top = (0.1 + 0.3 * brush.profile(rng, width, canvas.unit * 0.5, 0.4)) * height
    relief = brush.fbm(rng, height, width, canvas.unit * 0.09, 6, stretch=2.2)
    slope = np.clip(0.4 + 7 * (np.roll(relief, 3, 1) - np.roll(relief, -3, 1)), 0, 1)
    rows = np.arange(height, dtype=np.float32)[:, None] - top[None]
    share = slope * (0.35 + 0.65 * np.exp(-np.clip(rows, 0, None) / (canvas.unit * 0.05)))
    bright = palette.mix(rgb("8d8790"), hot, 0.3)
    colour = brush.tint(brush.flat(rgb("0d0d13"), height, width), bright, (share * 0.8).astype(np.float32))
    return cels.Painting(colour, brush.under(top.astype(np.float32), height), y=top_row, depth=0.66)


def _starfield(canvas: brush.Canvas, count: int, size: float, depth: float) -> cels.Painting:
    rng, shape = canvas.rng, (canvas.height, canvas.width)
    points = np.zeros(shape, np.float32)
    points[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = rng.random(count) ** 2
    soft = np.clip(points + brush.blurred(points, size) * 7 * size, 0, 1).astype(np.float32)
    return cels.Painting(brush.flat(rgb("eef3ff"), *shape), soft, depth=depth)


def _planet(canvas: brush.Canvas, gas: palette.RGB, hot: palette.RGB) -> cels.Painting:
    rng = canvas.rng
    radius = canvas.unit * rng.uniform(0.26, 0.4)
    size = int(radius * 2.5) // 2 * 2
    grid = (np.arange(size, dtype=np.float32) - size / 2) / np.float32(radius)
    x, y = np.meshgrid(grid, grid)
    reach = np.sqrt(x * x + y * y)
    z = np.sqrt(np.clip(1 - reach**2, 0, 1))
    bands = brush.fbm(rng, size, size, radius * 0.35, 5, stretch=5)
    ground = brush.tint(
        brush.flat(palette.mix(gas, rgb("20242e"), 0.35), size, size), hot, np.clip(bands * 1.5 - 0.4, 0, 1)
    )
    day = np.clip(x * -0.72 + y * -0.42 + z * 0.42, 0, 1) ** 0.8
    inside = np.clip((1 - reach) * radius + 0.5, 0, 1)
    halo = np.exp(-np.clip(reach - 0.995, 0, None) * 15) * np.clip(0.35 - 0.75 * x - 0.4 * y, 0, 1)
    colour = ground * (0.02 + 1.05 * day)[..., None]
    colour = brush.tint(
        colour, palette.mix(gas, rgb("ffffff"), 0.5), (halo * np.clip(reach**7, 0, 1)).astype(np.float32)
    )
    alpha = np.maximum(inside, halo * 0.85).astype(np.float32)
    left = int(canvas.width * rng.uniform(0.5, 0.62)) // 2 * 2
    return cels.Painting(
        np.clip(colour, 0, 1), alpha, x=left, y=canvas.row(rng.uniform(0.1, 0.26)) // 2 * 2, depth=0.45
    )
