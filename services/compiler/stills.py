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
    pictures = _key_pictures(path, plan, plan.cuts[0], 0)
    picture = next((picture for picture in pictures if _contrast(picture) > _FLAT), None)
    picture = picture or _clearest(path, plan, plan.cuts[0])
    picture.save(target, "JPEG", quality=_QUALITY, optimize=True)


def scenes(path: Path, plan: film.Plan, size: tuple[int, int]) -> Iterator[Image.Image]:
    """For each scene the key picture before its middle, or its clearest, not larger than `size`."""
    for cut in plan.cuts:
        picture = next(_key_pictures(path, plan, cut, cut.start + cut.frames // 2))
        if _contrast(picture) <= _FLAT:
            picture = _clearest(path, plan, cut)
        picture.thumbnail(size, Image.Resampling.LANCZOS)
        yield picture


def _clearest(path: Path, plan: film.Plan, cut: film.Cut) -> Image.Image:
    return max(_key_pictures(path, plan, cut, cut.start), key=_contrast)


def _key_pictures(path: Path, plan: film.Plan, cut: film.Cut, frame: int) -> Iterator[Image.Image]:
    """The scene's key pictures from the one before `frame` on: cheap, for nothing before them has to be decoded."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        step = (stream.time_base or 1) * plan.profile.fps
        container.seek(int(frame / step), stream=stream)
        for picture in container.decode(stream):
            number = film.nearest((picture.pts or 0) * step)
            if number >= cut.end:
                return
            if number >= cut.start:
                yield Image.fromarray(picture.to_ndarray(format="rgb24"))


def _contrast(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("L").reduce(4), np.float32).std())
