"""A film is as loud as it was asked to be, by the standard's own measure, and music makes room."""

import itertools
import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from services.compiler import media, recipes, sound
from tests.unit.compiler import hearing
from tests.unit.compiler.footage import Samples
from tests.unit.compiler.hearing import FPS, RATE


def parts(*stretches: tuple[float, float]) -> Samples:
    """A tone of 1 kHz: seconds, and decibels re full scale, one after the other."""
    return np.concatenate([hearing.tone(long, 1000, 10 ** (level / 20)) for long, level in stretches], axis=1)


def lossless(path: Path, samples: Samples) -> Path:
    """A file of exactly these samples, to 24 bits."""
    return hearing.record(path, samples, form="s32p")


def judged(samples: Samples) -> tuple[float, float]:
    """What ffmpeg's own meter says: LUFS and dBTP."""
    graph = av.filter.Graph()
    source = graph.add("abuffer", f"sample_rate={RATE}:sample_fmt=fltp:channel_layout=stereo:time_base=1/{RATE}")
    graph.link_nodes(source, graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    graph.push(frame)
    graph.push(None)
    told: dict[str, str] = {}
    while True:
        try:
            told = graph.pull().metadata
        except (av.error.BlockingIOError, av.error.EOFError):
            peaks = (float(told[f"lavfi.r128.true_peaks_ch{ear}"]) for ear in (0, 1))
            return float(told["lavfi.r128.I"]), 20 * np.log10(max(peaks))


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([(20, -23)], -23),
        ([(20, -33)], -33),
        ([(10, -36), (20, -23), (10, -36)], -23),
        ([(10, -72), (10, -36), (20, -23), (10, -36), (10, -72)], -23),
        ([(20, -26), (20.1, -20), (20, -26)], -23),
    ],
)
def test_the_signals_of_the_standard_are_measured_right(
    tmp_path: Path, stretches: list[tuple[float, float]], expected: float
) -> None:
    """EBU Tech 3341, table 1, signals 1 to 5, two of them shortened: to a tenth of a unit."""
    found = sound.measured(lossless(tmp_path / "signal", parts(*stretches)))
    assert found.integrated == pytest.approx(expected, abs=0.1)


def test_a_peak_between_samples_is_found(tmp_path: Path) -> None:
    """EBU Tech 3341, signal 16: a quarter of the rate at 45 degrees, whose samples are 3 dB under its peaks."""
    wave = 0.5 * np.sin(np.arange(RATE) * np.pi / 2 + np.pi / 4) * np.clip(np.arange(RATE) / 4800, 0, 1)
    found = sound.measured(lossless(tmp_path / "signal", np.stack([wave, wave]).astype(np.float32)))
    assert -6.4 <= found.true_peak <= -5.8


@pytest.mark.parametrize("seed", range(3))
def test_two_meters_agree(tmp_path: Path, seed: int) -> None:
    """Ours, and the one that comes with ffmpeg, on noise that comes and goes."""
    loudness = np.repeat(np.random.default_rng(seed).uniform(0, 0.5, 40), RATE // 4).astype(np.float32)
    made = np.clip(hearing.noise(10, seed, 0.5) * loudness * np.float32([[1], [0.3]]), -0.99, 0.99)
    found = sound.measured(lossless(tmp_path / "noise", made))
    assert (found.integrated, found.true_peak) == pytest.approx(judged(made), abs=0.1)


PROGRAMMES = {
    "tone": hearing.tone(6, 440, 0.02),
    "too loud": hearing.noise(6, 1, 0.4),
    "quiet": hearing.noise(6, 1, 0.002),
    "words": hearing.noise(6, 2, 0.2) * np.tile(np.repeat(np.float32([1, 0.02]), RATE // 2), 6),
    "blows": hearing.noise(6, 3, 0.03)
    + hearing.noise(6, 4, 0.12) * np.tile(np.repeat(np.float32([1, 0]), [960, RATE - 960]), 6),
}


@pytest.mark.parametrize("wanted", [-14.0, -23.0])
@pytest.mark.parametrize("programme", PROGRAMMES)
def test_a_film_is_as_loud_as_it_was_asked_to_be(tmp_path: Path, programme: str, wanted: float) -> None:
    lossless(tmp_path / "music", PROGRAMMES[programme])
    recipe = hearing.film(hearing.cut(None, 0, 144), voices=(recipes.Voice("music", 0, 0.0),), loudness=wanted)
    heard = hearing.play(tmp_path, recipe)
    integrated, peak = judged(heard)
    assert integrated == pytest.approx(wanted, abs=0.3)
    assert peak <= -1
    assert sound.measured(tmp_path / "film").reaches(wanted, 0.5)


def test_no_peak_is_cut_by_more_than_nine_decibels(tmp_path: Path) -> None:
    """One clap in an empty room cannot be loud for long: it stays a clap."""
    clap = np.zeros((2, RATE * 4), np.float32)
    clap[:, RATE : RATE + 480] = hearing.noise(0.01, 1, 0.1)
    lossless(tmp_path / "clap", clap)
    recipe = hearing.film(hearing.cut(None, 0, 96), voices=(recipes.Voice("clap", 0, 0.0),), loudness=-14.0)
    hearing.play(tmp_path, recipe)
    found = sound.measured(tmp_path / "film")
    assert found.integrated < -15
    assert -2.5 < found.true_peak < -1
    assert found.reaches(-14.0, 0.5)
    assert not found.reaches(-30.0, 0.5)


def test_a_limited_peak_is_turned_down_and_not_bent(tmp_path: Path) -> None:
    """A burst of one tone on a quiet one has no overtones afterwards."""
    made = hearing.tone(6, 200, 0.03)
    made[:, 2 * RATE : 3 * RATE] += hearing.tone(1, 3000, 0.5)
    lossless(tmp_path / "burst", made)
    recipe = hearing.film(hearing.cut(None, 0, 144), voices=(recipes.Voice("burst", 0, 0.0),), loudness=-6.0)
    heard = hearing.play(tmp_path, recipe)[0, 2 * RATE + 4800 : 3 * RATE - 4800]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    hertz = np.fft.rfftfreq(heard.size, 1 / RATE)
    assert spectrum[hertz > 4000].max() < spectrum.max() / 1000


def under(folder: Path, others: recipes.Heard, duck: float = 12.0, **wanted: int) -> Samples:
    """Music of 10 kHz, which no other sound has, beside another sound; only the music is given back."""
    hearing.record(folder / "music", hearing.tone(1.7, 10_000, 0.05))
    bed = recipes.Bed("music", 0.0, **{"fade_in": 0, "fade_out": 0} | wanted, duck_db=duck)
    heard = hearing.play(folder, hearing.film(others, frames=240, bed=bed))[0]
    spectrum = np.fft.rfft(heard)
    spectrum[: heard.size * 9000 // RATE] = 0
    return np.fft.irfft(spectrum, heard.size).astype(np.float32)


def levels(heard: Samples, seconds: float = 0.1) -> list[float]:
    """Decibels of each tenth of a second."""
    return [hearing.decibels(one) for one in heard.reshape(-1, round(RATE * seconds))]


def test_music_steps_back_while_something_is_heard_and_does_not_pump(tmp_path: Path) -> None:
    """Words of half a second with as long between them, from the third to the sixth second."""
    words = np.tile(np.repeat(np.float32([1, 0]), RATE // 2), 10)
    words[: 3 * RATE] = words[6 * RATE :] = 0
    hearing.record(tmp_path / "clip", hearing.tone(10, 300, 0.1) * words, pictures=240)
    music = levels(under(tmp_path, hearing.cut("clip", 0, 240)))
    loud, quiet = music[10], music[45]
    assert loud - quiet == pytest.approx(12, abs=0.2)
    assert max(music[30:55]) - min(music[30:55]) < 0.3
    assert (music[20], music[75]) == pytest.approx((loud, loud), abs=0.3)
    assert max(abs(after - before) for before, after in itertools.pairwise(music[1:99])) < 4
    steps = [round(after - before, 1) for before, after in itertools.pairwise(music)]
    assert max(steps[20:30]) <= 0 <= min(steps[56:72])


def test_the_noise_of_a_room_is_not_heard(tmp_path: Path) -> None:
    hearing.record(tmp_path / "clip", hearing.tone(10, 300, 0.005), pictures=240)
    music = levels(under(tmp_path, hearing.cut("clip", 0, 240)))
    assert max(music[1:99]) - min(music[1:99]) < 1  # its seams are heard, and are soft


def test_music_comes_and_goes_in_its_own_time(tmp_path: Path) -> None:
    music = under(tmp_path, hearing.cut(None, 0, 240), fade_in=48, fade_out=96)
    full = hearing.decibels(music[3 * RATE : 4 * RATE])
    for at, expected in ((RATE, 6.02), (8 * RATE, 6.02), (RATE // 2, 12.04), (9 * RATE, 12.04)):
        assert full - hearing.decibels(music[at - 240 : at + 240]) == pytest.approx(expected, abs=0.3)


def test_a_narration_is_heard_from_its_frame_to_the_end_of_the_film(tmp_path: Path) -> None:
    made = hearing.noise(4, 5)
    hearing.record(tmp_path / "voice", made)
    voices = (recipes.Voice("voice", 31, 0.0), recipes.Voice("voice", 500, 0.0))
    heard = hearing.play(tmp_path, hearing.film(hearing.cut(None, 0, 96), voices=voices))[0]
    start = sound.edge(31, FPS)
    assert np.argmax(np.correlate(heard, made[0, 4800:7200])) == start + 4800
    assert hearing.decibels(heard[: start - 2 * sound.PACKET]) < -100
    assert hearing.decibels(heard[-4800:-480]) == pytest.approx(hearing.decibels(heard[start : start + RATE]), abs=1)


def test_music_of_less_than_a_second_is_named(tmp_path: Path) -> None:
    hearing.record(tmp_path / "music", hearing.tone(0.9))
    bed = recipes.Bed("music", 0.0, 0, 0, 12.0)
    with pytest.raises(media.SourceUnreadable, match="music is too short to be music"):
        hearing.play(tmp_path, hearing.film(hearing.cut(None, 0, 48), bed=bed))


@pytest.mark.parametrize(("tenths", "within"), [(100, 0.5), (33, 0.5), (18, 0.707), (4, 2.739), (3, math.inf)])
def test_the_less_is_heard_the_less_exact_it_can_be(tenths, within):
    assert sound.tolerance(np.full(20 * tenths, 0.1)) == pytest.approx(within, abs=0.001)
    long_and_silent = np.concatenate([np.zeros(20 * 100), np.full(20 * tenths, 0.1)])
    assert sound.tolerance(long_and_silent) <= within
