"""Encodes the pictures of one clip anew in the house format, so that they fit the film exactly."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import ThreadType
from av.filter import Graph
from av.video.frame import PictureType
from av.video.stream import VideoStream

from services.compiler import film, media

_THREADS = 2
_TURNS = {90: ("transpose", "clock"), 180: ("rotate", "PI"), 270: ("transpose", "cclock")}
_AS_BT709 = "space=bt709:iprimaries=bt709:primaries=bt709:itrc=bt709:trc=bt709"
_BT709 = 1  # ISO/IEC 23091-2: the same number for primaries, transfer and matrix
_LIMITED_RANGE = 1


def conform(cut: film.Cut, plan: film.Plan, source: Path, target: Path, tell: Callable[[], None]) -> None:
    """Write exactly `cut.frames` pictures into `target`, without sound; `tell` hears of each.

    Scaled by Lanczos into the film's size, padded with black, resampled to its rate by the nearest picture;
    H.264 High, bt709, closed groups of one second. Raises media.Unreadable.
    """
    with media.opened(source) as container, av.open(str(target), "w", format="mp4") as out:
        stream = _encoder(out, plan)
        pictures = _fitted(container.streams.video[0], cut.clip.facts, plan.profile)
        for number, picture in enumerate(_exactly(pictures, cut.frames)):
            picture.pts, picture.time_base = number, 1 / plan.profile.fps
            picture.pict_type = PictureType.NONE  # or the source's key frames would become ours
            out.mux(stream.encode(picture))
            tell()
        out.mux(stream.encode(None))


def _encoder(out: av.container.OutputContainer, plan: film.Plan) -> VideoStream:
    """The house format: by x264's `stitchable`, one set of parameters for a whole film, whatever the clip."""
    profile, group = plan.profile, film.nearest(plan.profile.fps)
    stream = out.add_stream("libx264", rate=profile.fps)
    stream.width, stream.height, stream.pix_fmt = profile.width, profile.height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = 1 / profile.fps
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED_RANGE
    context.options = {
        "preset": "veryfast",
        "profile": "high",
        "crf": "17",
        # Without mbtree, which reads memory nobody wrote: the same pictures must always be the same bytes.
        "x264-params": f"keyint={group}:min-keyint={group}:scenecut=0:open-gop=0:stitchable=1:mbtree=0"
        f":threads={_THREADS}:sps-id={plan.parameter_id}",
    }
    return stream


def _fitted(stream: VideoStream, facts: film.Facts, profile: film.Profile) -> Iterator[av.VideoFrame]:
    stream.thread_type, stream.thread_count = ThreadType.AUTO, _THREADS
    graph = _graph(stream, facts, profile)
    try:
        for packet in stream.container.demux(stream):  # type: ignore[attr-defined]
            for picture in packet.decode():
                graph.push(picture)
                yield from _pulled(graph)
    except av.error.InvalidDataError as error:
        raise media.Unreadable("is damaged") from error
    graph.push(None)
    yield from _pulled(graph)


def _graph(stream: VideoStream, facts: film.Facts, profile: film.Profile) -> Graph:
    width, height = _inside(facts, profile)
    matrix = f"in_color_matrix={facts.matrix}:out_color_matrix={facts.matrix}"
    graph = Graph()
    nodes = [
        graph.add_buffer(template=stream),
        graph.add("setpts", "PTS-STARTPTS"),
        graph.add("fps", f"{profile.fps.numerator}/{profile.fps.denominator}"),
        *(graph.add(*_TURNS[turn]) for turn in [facts.rotation] if turn in _TURNS),
        graph.add("scale", f"{width}:{height}:flags=lanczos+accurate_rnd:{matrix}:out_range=limited"),
        graph.add("format", "yuv420p"),
        # The scaler could convert the matrix as well, but is wrong by up to 4 of 255 in greys.
        graph.add("colorspace", f"ispace={facts.matrix}:irange=tv:{_AS_BT709}"),
        graph.add("pad", f"{profile.width}:{profile.height}:-1:-1:black"),
        graph.add("setsar", "1"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def _inside(facts: film.Facts, profile: film.Profile) -> tuple[int, int]:
    """The largest even size of the clip's shape that fits into the film's picture."""
    scale = min(Fraction(profile.width, facts.width), Fraction(profile.height, facts.height))
    width, height = (film.nearest(side * scale / 2) * 2 for side in (facts.width, facts.height))
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
