"""Joins pictures and sound into one MP4 on one exact grid of frames, packet by packet."""

import functools
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer, core
from av.video.stream import VideoStream

from services.compiler import film, media, parameters, sound


@dataclass(frozen=True, slots=True)
class Piece:
    """The pictures of one cut, ready to copy, and the clip its sound comes from."""

    pictures: Path
    facts: film.Facts
    sound: Path


def join(plan: film.Plan, pieces: Sequence[Piece], target: Path, tell: Callable[[], None]) -> None:
    """Write the film, its index before its data; `tell` hears of each picture.

    Raises domain.ClipUnreadable.
    """
    with av.open(str(target), "w", format="mp4", container_options={"movflags": "+faststart"}) as out:
        out.metadata["title"] = plan.title
        with media.opened(pieces[0].pictures) as first:
            pictures = _picture_stream(out, first.streams.video[0], plan, pieces)
        track = sound.add_stream(out)
        out.set_chapters(_chapters(plan))
        out.start_encoding()
        heard = sound.packets(track, plan, [piece.sound for piece in pieces])
        tracks: list[Iterator[av.Packet[Any]]] = [_copied(pictures, plan, pieces), heard]
        for packet in heapq.merge(*tracks, key=_time):
            if packet.stream is pictures:
                tell()
            out.mux(packet)


def _picture_stream(
    out: OutputContainer, template: VideoStream, plan: film.Plan, pieces: Sequence[Piece]
) -> VideoStream:
    """One track with one sample description: the parameter sets of all pieces in one record."""
    records = dict.fromkeys(piece.facts.parameters for piece in pieces)
    stream = out.add_stream_from_template(template, opaque=True)
    stream.codec_context.extradata = functools.reduce(parameters.merge, records)
    stream.time_base = 1 / plan.profile.fps
    return stream


def _copied(stream: VideoStream, plan: film.Plan, pieces: Sequence[Piece]) -> "Iterator[av.Packet[VideoStream]]":
    """Every piece's packets as they are, their times on the film's grid.

    Decoding runs ahead of showing by the same number of frames all through the film, the most that any piece
    needs, so that decoding times rise by one frame a packet across every cut.
    """
    ahead = max(piece.facts.reorder for piece in pieces)
    for cut, piece in zip(plan.cuts, pieces, strict=True):
        number = 0
        with media.blamed_on(cut.clip.scene), media.opened(piece.pictures) as container:
            source = container.streams.video[0]
            first = source.start_time or 0
            for packet in container.demux(source):
                if packet.pts is None:
                    continue
                shown = film.nearest((packet.pts - first) * (source.time_base or 1) * plan.profile.fps)
                packet.time_base = 1 / plan.profile.fps
                packet.pts, packet.dts = cut.start + shown, cut.start + number - ahead
                packet.duration, packet.stream = 1, stream
                number += 1
                yield packet


def _time(packet: "av.Packet[Any]") -> Fraction:
    return (packet.dts or 0) * packet.time_base


def _chapters(plan: film.Plan) -> "list[core.Chapter]":
    return [
        {
            "id": cut.number,
            "start": cut.start,
            "end": cut.end,
            "time_base": 1 / plan.profile.fps,
            "metadata": {"title": cut.title},
        }
        for cut in plan.cuts
    ]
