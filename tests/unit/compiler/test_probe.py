from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from services.compiler import media, orders, probe
from tests.unit.compiler import footage

TAKE = footage.Take()


def test_the_facts_of_an_ordinary_clip(tmp_path: Path) -> None:
    facts = probe.probe(footage.shoot(tmp_path / "a.mp4"))
    assert (facts.width, facts.height, facts.fps, facts.frames, facts.seconds) == (160, 96, 24, 24, 1)
    assert (facts.codec, facts.pixels, facts.matrix) == ("h264", "yuv420p", "smpte170m")
    assert (facts.steady, facts.plain, facts.sound, facts.rotation) == (True, True, True, 0)
    assert facts.reorder > 0  # it has B-frames
    assert facts.parameters[0] == 1


@pytest.mark.parametrize("fps", ["24000/1001", "25", "30000/1001", "16", "25/2"])
def test_rates_are_exact_fractions(tmp_path: Path, fps: str) -> None:
    take = replace(TAKE, fps=Fraction(fps), seconds=Fraction(2))
    facts = probe.probe(footage.shoot(tmp_path / "a.mp4", take))
    assert (facts.fps, facts.steady) == (Fraction(fps), True)
    assert facts.seconds == facts.frames / Fraction(fps)


def test_milliseconds_do_not_hide_a_steady_rate(tmp_path: Path) -> None:
    take = replace(TAKE, seconds=Fraction(2), times=lambda number: round(number * 1001 / 24))
    facts = probe.probe(footage.shoot(tmp_path / "a.mp4", take))
    assert (facts.fps, facts.steady) == (Fraction(24000, 1001), True)


def test_a_varying_rate_is_seen(tmp_path: Path) -> None:
    take = replace(TAKE, times=lambda number: number * 40 + (number > 12) * 300)
    facts = probe.probe(footage.shoot(tmp_path / "a.mp4", take))
    assert (facts.fps, facts.steady) == (25, False)
    assert facts.seconds == Fraction(24 * 40 + 300, 1000)


def test_one_picture_is_a_clip(tmp_path: Path) -> None:
    facts = probe.probe(footage.shoot(tmp_path / "a.mp4", replace(TAKE, seconds=Fraction(1, 24), layout="")))
    assert (facts.frames, facts.steady, facts.sound) == (1, True, False)


@pytest.mark.parametrize(("rotation", "size"), [(90, (96, 160)), (180, (160, 96)), (270, (96, 160))])
def test_a_turned_picture_has_the_size_it_is_shown_in(tmp_path: Path, rotation: int, size: tuple[int, int]) -> None:
    facts = probe.probe(footage.shoot(tmp_path / "a.mp4", replace(TAKE, rotation=rotation)))
    assert (facts.width, facts.height, facts.plain, facts.rotation) == (*size, False, rotation)


def test_what_is_no_clip_is_refused_in_words(tmp_path: Path) -> None:
    good = footage.shoot(tmp_path / "good.mp4").read_bytes()
    index_at = good.index(b"moov") - 4
    wrong = {
        "is no MP4 file": b"#EXTM3U\nhttp://127.0.0.1/secret.ts\n",
        "is cut short or damaged": good[:index_at],
        "is cut short": _short_of_data(tmp_path),
        "holds no picture": _sound_only(tmp_path),
    }
    for sentence, content in wrong.items():
        path = tmp_path / "wrong.mp4"
        path.write_bytes(content)
        with pytest.raises(media.Unreadable, match=f"^{sentence}$"):
            probe.probe(path)


def _short_of_data(folder: Path) -> bytes:
    """A clip with its index in front, whose data ends early: what a broken download leaves."""
    source, target = footage.shoot(folder / "whole.mp4"), folder / "front.mp4"
    with (
        media.opened(source) as container,
        av.open(str(target), "w", container_options={"movflags": "+faststart"}) as out,
    ):
        stream = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(container.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return target.read_bytes()[:-200]


def _sound_only(folder: Path) -> bytes:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48_000)
        out.mux(stream.encode(footage.heard(TAKE)))
        out.mux(stream.encode(None))
    return path.read_bytes()


def test_an_index_that_lies_about_the_size_is_not_believed(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "a.mp4")
    told = clip.read_bytes()
    entry = told.rindex(b"avc1")  # ISO/IEC 14496-12, 12.1.3: width and height are 28 bytes into it
    clip.write_bytes(told[: entry + 28] + bytes((0, 80, 0, 48)) + told[entry + 32 :])
    with media.opened(clip) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (80, 48)
    assert (probe.probe(clip).width, probe.probe(clip).height) == (160, 96)
    (folder := tmp_path / "work").mkdir()
    plan = footage.made(folder, footage.listed([clip]))
    assert not plan.cuts[0].conform
    with media.opened(folder / orders.FILM) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (160, 96)
