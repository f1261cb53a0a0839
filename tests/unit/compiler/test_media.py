"""What is opened, by whom, and whose fault it is when it cannot be read."""

import errno
from fractions import Fraction
from pathlib import Path

import av
import pytest

from services.compiler import media
from tests.unit.compiler import footage, malice


def recorded(path: Path, form: str, codec: str) -> Path:
    """A second of sound."""
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=48_000)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "stereo"
        converted = av.AudioResampler(stream.codec_context.format, "stereo", 48_000)
        for frame in converted.resample(footage.heard(footage.Take())):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("form", "codec", "reader"),
    [
        ("mp3", "libmp3lame", "mp3"),
        ("wav", "pcm_s16le", "wav"),
        ("wav", "pcm_s24le", "wav"),
        ("wav", "pcm_f32le", "wav"),
        ("flac", "flac", "flac"),
        ("ipod", "aac", "mov,mp4,m4a,3gp,3g2,mj2"),
        ("mp4", "alac", "mov,mp4,m4a,3gp,3g2,mj2"),
        ("ogg", "libopus", "ogg"),
    ],
)
def test_sound_comes_in_any_usual_file(tmp_path: Path, form: str, codec: str, reader: str) -> None:
    """Whatever the name of the file; each is read by one reader."""
    path = recorded(tmp_path / "name-without-meaning", form, codec)
    with media.heard(path) as container:
        assert container.format.name in (reader, reader.split(",")[0])
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 48_000


def test_an_mp3_needs_no_tag(tmp_path: Path) -> None:
    whole = recorded(tmp_path / "a", "mp3", "libmp3lame").read_bytes()
    (tmp_path / "b").write_bytes(whole[whole.index(b"\xff\xfb") :])
    with media.heard(tmp_path / "b") as container:
        assert container.format.name == "mp3"


@pytest.mark.parametrize(("form", "codec"), [("wav", "pcm_s16be"), ("wav", "adpcm_ms"), ("matroska", "aac")])
def test_sound_of_other_kinds_is_refused(tmp_path: Path, form: str, codec: str) -> None:
    path = tmp_path / "a"
    if codec == "pcm_s16be":
        path.write_bytes(b"RIFX" + recorded(path, "wav", "pcm_s16le").read_bytes()[4:])
    else:
        recorded(path, form, codec)
    with pytest.raises(media.Unreadable), media.heard(path):
        pass


def test_music_is_no_clip(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.mp4", "mp3", "libmp3lame")
    with pytest.raises(media.Unreadable, match=r"^is no MP4 file$"), media.opened(path):
        pass


def test_a_picture_that_is_larger_than_its_track_says_is_not_decoded(tmp_path: Path) -> None:
    """The track says 160 x 96, the picture in it 16384 x 16384."""
    malice.giant(tmp_path / "a.mp4")
    with media.opened(tmp_path / "a.mp4") as container, pytest.raises(av.error.FFmpegError):
        list(container.decode(video=0))


def test_more_channels_than_a_room_has_speakers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(malice.wav([0.0] * 16_000, channels=16))
    with pytest.raises(media.Unreadable, match=r"^holds sound of a kind that is not taken$"), media.heard(path):
        pass


def test_a_title_in_no_known_letters_is_no_reason_to_refuse(tmp_path: Path) -> None:
    good = footage.shoot(tmp_path / "a.mp4").read_bytes()
    title = malice.box(b"\xa9nam", b"\0\5\x15\xc7\xff\xfe\x80\x81\xc0")
    path = tmp_path / "b.mp4"
    path.write_bytes(malice.edited(good, b"moov", lambda old: old + malice.box(b"udta", title)))
    with media.opened(path) as container:
        assert container.streams.video[0].frames == 24


def test_four_hours_are_enough(tmp_path: Path) -> None:
    take = footage.Take(times=lambda number: number * 1000 * 3600 // 4)
    with pytest.raises(media.Unreadable, match=r"^is longer than can be used$"):
        with media.opened(footage.shoot(tmp_path / "a.mp4", take)):
            pass
    assert Fraction(media.MAX_SECONDS) == 4 * 3600


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (media.Unreadable("is damaged"), "is damaged"),
        (av.error.InvalidDataError(0x41444E49, "x"), "is damaged"),
        (av.error.PermissionError(errno.EACCES, "x"), "is damaged"),
        (av.error.MemoryError(errno.ENOMEM, "x"), "needs more memory than a clip may"),
        (MemoryError(), "needs more memory than a clip may"),
    ],
)
def test_what_a_library_says_of_a_file_is_the_files_fault(error: Exception, problem: str) -> None:
    with pytest.raises(media.SourceUnreadable) as caught, media.blamed_on("digest"):
        raise error
    assert (caught.value.source, caught.value.problem) == ("digest", problem)


@pytest.mark.parametrize("error", [av.error.OSError(errno.ENOSPC, "x"), OSError(errno.EIO, "x"), KeyError("x")])
def test_a_full_disk_and_our_own_mistakes_are_not(error: Exception) -> None:
    with pytest.raises(type(error)), media.blamed_on("digest"):
        raise error
