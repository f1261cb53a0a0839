"""Paints the pictures of a piece, one after the other: clips and cards in layers, their joins, and captions on them."""

import contextlib
import itertools
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from services.compiler import blending, cards, media, probe, timeline
from services.compiler.blending import Planes
from services.compiler.edit import DIPS, Card, JoinKind
from services.compiler.recipes import Layer, Profile, Render

_BLACK, _WHITE = 16, 235


def paint(recipe: Render, folder: Path) -> Iterator[Planes]:
    """Every picture of the piece, in order; of two captions the later is shown. Raises media.SourceUnreadable."""
    captions = [(words, cards.caption(words.text, recipe.profile)) for words in recipe.words]
    with contextlib.ExitStack() as stack:
        shown = [
            (layer, stack.enter_context(contextlib.closing(_pictures(layer, recipe.profile, folder))))
            for layer in recipe.layers
        ]
        for number in range(recipe.frames):
            picture = None
            for layer, pictures in shown:
                if layer.start <= number < layer.end:
                    picture = _over(picture, _dipped(next(pictures), layer, number), layer, number)
            said = [caption for words, caption in captions if words.start <= number < words.end]
            if picture is not None:
                yield said[-1].over(picture) if said else picture


def _pictures(layer: Layer, profile: Profile, folder: Path) -> Generator[Planes, None, None]:
    """The layer's pictures from the first that the piece shows on; a card is drawn once."""
    if isinstance(layer.source, Card):
        yield from itertools.repeat(cards.card(layer.source, profile))
        return
    expected = layer.first + max(0, -layer.start)
    with media.blamed_on(layer.source), media.opened(folder / layer.source) as container:
        stream = container.streams.video[0]
        step = (stream.time_base or Fraction(1)) * profile.fps
        zero = stream.start_time or 0
        probe.seek(container, int(zero + expected / step))
        try:
            for picture in container.decode(stream):
                number = timeline.nearest(((picture.pts or 0) - zero) * step)
                if number > expected:
                    break
                if number == expected:
                    yield picture.to_ndarray(format="yuv420p").astype(np.uint8, copy=False)
                    expected += 1
        except av.error.InvalidDataError as error:
            raise media.Unreadable("is damaged") from error
        raise media.Unreadable("is damaged")  # no picture where the probe found one


def _over(below: Planes | None, picture: Planes, layer: Layer, number: int) -> Planes:
    """The picture over the one below, as far as it has come."""
    come = number - layer.start
    if below is None or layer.lead is None or come >= layer.lead.frames:
        return picture
    part, parts = come + 1, layer.lead.frames + 1  # the first picture already shows some of both
    if layer.lead.kind is JoinKind.CROSSFADE:
        return blending.faded(below, picture, part, parts)
    return blending.wiped(below, picture, layer.lead.kind, part, parts)


def _dipped(picture: Planes, layer: Layer, number: int) -> Planes:
    """The picture as its dips let it be seen: on its first and last they show their colour alone."""
    for edge, done in ((layer.lead, number - layer.start), (layer.tail, layer.end - 1 - number)):
        if edge and edge.kind in DIPS and done < edge.frames:
            luma = _WHITE if edge.kind is JoinKind.DIP_TO_WHITE else _BLACK
            picture = blending.dipped(picture, luma, edge.frames - done, edge.frames)
    return picture
