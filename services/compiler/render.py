"""Draws and encodes the pictures that no clip has: joins, cards, captions, and what lies between them."""

from collections.abc import Callable
from pathlib import Path

import av

from services.compiler import house, painter
from services.compiler.recipes import ENCODE_STEPS, Render


def make(recipe: Render, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write exactly `recipe.frames` pictures into `target`; `tell` hears of each. Raises media.SourceUnreadable."""
    with av.open(str(target), "w", format="mp4") as out:
        stream = house.encoder(out, recipe)
        for number, planes in enumerate(painter.paint(recipe, folder)):
            picture = av.VideoFrame.from_ndarray(planes, "yuv420p")
            picture.pts, picture.time_base = number, 1 / recipe.profile.fps
            out.mux(stream.encode(picture))
            tell(ENCODE_STEPS)
        out.mux(stream.encode(None))
