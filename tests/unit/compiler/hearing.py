"""Sounds for the tests of the film's sound: lossless clips with any sound beside their picture, and films of them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from services.compiler import recipes, sound
from tests.unit.compiler.footage import Samples

RATE = sound.RATE
FPS = Fraction(24)


def tone(seconds: float, hertz: float = 997, level: float = 0.1, rate: int = RATE) -> Samples:
    """A sine in both ears."""
    wave = level * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * hertz / rate)
    return np.stack([wave, wave]).astype(np.float32)


def noise(seconds: float, seed: int, level: float = 0.1) -> Samples:
    """Noise that AAC keeps, the same in both ears, and like no other seed's."""
    raw = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    smooth = np.convolve(raw, np.hanning(12) / np.sqrt(np.square(np.hanning(12)).sum()), "same")
    return np.stack([smooth, smooth]).astype(np.float32) * np.float32(level)


def record(
    path: Path,
    samples: Samples,
    *,
    pictures: int | None = None,
    late: Fraction = Fraction(0),
    rate: int = RATE,
    layout: str = "stereo",
    codec: str = "alac",
    form: str = "s16p",
) -> Path:
    """Write a file with this sound, `late` seconds after its first picture; without pictures it is music."""
    with av.open(str(path), "w", format="wav" if codec == "pcm_s16le" else "mp4") as out:
        video = out.add_stream("mpeg4", rate=FPS) if pictures else None
        if video:
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = out.add_stream(codec, rate=rate)
        audio.codec_context.layout, audio.codec_context.format = layout, form
        for number in range(pictures or 0):
            shown = av.VideoFrame(32, 32, "yuv420p")
            shown.pts, shown.time_base = number + max(0, round(-late * FPS)), 1 / FPS
            out.mux(video.encode(shown))
        if video:
            out.mux(video.encode(None))
        most = {"s16": 2**15, "s32": 2**31}.get(form[:3])
        whole = (
            (np.clip(samples, -1, 1).astype(np.float64) * (most - 1)).astype(np.int16 if most == 2**15 else np.int32)
            if most
            else samples
        )
        whole = whole if form.endswith("p") else whole.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(whole), form, layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, round(max(late, Fraction(0)) * rate), Fraction(1, rate)
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return path


def cut(source: str | None, start: int, end: int, **wanted: object) -> recipes.Heard:
    """One cut of a film; plain edges unless wanted otherwise."""
    plain = {"first": 0, "gain_db": 0.0, "lead": 0, "tail": 0, "lead_crossed": False, "tail_crossed": False}
    return recipes.Heard(source, start=start, end=end, **plain | wanted)


def film(*cuts: recipes.Heard, **wanted: object) -> recipes.Sound:
    """The sound of a film of these cuts."""
    plain = {"fps": FPS, "frames": cuts[-1].end, "bed": None, "voices": (), "loudness": -23.0}
    return recipes.Sound(heard=cuts, **plain | wanted)


def play(folder: Path, recipe: recipes.Sound, tell: Callable[[int], None] = lambda count: None) -> Samples:
    """Make the sound and hear all of it."""
    sound.make(recipe, folder, folder / "film", tell)
    with av.open(str(folder / "film")) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    return heard[:, : sound.edge(recipe.frames, recipe.fps)]


def decibels(samples: Samples) -> float:
    """The power of a stretch of sound, re full scale."""
    return 10 * float(np.log10(max(np.square(samples).mean(), 1e-12)))
