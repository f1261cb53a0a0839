"""Small stills of the whole film on one grid, and the WebVTT by which a player finds the one under the pointer."""

import itertools
import math
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from services.compiler import domain, film, orders, stills, tracks
from services.compiler.recipes import Film

_COLUMNS, _MOST_CELLS = 10, 40
_LONGER_SIDE = 160
_QUALITY = 75


def draw(path: Path, recipe: Film, target: Path) -> list[domain.Notice]:
    """Write the grid as JPEG; returns where its stills are black."""
    (width, height), edges = cell(recipe), _edges(recipe)
    middles = [(start + end) // 2 for start, end in itertools.pairwise(edges)]
    columns = min(_COLUMNS, len(middles))
    grid = Image.new("RGB", (columns * width, math.ceil(len(middles) / columns) * height))
    black = []
    for number, picture in enumerate(stills.small(path, recipe, middles, (width, height))):
        grid.paste(picture, _corner(number, (width, height)))
        black += [number] if stills.is_black(picture) else []
    grid.save(target, "JPEG", quality=_QUALITY, optimize=True)
    return list(_notices(black, edges))


def vtt(recipe: Film) -> str:
    """One cue for each still: its place on the sprite, which is to lie beside under its human name."""
    size, fps = cell(recipe), recipe.profile.fps
    name = urllib.parse.quote(orders.file_name(recipe.title, orders.SPRITE_SUFFIX))
    cues = (
        f"{tracks.clock(start, fps)} --> {tracks.clock(end, fps)}\n"
        f"{name}#xywh={','.join(map(str, (*_corner(number, size), *size)))}\n"
        for number, (start, end) in enumerate(itertools.pairwise(_edges(recipe)))
    )
    return "\n".join(["WEBVTT\n", *cues])


def cell(recipe: Film) -> tuple[int, int]:
    """The size of one still: of the film's shape."""
    width, height = recipe.profile.width, recipe.profile.height
    longer = max(width, height)
    return max(2, width * _LONGER_SIDE // longer), max(2, height * _LONGER_SIDE // longer)


def _notices(black: Sequence[int], edges: Sequence[int]) -> Iterator[domain.Notice]:
    """One for each row of black stills."""
    for _, row in itertools.groupby(enumerate(black), lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in row]
        yield domain.Notice(domain.Oddity.BLACK, edges[numbers[0]], edges[numbers[-1] + 1])


def _edges(recipe: Film) -> list[int]:
    """The frames between which one still stands for all: a second, or a fortieth of a film of more than 40."""
    step = max(film.nearest(recipe.profile.fps), math.ceil(recipe.frames / _MOST_CELLS))
    return [*range(0, recipe.frames, step), recipe.frames]


def _corner(number: int, size: tuple[int, int]) -> tuple[int, int]:
    return number % _COLUMNS * size[0], number // _COLUMNS * size[1]
