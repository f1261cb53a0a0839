"""Encodes the pictures of one clip anew in the house format, so that they fit the film exactly."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import PictureType
from av.video.stream import VideoStream

from services.compiler import film, house, media, probe
from services.compiler.recipes import House, Profile

_STEPS = 12
_TURNS = {90: ("transpose", "clock"), 180: ("rotate", "PI"), 270: ("transpose", "cclock")}
_AS_BT709 = "space=bt709:iprimaries=bt709:primaries=bt709:itrc=bt709:trc=bt709"


def make(recipe: House, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write exactly `recipe.frames` pictures into `target`, without sound; `tell` hears of each.

    Scaled by Lanczos into the film's size, fitted to its shape, resampled to its rate by the nearest picture.
    Raises media.SourceUnreadable.
    """
    with (
        media.blamed_on(recipe.source),
        media.opened(folder / recipe.source) as container,
        av.open(str(target), "w", format="mp4") as out,
    ):
        stream = house.encoder(out, recipe.profile, recipe.parameter_id)
        pictures = _fitted(container, recipe.profile)
        for number, picture in enumerate(_exactly(pictures, recipe.frames)):
            picture.pts, picture.time_base = number, 1 / recipe.profile.fps
            picture.pict_type = PictureType.NONE  # or the source's key frames would become ours
            out.mux(stream.encode(picture))
            tell(_STEPS)
        out.mux(stream.encode(None))


def _fitted(container: InputContainer, profile: Profile) -> Iterator[av.VideoFrame]:
    stream = container.streams.video[0]
    stream.thread_type, stream.thread_count = ThreadType.AUTO, house.THREADS
    look = probe.look(container)
    container.seek(0)
    graph = _graph(stream, look, profile)
    try:
        for packet in container.demux(stream):
            for picture in packet.decode():
                graph.push(picture)
                yield from _pulled(graph)
    except av.error.InvalidDataError as error:
        raise media.Unreadable("is damaged") from error
    graph.push(None)
    yield from _pulled(graph)


def _graph(stream: VideoStream, look: probe.Look, profile: Profile) -> Graph:
    width, height = _inside(look, profile)
    matrix = f"in_color_matrix={look.matrix}:out_color_matrix={look.matrix}"
    graph = Graph()
    nodes = [
        graph.add_buffer(template=stream),
        graph.add("setpts", "PTS-STARTPTS"),
        graph.add("fps", f"{profile.fps.numerator}/{profile.fps.denominator}"),
        *(graph.add(*_TURNS[turn]) for turn in [look.rotation] if turn in _TURNS),
        graph.add("scale", f"{width}:{height}:flags=lanczos+accurate_rnd:{matrix}:out_range=limited"),
        graph.add("format", "yuv420p"),
        # The scaler could convert the matrix as well, but is wrong by up to 4 of 255 in greys.
        graph.add("colorspace", f"ispace={look.matrix}:irange=tv:{_AS_BT709}"),
        graph.add("pad", f"{profile.width}:{profile.height}:-1:-1:black"),
        graph.add("setsar", "1"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def _inside(look: probe.Look, profile: Profile) -> tuple[int, int]:
    """The largest even size of the clip's shape that fits into the film's picture."""
    scale = min(Fraction(profile.width, look.width), Fraction(profile.height, look.height))
    width, height = (film.nearest(side * scale / 2) * 2 for side in (look.width, look.height))
    return min(max(2, width), profile.width), min(max(2, height), profile.height)


def _pulled(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _exactly(pictures: Iterator[av.VideoFrame], frames: int) -> Iterator[av.VideoFrame]:
    """The first `frames` pictures; the last one again where there are fewer."""
    last = next(pictures, None)
    if last is None:
        raise media.Unreadable("shows no picture")
    for _ in range(frames):
        yield last
        last = next(pictures, last)
