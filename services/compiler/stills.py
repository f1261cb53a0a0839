"""Chooses stills, a film's poster and one picture for each scene, and writes single pictures of a clip."""

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image

from services.compiler import media
from services.compiler.recipes import Still
from services.compiler.reel import Reel

Span = tuple[int, int]
"""A scene's first frame, and the one after its last."""

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
        elif _contrast(_grey(frame)) > _FLAT:
            return frame
        best = best or frame
    if best is None:
        raise media.Unreadable("shows no picture")
    return best


def poster(reel: Reel, scene: Span) -> Image.Image:
    """The first key picture of the scene that shows something."""
    pictures = _key_pictures(reel, scene, scene[0])
    picture = next((picture for picture in pictures if _contrast(_grey(picture)) > _FLAT), None)
    return Image.fromarray((picture or _clearest(reel, scene)).to_ndarray(format="rgb24"))


def of_scene(reel: Reel, scene: Span, size: tuple[int, int]) -> Image.Image:
    """The key picture before the scene's middle, or its clearest, in that size."""
    picture = next(_key_pictures(reel, scene, sum(scene) // 2), None)
    if picture is None or _contrast(_grey(picture)) <= _FLAT:
        picture = _clearest(reel, scene)
    return _scaled(picture, size)


def small(reel: Reel, frame: int, size: tuple[int, int]) -> Image.Image:
    """The key picture at or before this frame, in that size."""
    return _scaled(next(picture for _, picture in reel.keys(frame)), size)


def _scaled(picture: av.VideoFrame, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(picture.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray())


def _clearest(reel: Reel, scene: Span) -> av.VideoFrame:
    found = max(_key_pictures(reel, scene, scene[0]), key=lambda one: _contrast(_grey(one)), default=None)
    return found or _decoded(reel, sum(scene) // 2)


def _decoded(reel: Reel, frame: int) -> av.VideoFrame:
    """This very picture: a short scene between two crossfades has no key picture of its own."""
    decoder = reel.decoder()
    for number, packet in itertools.chain(reel.packets(frame), [(frame, None)]):
        if packet:
            packet.pts = number
        with media.blamed_on(reel.source(number)):
            found = next((picture for picture in decoder.decode(packet) if picture.pts == frame), None)
        if found:
            return found
    raise media.SourceUnreadable(reel.source(frame), "is damaged")


def _key_pictures(reel: Reel, scene: Span, frame: int) -> Iterator[av.VideoFrame]:
    """The scene's key pictures from the one before `frame` on."""
    for number, picture in reel.keys(frame):
        if number >= scene[1]:
            return
        if number >= scene[0]:
            yield picture


def _grey(picture: av.VideoFrame) -> Image.Image:
    return Image.fromarray(picture.to_ndarray(format="gray"))


def is_black(picture: Image.Image) -> bool:
    """Whether nothing at all is to be seen on it."""
    return int(np.asarray(picture.convert("L")).max()) < _DARKEST


def _contrast(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("L").reduce(4), np.float32).std())
