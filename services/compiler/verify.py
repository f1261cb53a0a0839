"""Holds a finished file against its plan; nothing is called a film before it passed."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from services.compiler import domain, film, marks, media, probe, sound, tracks
from services.compiler.recipes import Film

_NO_WORDS = bytes(2)
_AFTER = 3
"""Frames after a join: one that stands on its own, and two that lean on it and on each other."""


_BUT_SMOOTHED = {"skip_loop_filter": "all"}
"""All that was written is read, but the edges of blocks are left as they are: nobody looks at these pictures."""

_Check = Callable[[], Sequence[domain.Notice] | None]


def checks(path: Path, recipe: Film) -> list[_Check]:
    """Check streams, grid, lengths, chapters, captions, order of boxes, loudness, and that every join decodes.

    They may run at once, and return what is odd, but no fault. Each raises domain.FilmNotAsPlanned naming what it
    checked, or media.SourceUnreadable when a copied clip is damaged.
    """
    joins = [functools.partial(_check_join, path, recipe, join) for join in _joins(recipe)]
    whole = [functools.partial(check, path, recipe) for check in (_check_file, _check_loudness)]
    return [functools.partial(_read, check) for check in (*whole, *joins)]


def _read(check: _Check) -> Sequence[domain.Notice] | None:
    try:
        return check()
    except media.Unreadable as error:
        raise domain.FilmNotAsPlanned(check=f"it can be read: it {error}") from error


def _check_file(path: Path, recipe: Film) -> None:
    _expect("the index comes before the data", _index_first(path))
    _expect("the mark of what AI has made", marks.marked(path) == recipe.generated)
    with media.opened(path) as container:
        _check_streams(container, recipe)
        _check_pictures(container, recipe)
        _check_sound(container, recipe)
        _check_captions(container, recipe)


def _check_loudness(path: Path, recipe: Film) -> list[domain.Notice]:
    powers, fps = sound.powers(path), recipe.profile.fps
    within = sound.tolerance(powers)
    is_right = sound.is_about(sound.integrated(powers), recipe.loudness, within)
    _expect("the loudness asked for", is_right or sound.measured(path).reaches(recipe.loudness, within))
    stretches = [(math.ceil(start * fps), min(int(end * fps), recipe.frames)) for start, end in sound.silences(powers)]
    return [domain.Notice(domain.Oddity.SILENT, start, end) for start, end in stretches]


def _expect(check: str, holds: bool) -> None:
    if not holds:
        raise domain.FilmNotAsPlanned(check=check)


def _index_first(path: Path) -> bool:
    """Whether the `moov` box comes before the first `mdat` (ISO/IEC 14496-12, 4.2)."""
    with path.open("rb") as file:
        while header := file.read(8):
            size, kind = int.from_bytes(header[:4], "big"), header[4:]
            if kind in (b"moov", b"mdat"):
                return kind == b"moov"
            if size == 1:
                size = int.from_bytes(file.read(8), "big") - 8
            file.seek(max(size - 8, 0), 1)
    return False


def _check_streams(container: InputContainer, recipe: Film) -> None:
    video, audio = container.streams.video, container.streams.audio
    _expect("one track of pictures and one of sound", (len(video), len(audio)) == (1, 1))
    _expect("both from the start", (video[0].start_time, audio[0].start_time) == (0, 0))
    shape = (video[0].codec_context.name, video[0].width, video[0].height)
    _expect("H.264 of the planned size", shape == ("h264", recipe.profile.width, recipe.profile.height))
    heard = (audio[0].codec_context.name, audio[0].rate, audio[0].channels)
    _expect("AAC stereo at 48 kHz", heard == ("aac", sound.RATE, 2))
    _expect("the title", container.metadata.get("title") == recipe.title)
    starts = [chapter["start"] * (chapter["time_base"] or 1) for chapter in container.chapters()]
    planned = [cut.start / recipe.profile.fps for cut in recipe.chapters]
    _expect("a chapter for each scene", len(starts) == len(planned))
    close = (abs(start - want) < 1 / recipe.profile.fps for start, want in zip(starts, planned, strict=True))
    _expect("every chapter starts with its scene", all(close))


def _check_pictures(container: InputContainer, recipe: Film) -> None:
    stream = container.streams.video[0]
    step = (stream.time_base or Fraction(1)) * recipe.profile.fps
    shown: list[Fraction] = []
    before = None
    for packet in container.demux(stream):
        if packet.pts is None or packet.dts is None:
            continue
        _expect("decoding times rise", before is None or packet.dts > before)
        before = packet.dts
        shown.append(packet.pts * step)
    _expect("the planned number of pictures", len(shown) == recipe.frames)
    _expect("every picture on the grid", sorted(shown) == list(range(recipe.frames)))
    _expect("the planned length", (stream.duration or 0) * step == recipe.frames)


def _check_sound(container: InputContainer, recipe: Film) -> None:
    """To the sample: what an encoder adds at both ends is hidden by the edit list and the last packet's length."""
    container.seek(0)
    stream = container.streams.audio[0]
    tick = (stream.time_base or Fraction(1)) * sound.RATE
    ends = [packet.pts + (packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None]
    planned = sound.edge(recipe.frames, recipe.profile.fps)
    _expect("sound to the end", abs(ends[-1] * tick - planned) <= 1 if ends else False)
    _expect("sound of the planned length", abs((stream.duration or 0) * tick - planned) <= 1)


def _check_captions(container: InputContainer, recipe: Film) -> None:
    container.seek(0)
    streams = container.streams.subtitles
    _expect("captions when there are any", len(streams) == bool(recipe.subtitles))
    for stream in streams:
        step = (stream.time_base or Fraction(1)) * recipe.profile.fps
        found = [
            (bytes(packet), packet.pts * step)
            for packet in container.demux(stream)
            if packet.pts is not None and packet.size > len(_NO_WORDS)
        ]
        planned = [(sample.payload, Fraction(sample.start)) for sample in tracks.samples(recipe)]
        _expect("every caption on its picture", found == planned)


def _joins(recipe: Film) -> Iterator[int]:
    """The frames that something else ends before, or begins with; the film's own beginning and end too."""
    starts = {chapter.start for chapter in recipe.chapters}
    yield from sorted({0} | starts | {*itertools.accumulate(run.frames for run in recipe.runs)})


def _check_join(path: Path, recipe: Film, join: int) -> None:
    """Decode strictly the group of pictures that ends before the join, and the first pictures after it.

    Of that group only what others are made of: what nothing is made of spoils nothing.
    """
    expected, end, at = join, min(join + _AFTER, recipe.frames), join
    try:
        with media.opened(path) as container:
            stream = container.streams.video[0]
            step = (stream.time_base or Fraction(1)) * recipe.profile.fps
            stream.codec_context.options |= _BUT_SMOOTHED
            probe.seek(container, int(max(join - 1, 0) / step))
            for packet in container.demux(stream):
                at = film.nearest((packet.pts or 0) * step) if packet.size else at
                stream.codec_context.skip_frame = "NONREF" if at < join else "DEFAULT"
                for frame in stream.codec_context.decode(packet):
                    number = film.nearest((frame.pts or 0) * step)
                    if frame.is_corrupt:
                        raise media.Unreadable("is damaged")
                    if join <= number < end:
                        _expect(f"picture {expected} decodes", number == expected)
                        expected += 1
                if expected == end > join:
                    return
        _expect(f"picture {expected} decodes", expected == end)
    except (av.error.InvalidDataError, media.Unreadable) as error:
        raise media.SourceUnreadable(_source(recipe, at), "is damaged") from error


def _source(recipe: Film, frame: int) -> str:
    """What the pictures around this frame were copied from."""
    end = 0
    for run in recipe.runs:
        end += run.frames
        if frame < end:
            return run.source
    return recipe.runs[-1].source
