"""What is packed for others: archives of scenes, and films for streaming."""

import hashlib
import re
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from services.compiler import cut, edit, orders, recipes
from tests.unit.compiler import footage


def packed(folder: Path, recipe: recipes.Recipe) -> Path:
    """The ZIP of a recipe, taken apart beside it."""
    cut.work(orders.Order(folder, make=(recipe,)), lambda said: None)
    made = folder / recipes.address(recipe)
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_an_archive_has_every_clip_untouched_under_its_human_name(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "0.mp4")
    (digest,) = footage.laid(tmp_path, [clip])
    recipe = recipes.Archive((("001 Küche.mp4", digest),), (("Der Film.edl", "TITLE: Ü\r\n"),))
    unpacked = packed(tmp_path, recipe)
    assert (unpacked / "001 Küche.mp4").read_bytes() == clip.read_bytes()
    assert (unpacked / "Der Film.edl").read_bytes() == "TITLE: Ü\r\n".encode()
    with zipfile.ZipFile(tmp_path / recipes.address(recipe)) as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_same_archive_is_the_same_bytes(tmp_path: Path) -> None:
    (digest,) = footage.laid(tmp_path, [footage.shoot(tmp_path / "0.mp4")])
    recipe = recipes.Archive((("a.mp4", digest),), ())
    made = set()
    for _ in range(2):
        packed(tmp_path, recipe)
        made.add(hashlib.sha256((tmp_path / recipes.address(recipe)).read_bytes()).hexdigest())
    assert len(made) == 1


def streamed(folder: Path) -> tuple[Path, int]:
    """A film of two scenes and a join, as HLS; and how many pictures it has."""
    takes = [footage.Take(seconds=Fraction(7), first_number=n * 30, size=(320, 192)) for n in range(2)]
    clips = [footage.shoot(folder / f"{n}.mp4", take) for n, take in enumerate(takes)]
    wanted = footage.listed(clips)
    joined = replace(wanted.entries[1], join=edit.Join(edit.JoinKind.CROSSFADE, 12))
    plan = footage.made(folder, replace(wanted, entries=(wanted.entries[0], joined)))
    digest = footage.laid(folder, [folder / orders.FILM])[0]
    return packed(folder, recipes.Stream(digest, plan.film.profile, plan.film.frames)), plan.film.frames


def test_both_renditions_are_the_film_and_change_over_at_the_same_times(tmp_path: Path) -> None:
    unpacked, frames = streamed(tmp_path)
    assert sorted(path.name for path in unpacked.iterdir()) == [
        "high.m3u8",
        "high.mp4",
        "low.m3u8",
        "low.mp4",
        "master.m3u8",
    ]
    spans = {
        name: re.findall(r"#EXTINF:([0-9.]+)", (unpacked / f"{name}.m3u8").read_text()) for name in ("high", "low")
    }
    assert spans["high"] == spans["low"]
    assert abs(sum(map(float, spans["low"])) - frames / 24) < 0.001
    original = footage.numbers(tmp_path / orders.FILM)
    for name, size in (("high", (320, 192)), ("low", (160, 96))):
        with av.open(str(unpacked / f"{name}.m3u8")) as container:
            pictures = list(container.decode(video=0))
        assert (pictures[0].width, pictures[0].height) == size
        assert [footage.number_in(picture) for picture in pictures] == original


def test_sound_stays_with_its_pictures(tmp_path: Path) -> None:
    unpacked, _ = streamed(tmp_path)
    for name in ("high", "low"):
        with av.open(str(unpacked / f"{name}.m3u8")) as container:
            first = {}
            for packet in container.demux():
                if packet.pts is not None:
                    first.setdefault(packet.stream.type, []).append(packet.pts * packet.time_base)
        assert (min(first["audio"]), min(first["video"])) == (0, 0)


def test_the_master_playlist_says_what_a_player_has_to_know(tmp_path: Path) -> None:
    master = (streamed(tmp_path)[0] / "master.m3u8").read_text()
    lines = re.findall(
        r'#EXT-X-STREAM-INF:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),RESOLUTION=(\w+),.*"(.*)"\n(.*)', master
    )
    assert [(size, playlist) for _, _, size, _, playlist in lines] == [("320x192", "high.m3u8"), ("160x96", "low.m3u8")]
    assert all(re.fullmatch(r"avc1\.[0-9A-F]{6},mp4a\.40\.2", codecs) for *_, codecs, _ in lines)
    (high_peak, high_mean), (low_peak, low_mean) = ((int(peak), int(mean)) for peak, mean, *_ in lines)
    assert high_peak >= high_mean > low_mean
    assert low_peak >= low_mean
