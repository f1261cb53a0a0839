"""Joins pictures and sound into one MP4 on one exact grid of frames, packet by packet."""

import heapq
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer, core
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from services.compiler import marks, media, reel, tracks
from services.compiler.recipes import Film

_SOUND_RATE = 48_000


def join(recipe: Film, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write the film, its index before its data; `tell` hears of each picture. Raises media.SourceUnreadable."""
    _write(recipe, folder, target, tell)
    if recipe.generated:
        marks.mark(target)


def _write(recipe: Film, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    # The edit lists count in the movie's ticks: in milliseconds most films would be a little too short.
    ticks = math.lcm(recipe.profile.fps.numerator, _SOUND_RATE)
    options = {"movflags": "+faststart", "movie_timescale": str(ticks)}
    with (
        av.open(str(target), "w", format="mp4", container_options=options) as out,
        media.heard(folder / recipe.sound) as sound,
    ):
        out.metadata.update({"title": recipe.title} | ({"comment": marks.COMMENT} if recipe.generated else {}))
        source = reel.Reel(recipe.runs, recipe.profile.fps, folder)
        pictures = _picture_stream(out, recipe, source, folder)
        track = out.add_stream_from_template(sound.streams.audio[0], opaque=True)
        packets: list[Iterator[av.Packet[Any]]] = [_copied(pictures, recipe, source), _heard(sound, track)]
        if recipe.subtitles:
            packets.append(_read(_caption_stream(out, recipe), recipe))
        out.set_chapters(_chapters(recipe))
        out.start_encoding()
        for packet in heapq.merge(*packets, key=_time):
            if packet.stream is pictures:
                tell(1)
            out.mux(packet)


def _picture_stream(out: OutputContainer, recipe: Film, pictures: reel.Reel, folder: Path) -> VideoStream:
    """One track with one sample description: the parameter sets of all sources in one record."""
    with media.opened(folder / recipe.runs[0].source) as first:
        stream = out.add_stream_from_template(first.streams.video[0], opaque=True)
    context, profile = stream.codec_context, recipe.profile
    context.extradata = pictures.record
    context.width, context.height, context.sample_aspect_ratio = profile.width, profile.height, Fraction(1)
    stream.time_base = 1 / recipe.profile.fps
    return stream


def _caption_stream(out: OutputContainer, recipe: Film) -> SubtitleStream:
    """A track that players show when somebody switches it on."""
    stream = cast(SubtitleStream, out.add_stream(tracks.CODEC))
    stream.codec_context.subtitle_header = tracks.HEADER
    stream.codec_context.time_base = stream.time_base = 1 / recipe.profile.fps
    stream.metadata["language"] = tracks.iso639(recipe.language)
    return stream


def _copied(stream: VideoStream, recipe: Film, pictures: reel.Reel) -> "Iterator[av.Packet[VideoStream]]":
    """Every run's packets as they are, their times on the film's grid.

    Decoding runs ahead of showing by the same number of frames all through the film, so that decoding times
    rise by one frame a packet across every cut.
    """
    for number, (shown, packet) in enumerate(pictures.packets()):
        packet.time_base = 1 / recipe.profile.fps
        packet.pts, packet.dts = shown, number - recipe.ahead
        packet.duration, packet.stream = 1, stream
        yield packet


def _heard(sound: InputContainer, track: AudioStream) -> "Iterator[av.Packet[AudioStream]]":
    for packet in sound.demux(sound.streams.audio[0]):
        if packet.pts is not None:
            packet.stream = track
            yield packet


def _read(stream: SubtitleStream, recipe: Film) -> "Iterator[av.Packet[Any]]":
    """Only what is to be read: the muxer itself fills the gaps between with samples that are empty."""
    for sample in tracks.samples(recipe):
        packet: av.Packet[Any] = av.Packet(sample.payload)
        packet.time_base = 1 / recipe.profile.fps
        packet.pts = packet.dts = sample.start
        packet.duration, packet.stream = sample.frames, stream
        yield packet


def _time(packet: "av.Packet[Any]") -> Fraction:
    return (packet.dts or 0) * packet.time_base


def _chapters(recipe: Film) -> "list[core.Chapter]":
    return [
        {
            "id": number,
            "start": chapter.start,
            "end": chapter.end,
            "time_base": 1 / recipe.profile.fps,
            "metadata": {"title": chapter.title},
        }
        for number, chapter in enumerate(recipe.chapters, 1)
    ]
