"""What falls and floats between the lens and the scene, and the grain and falloff of the lens itself."""

from collections.abc import Callable

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter

from services.sandbox import cels, script

Effect = Callable[[cels.Planes, int], None]
"""Changes the planes of one frame in place, given its number."""
_WHITE = np.uint8(235)
_GRAIN = 1.7
_GRAIN_TILES = 5


def effects(scene: script.Scene, width: int, height: int) -> list[Effect]:
    """The effects of a scene, in the order they happen: weather, lens, film."""
    rng = np.random.default_rng(scene.seed)
    unit = (width * height) ** 0.5
    found: list[Effect] = []
    if scene.place == "interior":
        found.append(_motes(rng, width, height, unit))
    elif scene.weather == "rain":
        found += [
            _falling(_streaks(rng, width, height, unit, k), unit * v, unit * v * 0.12)
            for k, v in ((0.6, 0.03), (1, 0.047))
        ]
    elif scene.weather == "snow":
        found += [_flakes(rng, width, height, unit, k, n) for k, n in ((0.5, 320), (0.9, 130), (1.9, 34))]
    elif scene.place in ("forest", "field", "table") or scene.hour == "golden":
        found.append(_motes(rng, width, height, unit))
    return [*found, _vignette(width, height), _grain(rng, width, height)]


def _tiled(sheet: PIL.Image.Image) -> cels.Bytes:
    return np.tile(np.asarray(sheet, np.uint8), (2, 2))


def _falling(tile: cels.Bytes, down: float, across: float, sway: float = 0.0) -> Effect:
    """Add a repeating sheet of light that moves by `down` and `across` pixels a frame."""
    tall, wide = tile.shape[0] // 2, tile.shape[1] // 2
    headroom = _WHITE - tile

    def fall(planes: cels.Planes, number: int) -> None:
        luma = planes[0]
        y = int(-down * number) % tall
        x = int(across * number + sway * np.sin(number / 17)) % wide
        part = np.s_[y : y + luma.shape[0], x : x + luma.shape[1]]
        np.minimum(luma, headroom[part], out=luma)
        np.add(luma, tile[part], out=luma)

    return fall


def _streaks(rng: np.random.Generator, width: int, height: int, unit: float, near: float) -> cels.Bytes:
    sheet = PIL.Image.new("L", (width, height))
    pen = PIL.ImageDraw.Draw(sheet)
    for _ in range(int(420 / near**1.5)):
        x, y, long = rng.uniform(0, width), rng.uniform(0, height), unit * rng.uniform(0.02, 0.055) * near
        for dx, dy in ((0, 0), (0, -height), (0, height)):
            line = [(x + dx, y + dy), (x + dx - long * 0.12, y + dy + long)]
            pen.line(line, fill=int(rng.uniform(7, 18)), width=max(1, round(unit * 0.0013 * near)))
    return _tiled(sheet.filter(PIL.ImageFilter.GaussianBlur(0.5)))


def _flakes(rng: np.random.Generator, width: int, height: int, unit: float, near: float, count: int) -> Effect:
    tile = _dots(rng, width, height, unit * 0.0023 * near, count, 96 if near < 1.5 else 46, blur=0.4 + 0.9 * near)
    return _falling(tile, unit * 0.0021 * (0.6 + near), unit * 0.0006 * near, sway=unit * 0.012 * near)


def _motes(rng: np.random.Generator, width: int, height: int, unit: float) -> Effect:
    tile = _dots(rng, width, height, unit * 0.0017, 60, 26, blur=1.1)
    return _falling(tile, -unit * 0.0003, unit * 0.0002, sway=unit * 0.01)


def _dots(
    rng: np.random.Generator, width: int, height: int, radius: float, count: int, most: int, blur: float
) -> cels.Bytes:
    sheet = PIL.Image.new("L", (width, height))
    pen = PIL.ImageDraw.Draw(sheet)
    margin = radius * 2 + 3 * blur
    for _ in range(count):
        x, y = rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)
        r = radius * rng.uniform(0.5, 1.4)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=int(most * rng.uniform(0.35, 1)))
    return np.minimum(_tiled(sheet.filter(PIL.ImageFilter.GaussianBlur(blur))), most)


def _vignette(width: int, height: int) -> Effect:
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    keep = 1 - 0.3 * np.clip((x * x + y * y) / 2, 0, 1) ** 1.4
    factor = np.rint(keep * 255).astype(np.uint8)
    lift = np.rint(16 * (1 - keep)).astype(np.uint8)
    room = np.empty((height, width), np.uint16)

    def darken(planes: cels.Planes, number: int) -> None:
        np.multiply(planes[0], factor, out=room, dtype=np.uint16, casting="unsafe")
        np.right_shift(room, 8, out=room)
        np.add(room, lift, out=planes[0], casting="unsafe")

    return darken


def _grain(rng: np.random.Generator, width: int, height: int) -> Effect:
    """Film grain, in two's complement: luma is 16 to 235, so that adding it never needs to be clipped."""
    tiles = []
    for _ in range(_GRAIN_TILES):
        noise = rng.standard_normal((height, width), np.float32)
        noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / np.float32(3**0.5)
        tiles.append(np.clip(np.rint(noise * _GRAIN), -6, 6).astype(np.int8).view(np.uint8))

    def sprinkle(planes: cels.Planes, number: int) -> None:
        luma, tile = planes[0], tiles[number % _GRAIN_TILES]
        shift = number * 37 % height
        np.add(luma[shift:], tile[: height - shift], out=luma[shift:])
        np.add(luma[:shift], tile[height - shift :], out=luma[:shift])

    return sprinkle
