import csv
import io
import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction

import opentimelineio as otio
import pytest

from services.compiler import timelines
from services.compiler.edit import DIPS, Join, JoinKind
from services.compiler.timelines import edl, fcpxml, reel, shots
from tests.unit.compiler import reels
from tests.unit.compiler.reels import entry, everything, manifested

RATES = [Fraction(24), Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001)]


def test_clips_lie_end_to_end_and_transitions_reach_only_into_what_there_is() -> None:
    laid, film = reel.of(everything()), everything()
    assert (laid.clips[0].start, laid.clips[-1].end) == (0, film.frames)
    assert all(one.end == other.start for one, other in itertools.pairwise(laid.clips))
    for clip in laid.clips:
        assert clip.first - clip.shot.first == clip.start - clip.shot.start
    for change, before, after in zip(laid.transitions[1:], laid.clips, laid.clips[1:], strict=False):
        if change and change.kind not in DIPS:
            assert change.at + change.after == before.shot.end
            assert change.at - change.before == after.shot.start


@pytest.mark.parametrize("fps", RATES)
def test_otio_read_back_is_the_plan_to_the_frame(fps: Fraction) -> None:
    film = everything(fps)
    read = otio.adapters.read_from_string(timelines.FORMATS["OTIO"].write(film), "otio_json")
    assert read.name == film.title
    assert read.duration() == otio.opentime.RationalTime(film.frames, float(fps))
    (track,) = read.tracks
    laid = reel.of(film)
    for clip, made in zip(laid.clips, track.find_clips(), strict=True):
        placed = made.range_in_parent()
        assert (placed.start_time.value, placed.duration.value) == (clip.start, clip.frames)
        assert made.source_range.start_time.value == clip.first
        assert made.metadata["rushes"]["scene_id"] == clip.shot.scene_id
        if clip.shot.source:
            assert made.media_reference.target_url == f"{clip.shot.number if clip.shot.number < 5 else 3:03d}%20" + (
                clip.shot.title.replace(" ", "%20") + ".mp4"
            )
    card = next(iter(track.find_clips())).media_reference
    assert card.parameters["text"] == "The Letter"
    changes = track.find_children(otio.schema.Transition)
    found = [(one.in_offset.value, one.out_offset.value) for one in changes]
    assert found == [(one.before, one.after) for one in laid.transitions if one]


def frames(timecode: str, rate: int) -> int:
    hours, minutes, seconds, frame = map(int, timecode.split(":"))
    assert frame < rate
    return ((hours * 60 + minutes) * 60 + seconds) * rate + frame


EVENT = re.compile(r"(\d{3,})  (\S+) +V     (\S+) +(\d{3})? *" + " ".join([r"(\d\d:\d\d:\d\d:\d\d)"] * 4))


@pytest.mark.parametrize("fps", RATES)
def test_an_edl_covers_the_film_from_its_first_frame_to_its_last(fps: Fraction) -> None:
    film, rate = everything(fps), round(fps)
    at = 0
    for line in filter(None, map(EVENT.fullmatch, edl.write(film).split("\r\n"))):
        source_in, source_out, start, end = (frames(line[group], rate) for group in (5, 6, 7, 8))
        assert source_out - source_in == end - start
        assert start == at
        at = end
    assert at == film.frames


def test_an_edl_line_by_line() -> None:
    film = manifested(
        entry(1, 48, 24),
        entry(2, 48, join=Join(JoinKind.CROSSFADE, 12)),
        entry(3, 48, join=Join(JoinKind.DIP_TO_BLACK, 12)),
        entry(4, 48, join=Join(JoinKind.WIPE_DOWN, 24)),
    )
    assert edl.write(film).split("\r\n") == [
        "TITLE: Das Boot: Teil 1",
        "FCM: NON-DROP FRAME",
        "",
        "001  S001     V     C        00:00:01:00 00:00:02:12 00:00:00:00 00:00:01:12",
        "* FROM CLIP NAME: 001 Scene 1.mp4",
        "002  S001     V     C        00:00:02:12 00:00:02:12 00:00:01:12 00:00:01:12",
        "002  S002     V     D    012 00:00:00:00 00:00:01:18 00:00:01:12 00:00:03:06",
        "* FROM CLIP NAME: 002 Scene 2.mp4",
        "003  S002     V     C        00:00:01:18 00:00:01:18 00:00:03:06 00:00:03:06",
        "003  BL       V     D    006 00:00:00:00 00:00:00:06 00:00:03:06 00:00:03:12",
        "* DIP TO BLACK",
        "004  BL       V     C        00:00:00:00 00:00:00:00 00:00:03:12 00:00:03:12",
        "004  S003     V     D    006 00:00:00:00 00:00:01:00 00:00:03:12 00:00:04:12",
        "* DIP TO BLACK",
        "* FROM CLIP NAME: 003 Scene 3.mp4",
        "005  S003     V     C        00:00:01:00 00:00:01:00 00:00:04:12 00:00:04:12",
        "005  S004     V     W002    024 00:00:00:00 00:00:02:00 00:00:04:12 00:00:06:12",
        "* FROM CLIP NAME: 004 Scene 4.mp4",
        "",
    ]


def rational(time: str) -> Fraction:
    return Fraction(time.removesuffix("s"))


@pytest.mark.parametrize("fps", RATES)
def test_fcpxml_read_back_is_the_plan_to_the_frame(fps: Fraction) -> None:
    film = everything(fps)
    root = ET.fromstring(fcpxml.write(film))
    assert rational(root.find("resources/format").attrib["frameDuration"]) == 1 / fps  # type: ignore[union-attr]
    laid, spine = reel.of(film), root.find("library/event/project/sequence/spine")
    assert spine is not None
    clips = [one for one in spine if one.tag in ("asset-clip", "gap")]
    for clip, made in zip(laid.clips, clips, strict=True):
        found = [rational(made.attrib[name]) * fps for name in ("offset", "start", "duration")]
        assert found == [clip.start, clip.first, clip.frames]
        assert (made.tag == "gap") == (clip.shot.source is None)
    changes = [
        [rational(one.attrib[name]) * fps for name in ("offset", "duration")] for one in spine.iter("transition")
    ]
    assert changes == [[one.at - one.before, one.before + one.after] for one in laid.transitions if one]
    assets = {asset.attrib["id"]: asset for asset in root.iter("asset")}
    assert {clip.attrib["ref"] for clip in clips if clip.tag == "asset-clip"} == set(assets)
    assert {rational(asset.attrib["duration"]) * fps for asset in assets.values()} == {96}


def test_a_shot_list_read_back_is_the_plan() -> None:
    film = everything()
    rows = list(csv.DictReader(io.StringIO(shots.write(film).removeprefix("\ufeff"))))
    assert [(int(row["start_frame"]), int(row["frames"]), row["join"]) for row in rows] == [
        (shot.start, shot.frames, shot.join.kind.lower() if shot.join else "cut") for shot in film.shots
    ]
    assert rows[0]["card"] == "The Letter / a film"
    assert (rows[4]["file"], rows[4]["gain_db"]) == ("003 Scene 2.mp4", "0.0")
    assert rows[2]["gain_db"] == "-3.0"
    assert rows[1]["prompt_sha256"] == reels.MAKER.prompt_sha256


def test_words_that_a_spreadsheet_would_run_are_words() -> None:
    assert "'=HYPERLINK" in shots.write(manifested(entry(1, title="=HYPERLINK(1)")))


@pytest.mark.parametrize("write", [one.write for one in timelines.FORMATS.values()])
def test_hostile_titles_break_no_format(write: object) -> None:
    film = replace(manifested(entry(1, title='<a>&"\u2028\r\n001 EVIL "')), title="]]> & \x01\n<x/>")
    text = write(film)  # type: ignore[operator]
    if text.startswith("<?xml"):
        assert ET.fromstring(text).find("library/event") is not None
    assert "\n001 EVIL" not in text


def test_file_names_are_ones_that_disks_bear() -> None:
    film = manifested(entry(1, title="a/../b: <c>"), entry(1), entry(2, title=""))
    assert list(reel.names(film).values()) == ["001 a .. b c.mp4", "003 Scene 3.mp4"]


def test_long_names_are_cut_between_letters() -> None:
    (name,) = reel.names(manifested(entry(1, title="渡" * 200))).values()
    assert len(name.encode()) <= 204
    assert name.endswith("渡.mp4")
