"""What a sound is, is read from its bytes."""

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest

from services.compiler import sound_files

MADE = [
    ("audio/mpeg", "mp3", "mp3"),
    ("audio/wav", "wav", "pcm_s16le"),
    ("audio/flac", "flac", "flac"),
    ("audio/mp4", "ipod", "aac"),
    ("audio/ogg", "ogg", "opus"),
]


def recorded(path: Path, container: str, codec: str) -> Path:
    """A second of a tone in this format."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000)
        stream.codec_context.layout = "stereo"
        tone = (np.sin(np.arange(48_000) * 2 * np.pi * 440 / 48_000) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.tile(tone, 2).reshape(1, -1), "s16", "stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        resampler = av.AudioResampler(stream.codec_context.format, "stereo", 48_000, stream.codec_context.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("content_type", "container", "codec"), MADE)
def test_real_files_are_known_by_their_first_bytes(
    tmp_path: Path, content_type: str, container: str, codec: str
) -> None:
    path = recorded(tmp_path / "sound", container, codec)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    said = sound_files.Upload(content_type, path.stat().st_size, digest)
    assert [*said.wrong()] == []
    assert sound_files.refusal(path, said) is None
    assert said.key("acme") == f"t/acme/sounds/{digest}.{sound_files.EXTENSIONS[content_type]}"
    others = [kind for kind in sound_files.EXTENSIONS if kind != content_type]
    for other in others:
        wrong = sound_files.refusal(path, sound_files.Upload(other, said.size_bytes, digest))
        assert wrong == f"the bytes are no {other}; say what they are, or convert them"
    damaged = sound_files.Upload(content_type, said.size_bytes, "0" * 64)
    assert "sha256" in (sound_files.refusal(path, damaged) or "")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"RIFF\0\0\0\0AVI ",
        b"<html><head>",
        b"#EXTM3U\n/etc",
        b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\0",
        b"\xff\xf1\x50\x80" + bytes(8),  # AAC in ADTS
        b"\xff\xfb\xf0\x00" + bytes(8),  # no such bit rate
    ],
)
def test_what_is_no_sound_is_told(head: bytes) -> None:
    assert sound_files.kind(head) is None


def test_a_frame_of_mp3_without_a_tag_is_one() -> None:
    assert sound_files.kind(b"\xff\xfb\x90\x00" + bytes(8)) == "audio/mpeg"


def test_what_is_said_before_the_bytes_has_its_rules() -> None:
    said = sound_files.Upload("video/mp4", 200_000_001, "A" * 64)
    assert [field for field, _ in said.wrong()] == ["content_type", "size_bytes", "sha256"]
    assert [field for field, _ in sound_files.Upload("audio/wav", 0, "a" * 64).wrong()] == ["size_bytes"]
