"""Chooses and writes the stills of a finished film: its poster, and one picture for each scene."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from services.compiler import film, media

_QUALITY = 90
_FLAT = 6.0
"""Brightness, 0 to 255, deviates by less in a picture that shows nothing: black, white, one colour."""


def poster(path: Path, plan: film.Plan, target: Path) -> None:
    """Write the first key picture of the first scene that shows something, as JPEG."""
    with_something = (picture for picture in _key_pictures(path, plan, plan.cuts[0]) if _contrast(picture) > _FLAT)
    picture = next(with_something, None) or next(_key_pictures(path, plan, plan.cuts[0]))
    picture.save(target, "JPEG", quality=_QUALITY, optimize=True)


def scenes(path: Path, plan: film.Plan, size: tuple[int, int]) -> Iterator[Image.Image]:
    """For each scene its key picture nearest the middle that shows something, not larger than `size`."""
    for cut in plan.cuts:
        pictures = [_reduced(picture, size) for picture in _key_pictures(path, plan, cut)]
        nearest = sorted(range(len(pictures)), key=lambda n: abs(2 * n + 1 - len(pictures)))
        yield next((pictures[n] for n in nearest if _contrast(pictures[n]) > _FLAT), pictures[nearest[0]])


def _key_pictures(path: Path, plan: film.Plan, cut: film.Cut) -> Iterator[Image.Image]:
    """The scene's key pictures in order: the cheap ones, for nothing before them has to be decoded."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        step = (stream.time_base or 1) * plan.profile.fps
        container.seek(int(cut.start / step), stream=stream)
        for frame in container.decode(stream):
            number = film.nearest((frame.pts or 0) * step)
            if number >= cut.end:
                return
            if number >= cut.start:
                yield Image.fromarray(frame.to_ndarray(format="rgb24"))


def _reduced(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    picture.thumbnail(size, Image.Resampling.LANCZOS)
    return picture


def _contrast(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("L").reduce(4), np.float32).std())
