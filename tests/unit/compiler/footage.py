"""Real clips for the tests: every picture carries its number, and the sound what each test wants to hear."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from services.compiler import cut, edit, film, orders

Pixels = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

WIDTH, HEIGHT = 160, 96
_BITS = 8
NOISE: Samples = np.convolve(np.random.default_rng(7).uniform(-0.9, 0.9, 1200), np.hanning(12) / 6, "same").astype(
    np.float32
)
"""25 ms that are like nothing else, at 48 kHz; without the highest tones, which AAC drops."""


@dataclass(frozen=True)
class Take:
    """How a clip is made; the default is what a well-behaved provider sends."""

    seconds: Fraction = Fraction(1)
    fps: Fraction = Fraction(24)
    size: tuple[int, int] = (WIDTH, HEIGHT)
    rate: int = 48_000
    layout: str = "stereo"
    first_number: int = 0
    rotation: int = 0
    options: tuple[tuple[str, str], ...] = (("g", "12"), ("bf", "2"))
    noise_at: Fraction | None = None
    level: float = 0.3
    dark: int = 0
    """How many pictures at the start show nothing."""
    torn: bool = False
    """Every second row is of the next picture."""
    ramp: bool = False
    """No numbers: from black at the left to white at the right."""
    times: Callable[[int], int] | None = None
    """For a varying rate: picture number to milliseconds."""
    codec: str = "libx264"
    pixels: str = "yuv420p"
    aspect: Fraction = Fraction(1)
    colours: tuple[int, int, int, int] | None = None
    """Primaries, transfer, matrix and range, by the numbers of ISO/IEC 23091-2; None says nothing of them."""
    shift: int = 0
    """By how many pictures the clip starts late; or early, and then they are hidden by an edit list."""
    sound_seconds: Fraction | None = None
    """Where the sound is not as long as the picture."""
    box: tuple[tuple[str, str], ...] = ()
    """Options of the writer of the file."""


def shoot(path: Path, take: Take | None = None) -> Path:
    """Write the clip."""
    take = take or Take()
    with av.open(str(path), "w", format="mp4", container_options=dict(take.box)) as out:
        video = _picture_track(out, take)
        sound = out.add_stream("aac", rate=take.rate) if take.layout else None
        if sound:
            sound.codec_context.layout = take.layout
        for number in range(int(take.seconds * take.fps)):
            shown = _shown(take, number)
            frame = av.VideoFrame.from_ndarray(shown, "rgb24").reformat(format=take.pixels)
            frame.pts, frame.time_base = (
                (take.times(number), Fraction(1, 1000)) if take.times else (number + take.shift, 1 / take.fps)
            )
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound:
            out.mux(sound.encode(heard(take)))
            out.mux(sound.encode(None))
    return path


def _shown(take: Take, number: int) -> Pixels:
    shown = picture(take.first_number + number, take.size) * (number >= take.dark)
    if take.torn:
        shown[1::2] = picture(take.first_number + number + 1, take.size)[1::2]
    if take.ramp:
        shown[:] = np.linspace(0, 255, take.size[0])[None, :, None]
    return shown.astype(np.uint8)


_QUICK = {
    "libx264": {"preset": "ultrafast", "crf": "20"},
    "libx265": {"preset": "ultrafast", "crf": "20", "x265-params": "log-level=none:pools=1:frame-threads=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
    "libsvtav1": {"preset": "12", "crf": "30", "svtav1-params": "lp=1"},
    "mpeg4": {"qmin": "2", "qmax": "3"},
    "mjpeg": {"qmin": "2", "qmax": "3"},
}


def _picture_track(out: OutputContainer, take: Take) -> VideoStream:
    options = _QUICK[take.codec] | (dict(take.options) if take.codec == "libx264" else {})
    video = out.add_stream(take.codec, rate=take.fps, options=options)
    assert isinstance(video, VideoStream)
    video.width, video.height, video.pix_fmt = *take.size, take.pixels
    context = video.codec_context
    context.sample_aspect_ratio = take.aspect
    if take.colours:
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = take.colours
    if take.times:
        video.time_base = context.time_base = Fraction(1, 1000)
    if take.rotation:
        video.set_display_rotation(-take.rotation)
    return video


def picture(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Pixels:
    """A picture whose upper half tells its number in bright and dark bars; the lower half moves."""
    width, height = size
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = (np.arange(width) * 2 + number * 5)[None, :, None] % 160 + 40
    for bit in range(_BITS):
        pixels[: height // 2, bit * width // _BITS : (bit + 1) * width // _BITS] = 235 if number >> bit & 1 else 20
    return pixels


def number_in(frame: av.VideoFrame) -> int:
    """The number that `picture` has put into this frame, whatever its size now."""
    return number_of(frame.to_ndarray(format="gray").astype(np.uint8))


def number_of(luma: Pixels) -> int:
    """The number in the brightness of a picture."""
    height, width = luma.shape
    row = luma[height // 4]
    centres = [(2 * bit + 1) * width // (2 * _BITS) for bit in range(_BITS)]
    return sum(1 << bit for bit, x in enumerate(centres) if row[x] > 128)


def heard(take: Take) -> av.AudioFrame:
    """The sound of a take: a tone, or silence with a burst of noise in it."""
    channels = len(av.AudioLayout(take.layout).channels)
    count = int((take.sound_seconds or take.seconds) * take.rate)
    samples = (take.level * np.sin(np.arange(count) * 2 * np.pi * 220 / take.rate)).astype(np.float32)
    if take.noise_at is not None:
        samples[:] = 0
        stretched = np.interp(np.arange(0, NOISE.size, 48_000 / take.rate), np.arange(NOISE.size), NOISE)
        start = int(take.noise_at * take.rate)
        samples[start : start + stretched.size] = stretched
    frame = av.AudioFrame.from_ndarray(np.tile(samples, (channels, 1)), "fltp", take.layout)
    frame.sample_rate, frame.pts, frame.time_base = take.rate, 0, Fraction(1, take.rate)
    return frame


def numbers(path: Path) -> list[int]:
    """The number in every picture of a film, in showing order."""
    with av.open(str(path)) as container:
        return [number_in(frame) for frame in container.decode(video=0)]


def samples(path: Path) -> Samples:
    """All that is heard, one row for each channel, from the start of the film."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def planes(path: Path) -> list[Pixels]:
    """Every picture of a film as it is kept: the rows of Y, then of U, then of V."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="yuv420p").astype(np.uint8) for frame in container.decode(video=0)]


def video_packets(path: Path) -> list[bytes]:
    """The encoded pictures, in decoding order."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def laid(folder: Path, clips: Sequence[Path]) -> list[str]:
    """Put the clips into the folder under their digests, as the worker finds them."""
    digests = [hashlib.sha256(clip.read_bytes()).hexdigest() for clip in clips]
    for clip, digest in zip(clips, digests, strict=True):
        shutil.copyfile(clip, folder / digest)
    return digests


def listed(clips: Sequence[Path], **wanted: Any) -> edit.Edit:
    """An edit list of these clips, one after the other; the rest of it as wanted."""
    scenes = [edit.Scene(f"sc_{number}", f"take_{number}", f"Scene no. {number}") for number in range(len(clips))]
    entries = tuple(edit.Entry(scene, str(clip)) for scene, clip in zip(scenes, clips, strict=True))
    return edit.Edit("The Film", **{"entries": entries} | wanted)


def planned(folder: Path, wanted: edit.Edit) -> film.Plan:
    """Look into the clips of an edit list, whose keys are paths here, and plan its film."""
    keys = edit.sources(wanted)
    digests = dict(zip(keys, laid(folder, [Path(key) for key in keys]), strict=True))
    facts: dict[str, film.Facts | None] = {}

    def hear(said: orders.Said) -> None:
        if isinstance(said, orders.Probed):
            facts[said.source] = said.facts or facts.get(said.source)

    pictures = {entry.source for entry in wanted.entries}
    probe = tuple(dict.fromkeys(digest for key, digest in digests.items() if key in pictures))
    sounds = tuple(dict.fromkeys(digest for key, digest in digests.items() if key not in pictures))
    cut.work(orders.Order(folder, probe=probe, sounds=sounds), hear)
    return film.plan(wanted, {key: film.Found(digest, facts[digest]) for key, digest in digests.items()})


def made(folder: Path, wanted: edit.Edit, say: Callable[[orders.Said], None] = lambda said: None) -> film.Plan:
    """Make the film of an edit list in the folder, all of it in this process."""
    plan = planned(folder, wanted)
    cut.work(orders.Order(folder, make=(*plan.pieces.values(), plan.film)), say)
    return plan
