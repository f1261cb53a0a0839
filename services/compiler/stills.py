"""Chooses and writes stills: a finished film's poster, one picture for each scene, and single pictures of a clip."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image

from services.compiler import film, media, probe
from services.compiler.recipes import Chapter, Film, Still

_QUALITY = 90
_FLAT = 6.0
"""Brightness, 0 to 255, deviates by less in a picture that shows nothing: black, white, one colour."""


_DARKEST = 32
"""Of 255: what is darker everywhere is black to the eye, noise of an encoder or not."""


def make(recipe: Still, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write one picture of a clip: as PNG, which loses nothing, or as JPEG where it is made smaller.

    Raises media.SourceUnreadable.
    """
    with media.blamed_on(recipe.source), media.opened(folder / recipe.source) as container:
        stream = container.streams.video[0]
        try:
            frame = _last(container, stream) if recipe.last else _chosen(container, stream, recipe.seconds)
        except av.error.InvalidDataError as error:
            raise media.Unreadable("is damaged") from error
    picture = Image.fromarray(frame.to_ndarray(format="rgb24")).rotate(frame.rotation, expand=True)
    if recipe.longest:
        picture.thumbnail((recipe.longest, recipe.longest), Image.Resampling.LANCZOS)
    picture.save(target, "JPEG" if recipe.longest else "PNG", quality=_QUALITY)
    tell(1)


def _last(container: InputContainer, stream: VideoStream) -> av.VideoFrame:
    """Decoded from the last key picture on; a group before that when it cannot be entered there."""
    times = [packet.pts for packet in container.demux(stream) if packet.is_keyframe and packet.pts is not None]
    for start in reversed([stream.start_time or 0, *times[-2:]]):
        container.seek(start, stream=stream)
        shown = max(container.decode(stream), key=lambda frame: frame.pts or 0, default=None)
        if shown:
            return shown
    raise media.Unreadable("shows no picture")


def _chosen(container: InputContainer, stream: VideoStream, seconds: Fraction | None) -> av.VideoFrame:
    """The picture shown at this time, the last one after the end; else the first key picture that shows something."""
    if seconds is None:
        stream.codec_context.skip_frame = "NONKEY"
    else:
        at = (stream.start_time or 0) + int(seconds / (stream.time_base or 1))
        container.seek(at, stream=stream)
    best: av.VideoFrame | None = None
    for frame in container.decode(stream):
        if seconds is not None:
            if best is not None and (frame.pts or 0) > at:
                return best
            best = frame
        elif _contrast(Image.fromarray(frame.to_ndarray(format="gray"))) > _FLAT:
            return frame
        best = best or frame
    if best is None:
        raise media.Unreadable("shows no picture")
    return best


def poster(path: Path, recipe: Film, target: Path) -> None:
    """Write the first key picture of the first scene that shows something, as JPEG."""
    pictures = _key_pictures(path, recipe, recipe.chapters[0], 0)
    picture = next((picture for picture in pictures if _contrast(picture) > _FLAT), None)
    picture = picture or _clearest(path, recipe, recipe.chapters[0])
    picture.save(target, "JPEG", quality=_QUALITY, optimize=True)


def scenes(path: Path, recipe: Film, size: tuple[int, int]) -> Iterator[Image.Image]:
    """For each scene the key picture before its middle, or its clearest, not larger than `size`."""
    for chapter in recipe.chapters:
        picture = next(_key_pictures(path, recipe, chapter, chapter.start + chapter.frames // 2), None)
        if picture is None or _contrast(picture) <= _FLAT:
            picture = _clearest(path, recipe, chapter)
        picture.thumbnail(size, Image.Resampling.HAMMING)  # a third of the time of the best, and hard to tell
        yield picture


def small(path: Path, recipe: Film, frames: Sequence[int], size: tuple[int, int]) -> Iterator[Image.Image]:
    """The key picture at or before each of these frames, in that size."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        step = (stream.time_base or 1) * recipe.profile.fps
        for frame in frames:
            container.seek(int(frame / step), stream=stream)
            picture = next(_keys(container, stream))
            shown = picture.reformat(*size, format="rgb24", interpolation="AREA")
            yield Image.fromarray(shown.to_ndarray())


def _clearest(path: Path, recipe: Film, chapter: Chapter) -> Image.Image:
    found = max(_key_pictures(path, recipe, chapter, chapter.start), key=_contrast, default=None)
    return found or _decoded(path, recipe, chapter.start + chapter.frames // 2)


def _decoded(path: Path, recipe: Film, frame: int) -> Image.Image:
    """This very picture: a short scene between two crossfades has no key picture of its own."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        step = (stream.time_base or 1) * recipe.profile.fps
        container.seek(int(frame / step), stream=stream)
        shown = (picture for picture in container.decode(stream) if film.nearest((picture.pts or 0) * step) >= frame)
        return Image.fromarray(next(shown).to_ndarray(format="rgb24"))


def _key_pictures(path: Path, recipe: Film, chapter: Chapter, frame: int) -> Iterator[Image.Image]:
    """The scene's key pictures from the one before `frame` on: cheap, for nothing before them has to be decoded."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        step = (stream.time_base or 1) * recipe.profile.fps
        container.seek(int(frame / step), stream=stream)
        for picture in _keys(container, stream):
            number = film.nearest((picture.pts or 0) * step)
            if number >= chapter.end:
                return
            if number >= chapter.start:
                yield Image.fromarray(picture.to_ndarray(format="rgb24"))


def _keys(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """The key pictures from here on."""
    for packet in container.demux(stream):
        if packet.is_keyframe:
            yield from probe.alone(stream.codec_context, packet)


def is_black(picture: Image.Image) -> bool:
    """Whether nothing at all is to be seen on it."""
    return int(np.asarray(picture.convert("L")).max()) < _DARKEST


def _contrast(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("L").reduce(4), np.float32).std())
