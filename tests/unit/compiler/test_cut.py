import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from services.compiler import domain, edit, film, media, orders, recipes, sound
from tests.unit.compiler import footage

TAKE = footage.Take()
Cutter = Callable[..., film.Plan]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def cut_together(tmp_path: Path, folder: Path) -> Cutter:
    """Shoot these takes and cut them; the film is in `folder`."""

    def run(takes: Sequence[footage.Take], **wanted: Any) -> film.Plan:
        clips = [footage.shoot(tmp_path / f"take-{number}.mp4", take) for number, take in enumerate(takes)]
        return footage.made(folder, footage.listed(clips, **wanted))

    return run


def test_matching_clips_are_copied_byte_for_byte(tmp_path: Path, folder: Path, cut_together: Cutter) -> None:
    takes = [replace(TAKE, first_number=40 * number) for number in range(3)]
    plan = cut_together(takes)
    assert not any(planned.conform for planned in plan.cuts)
    originals = [footage.video_packets(tmp_path / f"take-{number}.mp4") for number in range(3)]
    assert footage.video_packets(folder / orders.FILM) == [packet for clip in originals for packet in clip]
    assert footage.numbers(folder / orders.FILM) == [40 * n + frame for n in range(3) for frame in range(24)]


def test_whatever_the_clips_the_film_is_exact(folder: Path, cut_together: Cutter) -> None:
    """Sizes, rates, shapes, turned, silent, mono, surround, other encoders: all in one film, to the frame."""
    takes = [
        replace(TAKE, seconds=Fraction(2)),
        replace(TAKE, first_number=60, size=(320, 192)),
        replace(TAKE, first_number=100, fps=Fraction(30000, 1001), seconds=Fraction(3003, 3000)),
        replace(TAKE, first_number=140, layout=""),
        replace(TAKE, first_number=170, layout="mono", rate=44_100),
        replace(TAKE, first_number=200, options=(("bf", "0"), ("g", "240"))),
        replace(TAKE, first_number=230, layout="5.1"),
    ]
    plan = cut_together(takes)
    assert [bool(planned.conform) for planned in plan.cuts] == [False, True, True, False, False, True, False]
    seen = footage.numbers(folder / orders.FILM)
    assert len(seen) == plan.film.frames == 48 + 6 * 24
    assert seen[:48] == list(range(48))
    assert seen[48:72] == list(range(60, 84))
    assert seen[72:96] == sorted(seen[72:96])
    assert (seen[72], seen[95]) == (100, 129)  # 30 pictures in 24 places
    assert seen[96:] == [first + n for first in (140, 170, 200, 230) for n in range(24)]
    assert footage.samples(folder / orders.FILM).shape[1] - plan.film.seconds * sound.RATE < sound.PACKET


def test_a_film_of_nothing_but_conformed_clips(folder: Path, cut_together: Cutter) -> None:
    takes = [TAKE, replace(TAKE, first_number=50, fps=Fraction(25))]
    plan = cut_together(takes, wish=edit.Wish((128, 128), Fraction(12)))
    assert all(planned.conform for planned in plan.cuts)
    with av.open(str(folder / orders.FILM)) as container:
        picture = next(container.decode(video=0))
        container.seek(0)
        keys = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe]
    bars = picture.to_ndarray(format="gray")
    assert bars.shape == (128, 128)
    assert bars[:20].max() < 20 < bars[70:100].min()  # a wide picture in a square has black above it
    assert keys == [0, 12288]  # a closed group each second


def test_sound_whose_last_packet_is_all_but_empty_is_heard_to_its_end(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "clip.mp4", footage.Take(seconds=Fraction(85, 24)))
    plan = footage.made(tmp_path, footage.listed([clip]))
    assert sound.edge(plan.film.frames, plan.film.profile.fps) % sound.PACKET == 16


def test_a_clip_that_is_shorter_than_a_frame_of_the_film_is_shown(folder: Path, cut_together: Cutter) -> None:
    blink = footage.Take(seconds=Fraction(1, 25), fps=Fraction(25), first_number=77)
    cut_together([TAKE, blink], wish=edit.Wish(fps=Fraction(12)))
    assert footage.numbers(folder / orders.FILM)[-1] == 77


def test_a_loud_tone_is_as_loud_as_it_should_be(folder: Path, cut_together: Cutter) -> None:
    cut_together([replace(TAKE, seconds=Fraction(3))], loudness=-5.0)
    assert sound.measured(folder / orders.FILM).integrated == pytest.approx(-5.0, abs=0.1)


def test_a_turned_clip_stands_upright(folder: Path, cut_together: Cutter) -> None:
    plan = cut_together([replace(TAKE, rotation=90, seconds=Fraction(1, 2))])
    assert (plan.film.profile.width, plan.film.profile.height) == (96, 160)
    with av.open(str(folder / orders.FILM)) as container:
        luma = next(container.decode(video=0)).to_ndarray(format="gray")
    assert luma[:, :40].mean() > luma[:, 60:90].mean() or luma[80, 90] < 40  # the bars are now at the right
    assert luma[10, 80] == pytest.approx(20, abs=12)


def test_a_varying_rate_becomes_steady(folder: Path, cut_together: Cutter) -> None:
    late = replace(TAKE, times=lambda number: number * 40 + (number >= 12) * 400)
    plan = cut_together([late], wish=edit.Wish(fps=Fraction(25)))
    seen = footage.numbers(folder / orders.FILM)
    assert seen == [*range(12), *[11] * 10, *range(12, 24)]
    assert plan.film.frames == 34


def test_chapters_title_and_stills(folder: Path, cut_together: Cutter) -> None:
    cut_together([TAKE, replace(TAKE, seconds=Fraction(3, 2)), TAKE])
    with av.open(str(folder / orders.FILM)) as container:
        chapters = [(float(c["start"] * c["time_base"]), c["metadata"]["title"]) for c in container.chapters()]
        assert container.metadata["title"] == "The Film"
    assert chapters == [(0.0, "Scene no. 0"), (1.0, "Scene no. 1"), (2.5, "Scene no. 2")]
    for name in (orders.POSTER, orders.CONTACT_SHEET):
        assert (folder / name).read_bytes().startswith(b"\xff\xd8\xff")


def test_cutting_twice_makes_the_same_file(folder: Path, cut_together: Cutter) -> None:
    takes = [TAKE, replace(TAKE, size=(320, 192))]
    cut_together(takes)
    first = (folder / orders.FILM).read_bytes()
    cut_together(takes)
    assert (folder / orders.FILM).read_bytes() == first


def test_progress_rises_to_the_end(tmp_path: Path, folder: Path) -> None:
    clips = [footage.shoot(tmp_path / "a.mp4"), footage.shoot(tmp_path / "b.mp4", replace(TAKE, fps=Fraction(25)))]
    said: list[orders.Said] = []
    plan = footage.made(folder, footage.listed(clips), said.append)
    told = [one.done for one in said if isinstance(one, orders.Share)]
    assert told == sorted(told)
    assert told[-1] == 1
    assert [one.address for one in said if isinstance(one, orders.Made)] == [
        *plan.pieces,
        recipes.address(plan.film),
    ]


def test_what_is_black_or_silent_for_long_is_noticed(tmp_path: Path, folder: Path) -> None:
    takes = [TAKE, replace(TAKE, seconds=Fraction(3), dark=72), replace(TAKE, seconds=Fraction(3), layout=""), TAKE]
    clips = [footage.shoot(tmp_path / f"{number}.mp4", take) for number, take in enumerate(takes)]
    said: list[orders.Said] = []
    footage.made(folder, footage.listed(clips), said.append)
    (noticed,) = (one for one in said if isinstance(one, orders.Noticed))
    black, silent = noticed.notices
    assert black == domain.Notice(domain.Oddity.BLACK, 24, 96)
    assert silent.kind is domain.Oddity.SILENT
    assert (silent.start, silent.end) == (pytest.approx(96, abs=2), pytest.approx(168, abs=2))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda whole: whole[: len(whole) // 2], "is cut short or damaged"),
        (lambda whole: b"<html>502 Bad Gateway</html>", "is no MP4 file"),
        (lambda whole: b"", "is no MP4 file"),
    ],
)
def test_a_broken_clip_is_named(tmp_path: Path, folder: Path, damage: Callable[[bytes], bytes], problem: str) -> None:
    good, broken = footage.shoot(tmp_path / "good.mp4"), tmp_path / "broken.mp4"
    broken.write_bytes(damage(good.read_bytes()))
    with pytest.raises(media.SourceUnreadable) as caught:
        footage.made(folder, footage.listed([good, broken]))
    assert caught.value.problem == problem
    assert caught.value.source == hashlib.sha256(broken.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "wanted",
    [{}, {"wish": edit.Wish(fps=Fraction(25))}, {"ending": edit.Join(edit.JoinKind.DIP_TO_BLACK, 12)}],
    ids=["copied", "conformed", "drawn over"],
)
def test_damage_inside_a_clip_is_found(tmp_path: Path, folder: Path, wanted: dict[str, Any]) -> None:
    clip = footage.shoot(tmp_path / "a.mp4")
    with av.open(str(clip)) as container:
        packet = max([p for p in container.demux(video=0) if not p.is_keyframe][14:], key=lambda p: p.size)
    content = bytearray(clip.read_bytes())
    middle = (packet.pos or 0) + packet.size // 2
    content[middle : middle + 12] = b"\xff" * 12
    clip.write_bytes(content)
    with pytest.raises(media.SourceUnreadable, match="is damaged") as caught:
        footage.made(folder, footage.listed([clip], **wanted))
    assert caught.value.source == hashlib.sha256(content).hexdigest()
