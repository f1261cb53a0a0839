"""Encodes the pictures of one clip anew in the house format, so that they fit the film exactly."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import PictureType

from services.compiler import fitting, house, media, probe
from services.compiler.recipes import ENCODE_STEPS, House


def make(recipe: House, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write exactly `recipe.frames` pictures into `target`, without sound; `tell` hears of each.

    Raises media.SourceUnreadable.
    """
    with av.open(str(target), "w", format="mp4") as out:
        stream = house.encoder(out, recipe)
        for number, picture in enumerate(pictures(recipe, folder)):
            picture.pts, picture.time_base = number, 1 / recipe.profile.fps
            picture.pict_type = PictureType.NONE  # or the source's key frames would become ours
            out.mux(stream.encode(picture))
            tell(ENCODE_STEPS)
        out.mux(stream.encode(None))


def pictures(recipe: House, folder: Path) -> Iterator[av.VideoFrame]:
    """The clip's pictures as the film shows them, at its rate; the last fills what is left.

    Raises media.SourceUnreadable.
    """
    with media.blamed_on(recipe.source), media.opened(folder / recipe.source) as container:
        yield from _exactly(_fitted(container, recipe), recipe.frames)


def _fitted(container: InputContainer, recipe: House) -> Iterator[av.VideoFrame]:
    stream = container.streams.video[0]
    stream.thread_type, stream.thread_count = ThreadType.AUTO, house.THREADS
    look = probe.look(container)
    container.seek(0)
    graph = None
    try:
        for picture in container.decode(stream):
            graph = graph or fitting.graph(picture, stream, look, recipe)
            graph.push(picture)
            yield from _pulled(graph)
    except av.error.InvalidDataError as error:
        raise media.Unreadable("is damaged") from error
    if graph:
        graph.push(None)
        yield from _pulled(graph)


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
