"""Small stills of the whole film on one grid, and the WebVTT by which a player finds the one under the pointer."""

import itertools
import math
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from services.compiler import domain, orders, proofing, stills, tracks
from services.compiler.recipes import Film, Profile

_COLUMNS = 10
_LONGER_SIDE = 160
_QUALITY = 75


def draw(recipe: Film, pictures: Sequence[Image.Image], target: Path) -> list[domain.Notice]:
    """Write the grid as JPEG; returns where its stills are black."""
    width, height = cell(recipe.profile)
    columns = min(_COLUMNS, len(pictures))
    grid = Image.new("RGB", (columns * width, math.ceil(len(pictures) / columns) * height))
    for number, picture in enumerate(pictures):
        grid.paste(picture, _corner(number, (width, height)))
    grid.save(target, "JPEG", quality=_QUALITY, optimize=True)
    black = [number for number, picture in enumerate(pictures) if stills.is_black(picture)]
    return list(_notices(black, _edges(recipe)))


def vtt(recipe: Film) -> str:
    """One cue for each still: its place on the sprite, which is to lie beside under its human name."""
    size, fps = cell(recipe.profile), recipe.profile.fps
    name = urllib.parse.quote(orders.file_name(recipe.title, orders.SPRITE_SUFFIX))
    cues = (
        f"{tracks.clock(start, fps)} --> {tracks.clock(end, fps)}\n"
        f"{name}#xywh={','.join(map(str, (*_corner(number, size), *size)))}\n"
        for number, (start, end) in enumerate(itertools.pairwise(_edges(recipe)))
    )
    return "\n".join(["WEBVTT\n", *cues])


def cell(profile: Profile) -> tuple[int, int]:
    """The size of one still: of the film's shape."""
    longer = max(profile.width, profile.height)
    return max(2, profile.width * _LONGER_SIDE // longer), max(2, profile.height * _LONGER_SIDE // longer)


def _notices(black: Sequence[int], edges: Sequence[int]) -> Iterator[domain.Notice]:
    """One for each row of black stills."""
    for _, row in itertools.groupby(enumerate(black), lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in row]
        yield domain.Notice(domain.Oddity.BLACK, edges[numbers[0]], edges[numbers[-1] + 1])


def _edges(recipe: Film) -> list[int]:
    return list(proofing.still_edges(recipe.frames, recipe.profile))


def _corner(number: int, size: tuple[int, int]) -> tuple[int, int]:
    return number % _COLUMNS * size[0], number // _COLUMNS * size[1]
