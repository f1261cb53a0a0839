"""Holds a finished file against its plan; nothing is called a film before it passed."""

import contextlib
import dataclasses
import hashlib
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Discard, Stream

from services.compiler import domain, marks, media, parameters, proof, sound, tracks
from services.compiler.recipes import Film

_NO_WORDS = bytes(2)


def film(path: Path, recipe: Film, prints: Sequence[proof.Print], heard: Path) -> None:
    """Check streams, grid, lengths, chapters, captions, order of boxes, and that it holds what was seen and heard.

    What decoded around every join when it was looked through, and all of the sound that `loudness` hears, must be in
    the film to the byte. Raises domain.FilmNotAsPlanned naming what it checked.
    """
    with _readable():
        _check_file(path, recipe, prints, heard)


def loudness(heard: Path, recipe: Film) -> list[domain.Notice]:
    """Check how loud its sound is; returns where it is silent. Raises domain.FilmNotAsPlanned."""
    with _readable():
        powers, fps = sound.powers(heard), recipe.profile.fps
        within = sound.tolerance(powers)
        is_right = sound.is_about(sound.integrated(powers), recipe.loudness, within)
        _expect("the loudness asked for", is_right or sound.measured(heard).reaches(recipe.loudness, within))
    stretches = [(math.ceil(start * fps), min(int(end * fps), recipe.frames)) for start, end in sound.silences(powers)]
    return [domain.Notice(domain.Oddity.SILENT, start, end) for start, end in stretches]


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except media.Unreadable as error:
        raise domain.FilmNotAsPlanned(check=f"it can be read: it {error}") from error


def _check_file(path: Path, recipe: Film, prints: Sequence[proof.Print], heard: Path) -> None:
    _expect("the index comes before the data", _index_first(path))
    _expect("the mark of what AI has made", marks.marked(path) == recipe.generated)
    with media.opened(path) as container:
        _check_streams(container, recipe)
        _check_pictures(container, recipe, prints)
        _check_sets(container, prints)
        _check_sound(container, recipe, heard)
        _check_captions(container, recipe)


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


def _check_pictures(container: InputContainer, recipe: Film, prints: Sequence[proof.Print]) -> None:
    stream = container.streams.video[0]
    step = (stream.time_base or Fraction(1)) * recipe.profile.fps
    seen = list(_seen(recipe, prints))
    looked = {number for one in seen for number in one.packets}
    shown: list[Fraction] = []
    digests: dict[int, bytes] = {}
    before = None
    for packet in _packets(container, stream):
        if packet.pts is None or packet.dts is None:
            continue
        _expect("decoding times rise", before is None or packet.dts > before)
        before = packet.dts
        if len(shown) in looked:
            digests[len(shown)] = hashlib.sha256(bytes(packet)).digest()
        shown.append(packet.pts * step)
    _expect("the planned number of pictures", len(shown) == recipe.frames)
    _expect("every picture on the grid", sorted(shown) == list(range(recipe.frames)))
    _expect("the planned length", (stream.duration or 0) * step == recipe.frames)
    same = (proof.digest(digests.get(number, b"") for number in one.packets) == one.digest for one in seen)
    _expect(domain.UNPROVEN, all(same))


def _check_sets(container: InputContainer, prints: Sequence[proof.Print]) -> None:
    """Pictures decode as they did by the same parameter sets, whatever others there are."""
    held = parameters.read(container.streams.video[0].codec_context.extradata or b"")
    needed = [parameters.read(one.record) for one in prints]
    same = ({*one.sps} <= {*held.sps} and {*one.pps} <= {*held.pps} for one in needed)
    _expect(domain.UNPROVEN, all(same))


def _seen(recipe: Film, prints: Sequence[proof.Print]) -> Iterator[proof.Seen]:
    """What was looked through, by packets of the film."""
    for proven, one in zip(recipe.proofs, prints, strict=True):
        yield from (dataclasses.replace(seen, first=proven.at + seen.first) for seen in one.seen)


def _packets(container: InputContainer, stream: Stream) -> Iterator["av.Packet[Any]"]:
    """The packets of one track; those of others are not even read."""
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all
    container.seek(0)
    yield from container.demux(stream)


def _check_sound(container: InputContainer, recipe: Film, heard: Path) -> None:
    """To the sample: what an encoder adds at both ends is hidden by the edit list and the last packet's length."""
    stream = container.streams.audio[0]
    tick = (stream.time_base or Fraction(1)) * sound.RATE
    end, found = _sound(container)
    planned = sound.edge(recipe.frames, recipe.profile.fps)
    _expect("sound to the end", abs(end * tick - planned) <= 1)
    _expect("sound of the planned length", abs((stream.duration or 0) * tick - planned) <= 1)
    with media.heard(heard) as other:
        _expect("the sound that was measured", _sound(other)[1] == found)


def _sound(container: InputContainer) -> tuple[int, str]:
    """When it ends, in ticks, and the sha256 of all that a decoder of it is given."""
    stream, end = container.streams.audio[0], 0
    found = hashlib.sha256(stream.codec_context.extradata or b"")
    for packet in _packets(container, stream):
        found.update(bytes(packet))
        end = packet.pts + (packet.duration or 0) if packet.pts is not None else end
    return end, found.hexdigest()


def _check_captions(container: InputContainer, recipe: Film) -> None:
    streams = container.streams.subtitles
    _expect("captions when there are any", len(streams) == bool(recipe.subtitles))
    for stream in streams:
        step = (stream.time_base or Fraction(1)) * recipe.profile.fps
        found = [
            (bytes(packet), packet.pts * step)
            for packet in _packets(container, stream)
            if packet.pts is not None and packet.size > len(_NO_WORDS)
        ]
        planned = [(sample.payload, Fraction(sample.start)) for sample in tracks.samples(recipe)]
        _expect("every caption on its picture", found == planned)
