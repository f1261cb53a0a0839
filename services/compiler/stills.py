"""Chooses and writes the stills of a finished film: its poster, and one picture for each scene."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from services.compiler import film, media
from services.compiler.recipes import Chapter, Film

_QUALITY = 90
_FLAT = 6.0
"""Brightness, 0 to 255, deviates by less in a picture that shows nothing: black, white, one colour."""


def poster(path: Path, recipe: Film, target: Path) -> None:
    """Write the first key picture of the first scene that shows something, as JPEG."""
    pictures = _key_pictures(path, recipe, recipe.chapters[0], 0)
    picture = next((picture for picture in pictures if _contrast(picture) > _FLAT), None)
    picture = picture or _clearest(path, recipe, recipe.chapters[0])
    picture.save(target, "JPEG", quality=_QUALITY, optimize=True)


def scenes(path: Path, recipe: Film, size: tuple[int, int]) -> Iterator[Image.Image]:
    """For each scene the key picture before its middle, or its clearest, not larger than `size`."""
    for chapter in recipe.chapters:
        picture = next(_key_pictures(path, recipe, chapter, chapter.start + chapter.frames // 2))
        if _contrast(picture) <= _FLAT:
            picture = _clearest(path, recipe, chapter)
        picture.thumbnail(size, Image.Resampling.LANCZOS)
        yield picture


def small(path: Path, recipe: Film, frames: Sequence[int], size: tuple[int, int]) -> Iterator[Image.Image]:
    """The key picture at or before each of these frames, in that size."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        step = (stream.time_base or 1) * recipe.profile.fps
        for frame in frames:
            container.seek(int(frame / step), stream=stream)
            picture = next(container.decode(stream))
            shown = picture.reformat(*size, format="rgb24", interpolation="AREA")
            yield Image.fromarray(shown.to_ndarray())


def _clearest(path: Path, recipe: Film, chapter: Chapter) -> Image.Image:
    return max(_key_pictures(path, recipe, chapter, chapter.start), key=_contrast)


def _key_pictures(path: Path, recipe: Film, chapter: Chapter, frame: int) -> Iterator[Image.Image]:
    """The scene's key pictures from the one before `frame` on: cheap, for nothing before them has to be decoded."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        step = (stream.time_base or 1) * recipe.profile.fps
        container.seek(int(frame / step), stream=stream)
        for picture in container.decode(stream):
            number = film.nearest((picture.pts or 0) * step)
            if number >= chapter.end:
                return
            if number >= chapter.start:
                yield Image.fromarray(picture.to_ndarray(format="rgb24"))


def _contrast(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("L").reduce(4), np.float32).std())
