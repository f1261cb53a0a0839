"""Paints the pictures of a piece, one after the other: layers, joins and dips, in planes of 8-bit YUV 4:2:0."""

import contextlib
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from services.compiler import film, media
from services.compiler.edit import DIPS, JoinKind
from services.compiler.recipes import Edge, Layer, Render

Planes = npt.NDArray[np.uint8]
"""A picture as PyAV gives it: the rows of Y, then of U, then of V."""

_BLACK, _WHITE, _GREY = 16, 235, 128


def paint(recipe: Render, folder: Path) -> Iterator[Planes]:
    """Every picture of the piece, in order. Raises media.SourceUnreadable."""
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(contextlib.closing(_pictures(layer, recipe, folder))) for layer in recipe.layers]
        for number in range(recipe.frames):
            seen = [
                _edged(next(source), layer, number, recipe)
                for layer, source in zip(recipe.layers, sources, strict=True)
                if layer.start <= number < layer.end
            ]
            coming = next((layer for layer in reversed(recipe.layers) if layer.start <= number < layer.end), None)
            yield _joined(seen, coming, number)


def _pictures(layer: Layer, recipe: Render, folder: Path) -> Generator[Planes, None, None]:
    """The layer's pictures from the first that the piece shows."""
    assert isinstance(layer.source, str)
    first = layer.first + max(0, -layer.start)
    with media.blamed_on(layer.source), media.opened(folder / layer.source) as container:
        stream = container.streams.video[0]
        step = (stream.time_base or Fraction(1)) * recipe.profile.fps
        zero = stream.start_time or 0
        container.seek(int(zero + first / step), stream=stream)
        try:
            for picture in container.decode(stream):
                if film.nearest(((picture.pts or 0) - zero) * step) >= first:
                    yield picture.to_ndarray(format="yuv420p").astype(np.uint8, copy=False)
        except av.error.InvalidDataError as error:
            raise media.Unreadable("is damaged") from error


def _edged(planes: Planes, layer: Layer, number: int, recipe: Render) -> Planes:
    """The picture as its dips let it be seen."""
    for edge, done in ((layer.lead, number - layer.start), (layer.tail, layer.end - 1 - number)):
        if edge and edge.kind in DIPS and done < edge.frames:
            planes = mixed(_colour(edge, planes, recipe), planes, done, edge.frames)
    return planes


def _joined(seen: list[Planes], coming: Layer | None, number: int) -> Planes:
    if len(seen) < 2 or coming is None or coming.lead is None:
        return seen[-1]
    return mixed(seen[-2], seen[-1], number - coming.start, coming.lead.frames)


def mixed(one: Planes, other: Planes, done: int, frames: int) -> Planes:
    """The one on its way to the other, after `done` of so many frames: the first already shows some of both."""
    share = (done + 1) * 256 // (frames + 1)
    blend = one.astype(np.uint16) * (256 - share) + other.astype(np.uint16) * share + 128 >> 8
    return blend.astype(np.uint8)


def _colour(edge: Edge, planes: Planes, recipe: Render) -> Planes:
    colour = np.full_like(planes, _GREY)
    colour[: recipe.profile.height] = _WHITE if edge.kind is JoinKind.DIP_TO_WHITE else _BLACK
    return colour
