"""What is heard where: every clip's sound lies where its picture lies, to the sample, and nothing clicks."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from services.compiler import media, orders, recipes, sound, timeline
from tests.unit.compiler import footage, hearing
from tests.unit.compiler.hearing import FPS, RATE

MILLISECOND = RATE // 1000


def place(heard: footage.Samples, sought: footage.Samples) -> int:
    """Where in one ear the other sound is."""
    return int(np.argmax(np.correlate(heard, sought)))


@pytest.mark.parametrize("fps", [Fraction(24), Fraction(24000, 1001)])
def test_after_120_joins_a_burst_is_heard_with_its_picture(tmp_path: Path, fps: Fraction) -> None:
    """Five kinds of clips, each with a burst of noise at its fifth picture; the fourth is conformed."""
    take = footage.Take(seconds=8 / fps, fps=fps, noise_at=4 / fps)
    kinds = [replace(take, rate=44_100), replace(take, layout="mono"), replace(take, size=(320, 192))]
    takes = [take, *kinds, replace(take, layout="5.1")]
    (folder := tmp_path / "work").mkdir()
    clips = [footage.shoot(tmp_path / f"{number}.mp4", one) for number, one in enumerate(takes)]
    plan = footage.made(folder, footage.listed(clips * 24))
    assert footage.numbers(folder / orders.FILM) == list(range(8)) * 120
    heard = footage.samples(folder / orders.FILM)
    for cut in plan.cuts:
        seen = timeline.nearest((cut.place.start + 4) * RATE / fps)
        for ear in heard:
            near = ear[seen - 50 * MILLISECOND : seen + 75 * MILLISECOND]
            assert abs(place(near, footage.NOISE) - 50 * MILLISECOND) < MILLISECOND


def test_the_sound_is_as_long_as_the_film_to_the_sample(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "a.mp4", footage.Take(fps=Fraction(30000, 1001)))
    plan = footage.made(tmp_path, footage.listed([clip] * 7))
    for path in (tmp_path / orders.FILM, tmp_path / plan.film.sound):
        with av.open(str(path)) as container:
            times = [(p.pts, p.duration) for p in container.demux(audio=0) if p.pts is not None and p.pts >= 0]
        assert times[0][0] == 0
        assert sum(times[-1]) == sound.edge(plan.film.frames, Fraction(30000, 1001)) == 325_125


@pytest.mark.parametrize(
    ("late", "first", "expected"),
    [
        (Fraction(0), 0, 0),
        (Fraction(1, 4), 0, RATE // 4),
        (Fraction(-1, 4), 0, -RATE // 4),
        (Fraction(0), 7, -14_000),
        (Fraction(1, 4), 3, 6_000),
        (Fraction(0), 73, -146_000),  # so far in that the file is not read from its start
        (Fraction(1, 4), 73, -134_000),
        (Fraction(-1, 4), 73, -158_000),
    ],
)
def test_sound_lies_where_its_picture_lies(tmp_path: Path, late: Fraction, first: int, expected: int) -> None:
    """The clip's own sound may begin after its first picture or before it, and its beginning may be cut off."""
    made = hearing.noise(5, seed=1)
    hearing.record(tmp_path / "clip", made, pictures=110, late=late)
    heard = hearing.play(tmp_path, hearing.film(hearing.cut("clip", 0, 36, first=first)))[0]
    looked_at = RATE * 3 // 4
    probe = made[0, looked_at - expected : looked_at - expected + 2400]
    assert place(heard, probe) == looked_at
    if expected > 0:
        assert hearing.decibels(heard[: expected - 2 * sound.PACKET]) < -90


def test_compressed_sound_is_the_same_wherever_reading_begins(tmp_path: Path) -> None:
    """AAC, with its priming, joined from the middle of the clip: as if it had never been cut."""
    made = hearing.noise(6, seed=2)
    hearing.record(tmp_path / "clip", made, pictures=144, codec="aac", form="fltp")
    parts = [hearing.cut("clip", at, at + 24, first=at) for at in range(0, 144, 24)]
    heard = hearing.play(tmp_path, hearing.film(*parts))[0]
    for join in range(RATE, 6 * RATE, RATE):
        assert place(heard[join : join + RATE // 2], made[0, join + 4800 : join + 7200]) == 4800


def test_a_short_sound_ends_in_silence(tmp_path: Path) -> None:
    hearing.record(tmp_path / "clip", hearing.tone(1.5), pictures=48)
    hearing.record(tmp_path / "dumb", hearing.tone(0.1), pictures=24)
    heard = hearing.play(tmp_path, hearing.film(hearing.cut("clip", 0, 48), hearing.cut(None, 48, 72)))
    ends = RATE * 3 // 2
    assert hearing.decibels(heard[:, : ends - 480]) > -35
    assert hearing.decibels(heard[:, ends + 2 * sound.PACKET :]) < -110


def test_silence_stays_silence(tmp_path: Path) -> None:
    footage.shoot(tmp_path / "dumb", footage.Take(layout=""))
    cuts = [hearing.cut("dumb", 0, 24), hearing.cut(None, 24, 48)]
    assert not hearing.play(tmp_path, hearing.film(*cuts)).any()
    assert sound.measured(tmp_path / "film") == sound.Loudness(-70.0, -120.0)


@pytest.mark.parametrize(
    ("layout", "rate", "decibels"),
    [("mono", RATE, 0), ("mono", 44_100, 0), ("stereo", 22_050, 0), ("5.1", RATE, 20 * np.log10(1 + 2 * 0.5**0.5))],
)
def test_whatever_the_channels_both_ears_hear_all(tmp_path: Path, layout: str, rate: int, decibels: float) -> None:
    """One channel goes to both ears; of six each ear has its front, and 3 dB less of the centre and its back."""
    channels = len(av.AudioLayout(layout).channels)
    made = np.tile(hearing.tone(2, level=0.05, rate=rate)[:1], (channels, 1))
    hearing.record(tmp_path / "clip", made, pictures=48, rate=rate, layout=layout, codec="aac", form="fltp")
    hearing.record(tmp_path / "same", hearing.tone(2, level=0.05), pictures=48)
    heard = hearing.play(tmp_path, hearing.film(hearing.cut("clip", 0, 48), hearing.cut("same", 48, 96)))
    for ear in heard:
        louder = hearing.decibels(ear[RATE // 2 : RATE]) - hearing.decibels(ear[RATE * 5 // 2 : RATE * 3])
        assert louder == pytest.approx(decibels, abs=0.1)


def test_a_cut_is_as_much_louder_as_it_was_asked_to_be(tmp_path: Path) -> None:
    hearing.record(tmp_path / "clip", hearing.tone(1), pictures=24)
    cuts = [hearing.cut("clip", 0, 24), hearing.cut("clip", 24, 48, gain_db=-7.5)]
    heard = hearing.play(tmp_path, hearing.film(*cuts))
    assert hearing.decibels(heard[:, :RATE]) - hearing.decibels(heard[:, RATE:]) == pytest.approx(7.5, abs=0.1)


def test_a_crossfade_is_as_strong_as_what_it_joins(tmp_path: Path) -> None:
    for number in range(2):
        hearing.record(tmp_path / str(number), hearing.noise(3, seed=number), pictures=72)
    cuts = [hearing.cut("0", 0, 72, tail=48, tail_crossed=True), hearing.cut("1", 24, 96, lead=48, lead_crossed=True)]
    heard = hearing.play(tmp_path, hearing.film(*cuts))
    around = [hearing.decibels(heard[:, at : at + RATE // 4]) for at in range(RATE // 4, 15 * RATE // 4, RATE // 4)]
    assert max(around) - min(around) < 0.5


def test_a_dip_goes_to_nothing_and_back(tmp_path: Path) -> None:
    hearing.record(tmp_path / "clip", hearing.tone(2), pictures=48)
    heard = hearing.play(
        tmp_path, hearing.film(hearing.cut("clip", 0, 48, tail=12), hearing.cut("clip", 48, 96, lead=12))
    )
    levels = [hearing.decibels(heard[:, 2 * RATE + at - 480 : 2 * RATE + at + 480]) for at in (-24_000, -12_000, -480)]
    assert levels[0] - levels[1] == pytest.approx(6, abs=0.2)
    assert levels[0] - levels[2] > 30
    assert hearing.decibels(heard[:, 2 * RATE + 11_520 : 2 * RATE + 12_480]) == pytest.approx(levels[1], abs=0.2)


@pytest.mark.parametrize("shape", [{}, {"first": 11}, {"first": 11, "gain_db": 6.0}])
def test_no_cut_clicks(tmp_path: Path, shape: dict[str, float]) -> None:
    """A jump would be a hundred times as sharp as anything in the tone."""
    hearing.record(tmp_path / "clip", hearing.tone(2, hertz=220.4), pictures=48)
    hearing.record(tmp_path / "short", hearing.tone(0.7011, hertz=220.4), pictures=48)
    cuts = [hearing.cut("clip", 0, 24, **shape), hearing.cut("short", 24, 48), hearing.cut("clip", 48, 72, **shape)]
    heard = hearing.play(tmp_path, hearing.film(*cuts))[0]
    sharpness = np.abs(np.diff(np.pad(heard, 2), 2))
    assert 0 < sharpness.max() < heard.max() / 50


def test_damaged_sound_is_named(tmp_path: Path) -> None:
    hearing.record(tmp_path / "clip", hearing.noise(2, seed=1), pictures=48, codec="aac", form="fltp")
    with av.open(str(tmp_path / "clip")) as container:
        packet = list(container.demux(audio=0))[40]
    content = bytearray((tmp_path / "clip").read_bytes())
    content[(packet.pos or 0) : (packet.pos or 0) + packet.size] = b"\xff" * packet.size
    (tmp_path / "clip").write_bytes(content)
    with pytest.raises(media.SourceUnreadable) as caught:
        hearing.play(tmp_path, hearing.film(hearing.cut("clip", 0, 48)))
    assert (caught.value.source, caught.value.problem) == ("clip", "has damaged sound")
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


def test_the_same_recipe_is_the_same_bytes_and_tells_every_frame(tmp_path: Path) -> None:
    hearing.record(tmp_path / "clip", hearing.noise(2, seed=1, level=0.3), pictures=48)
    hearing.record(tmp_path / "music", hearing.noise(1.3, seed=2))
    bed = recipes.Bed("music", -6.0, 12, 12, 12.0)
    recipe = hearing.film(
        hearing.cut("clip", 0, 47), hearing.cut(None, 47, 120), bed=bed, voices=(recipes.Voice("clip", 71, -3.0),)
    )
    told: list[int] = []
    hearing.play(tmp_path, recipe, told.append)
    first = (tmp_path / "film").read_bytes()
    assert sum(told) == recipe.frames == 120
    assert min(told) >= 0
    hearing.play(tmp_path, recipe)
    assert (tmp_path / "film").read_bytes() == first
    assert FPS == recipe.fps
