import dataclasses
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest

from services.sandbox import domain, render, slate

ORDER = domain.Order("openai", "sandbox-reel-1", "A lighthouse by the sea at dusk.", 1, 320, 180, seed=5)


def rendered(folder: Path, order: domain.Order, name: str = "clip") -> Path:
    footage = render.render(order, name, folder, folder)
    path = folder / f"{name}.mp4"
    assert path.stat().st_size == footage.size_bytes
    return path


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as reel:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in reel.decode(video=0)]


def test_the_same_order_gives_the_same_bytes_and_another_seed_or_prompt_others(tmp_path: Path) -> None:
    orders = [
        ORDER,
        ORDER,
        dataclasses.replace(ORDER, seed=6),
        dataclasses.replace(ORDER, prompt="A lighthouse by the sea at dawn."),
    ]
    digests = [render.render(order, f"c{n}", tmp_path, tmp_path).sha256 for n, order in enumerate(orders)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(("seconds", "width", "height"), [(1, 320, 180), (2, 180, 320), (1, 250, 130)])
def test_frames_and_sound_are_exactly_as_long_as_ordered(tmp_path: Path, seconds: int, width: int, height: int) -> None:
    path = rendered(tmp_path, dataclasses.replace(ORDER, seconds=seconds, width=width, height=height))
    with av.open(str(path)) as reel:
        video, audio = reel.streams.video[0], reel.streams.audio[0]
        assert (video.width, video.height, video.codec.name, video.pix_fmt) == (width, height, "h264", "yuv420p")
        assert (video.average_rate, video.profile, video.codec_context.colorspace) == (24, "High", 1)
        assert (audio.codec.name, audio.rate, audio.layout.name) == ("aac", 48_000, "stereo")
        assert video.duration * video.time_base == audio.duration * audio.time_base == seconds
    with av.open(str(path)) as reel:
        frames = list(reel.decode(video=0))
        assert [frame.pts * frame.time_base * 24 for frame in frames] == list(range(24 * seconds))
        assert [n for n, frame in enumerate(frames) if frame.key_frame] == list(range(0, 24 * seconds, 24))
    with av.open(str(path)) as reel:
        heard = np.concatenate([block.to_ndarray() for block in reel.decode(audio=0)], axis=1)
        assert heard.shape[1] - 1024 < 48_000 * seconds <= heard.shape[1]
        assert 0.03 < np.sqrt(np.mean(heard[:, 4000:40_000] ** 2)) < 0.15


def test_the_index_comes_first(tmp_path: Path) -> None:
    head = rendered(tmp_path, ORDER).read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")


def test_without_sound_there_is_no_audio_stream(tmp_path: Path) -> None:
    with av.open(str(rendered(tmp_path, dataclasses.replace(ORDER, sound=False)))) as reel:
        assert [stream.type for stream in reel.streams] == ["video"]


def test_the_clip_opens_on_the_given_picture_and_leaves_it(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.linspace(0, 255, 320), np.linspace(0, 255, 180))
    given = np.stack([x, y, 255 - x], -1).astype(np.uint8)
    PIL.Image.fromarray(given).save(tmp_path / "first", "PNG")
    frames = pictures(rendered(tmp_path, dataclasses.replace(ORDER, reference="first")))
    apart = [float(np.abs(frame - given).mean()) for frame in frames]
    assert apart[0] < 4
    assert apart[6] > 10
    assert apart[12] > 25


@pytest.mark.parametrize(
    "prompt",
    [
        "Two hikers walk along a snowy ridge at dawn; crane up.",
        "A misty forest in the morning, a girl runs between birches, tracking.",
        "Neon city at night in the rain, pan right.",
        "A detective waits in a wet street at night, noir, static.",
        "A captain and a sailor on the deck of a boat, close-up, dusk.",
        "A lighthouse keeper sees the ferry, storm, tilt up.",
        "Dunes in the desert, vintage, pull out.",
        "A kitchen window at golden hour, she stands still; handheld documentary.",
        "A farmhouse in a meadow, pastel, pan left.",
        "A cottage garden at night, anime.",
        "An astronaut walks under a planet in deep space, horror.",
        "A bottle of perfume on the table, product studio.",
        "A letter on the desk, macro.",
        "Coffee beans on slate, macro.",
        "An espresso cup, macro, thriller.",
    ],
)
def test_every_kind_of_scene_moves_and_shows_something(tmp_path: Path, prompt: str) -> None:
    frames = pictures(rendered(tmp_path, dataclasses.replace(ORDER, prompt=prompt, sound=False)))
    assert len(frames) == 24
    assert np.abs(frames[23] - frames[0]).mean() > 0.5
    assert frames[12].std() > 12


def test_the_words_and_the_time_code_are_in_the_picture(tmp_path: Path) -> None:
    still = dataclasses.replace(ORDER, prompt="A desert at noon, static, clear.", sound=False)
    frames = pictures(rendered(tmp_path, still))
    assert frames[0][130:170, 20:150].max() > 200  # the lower third
    code = [frame[4:20, 250:310] for frame in frames[:2]]
    assert np.abs(code[1] - code[0]).max() > 60


def test_the_time_code_counts_frames() -> None:
    assert [slate.time_code(n) for n in (0, 23, 24, 24 * 3661 + 5)] == [
        "00:00:00:00",
        "00:00:00:23",
        "00:00:01:00",
        "01:01:01:05",
    ]


def test_a_render_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        render.render(dataclasses.replace(ORDER, reference="missing"), "clip", tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []
