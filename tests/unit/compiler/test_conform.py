from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from services.compiler import blending, cards, conform
from services.compiler.edit import Fit
from services.compiler.recipes import House, Profile
from tests.unit.compiler import footage

PROFILE = Profile(footage.WIDTH, footage.HEIGHT, Fraction(24))
TAKE = footage.Take()


def fitted(folder: Path, take: footage.Take, profile: Profile = PROFILE, fit: Fit = Fit.PAD) -> list[blending.Planes]:
    """A clip as the film shows it, before it is encoded."""
    digest = footage.laid(folder, [footage.shoot(folder / "clip.mp4", take)])[0]
    frames = round(take.seconds * profile.fps)
    pictures = conform.pictures(House(digest, profile, frames, fit, 0), folder)
    return [frame.to_ndarray(format="yuv420p").astype(np.uint8) for frame in pictures]


def flat(folder: Path, rgb: tuple[int, int, int], pixels: str, colours: tuple[int, int, int, int] | None) -> str:
    """A clip of one colour, kept in the way that is asked for."""
    names = {1: "ITU709", 6: "ITU601", 9: "BT2020"}
    matrix, full = (colours[2], colours[3]) if colours else (6, 1)
    with av.open(str(folder / "flat.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"qp": "0" if "444" in pixels else "1"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, pixels
        if colours:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = colours
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), rgb, np.uint8), "rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=names[matrix], src_color_range=2, dst_color_range=full)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return footage.laid(folder, [folder / "flat.mp4"])[0]


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (40, 80, 200), (128, 128, 128), (250, 250, 250)])
@pytest.mark.parametrize(
    ("pixels", "colours"),
    [
        ("yuv420p", None),
        ("yuv420p", (1, 1, 1, 1)),
        ("yuv420p", (6, 6, 6, 1)),
        ("yuv420p", (1, 1, 1, 2)),
        ("yuvj420p", (6, 6, 6, 2)),
        ("yuv420p10le", (1, 1, 1, 1)),
        ("yuv444p", (1, 1, 1, 1)),
    ],
)
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_colours_stay_as_they_are_however_they_are_kept(
    rgb: tuple[int, int, int], pixels: str, colours: tuple[int, int, int, int] | None, matrix: str, tmp_path: Path
) -> None:
    recipe = House(flat(tmp_path, rgb, pixels, colours), replace(PROFILE, matrix=matrix), 4, Fit.PAD, 0)
    shown = [frame.to_ndarray(format="yuv420p") for frame in conform.pictures(recipe, tmp_path)]
    expected = cards.yuv(np.full((96, 160, 3), rgb, np.uint8), matrix)
    assert abs(shown[2].astype(int) - expected).max() <= 3


def test_a_wide_clip_in_a_square_has_bars_or_is_cut_off_or_lies_on_its_blur(tmp_path: Path) -> None:
    square = replace(PROFILE, width=128, height=128)
    padded, cropped, blurred = (
        blending.surfaces(fitted(tmp_path, TAKE, square, fit)[12])[0].astype(int) for fit in Fit
    )
    inside = slice(27, 101)  # 160 x 96 in 128 x 128 is 128 x 76
    assert (padded[:25] == 16).all()
    assert (padded[103:] == 16).all()
    assert abs(padded[inside] - blurred[inside]).max() <= 2
    assert cropped.min(axis=1).max() > 16  # no row is a bar
    middle = fitted(tmp_path, replace(TAKE, size=(160, 96)), replace(PROFILE, width=96))[12]
    assert middle.shape == (144, 96)
    rows = abs(np.diff(blurred[:25], axis=1))
    assert blurred[:25].std() > 5  # something is there,
    assert rows.max() <= 12  # and it has no edges


def test_what_is_cropped_is_the_middle_in_its_shape(tmp_path: Path) -> None:
    whole = blending.surfaces(fitted(tmp_path, TAKE)[12])[0].astype(int)
    middle = blending.surfaces(fitted(tmp_path, TAKE, replace(PROFILE, width=96), Fit.CROP)[12])[0].astype(int)
    assert abs(middle - whole[:, 32:128]).max() <= 1


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("size", [(160, 96), (96, 160), (2, 160), (160, 2), (1920, 1080)])
@pytest.mark.parametrize("target", [(64, 64), (128, 2), (2, 128), (160, 90)])
def test_any_shape_goes_into_any_other(
    size: tuple[int, int], target: tuple[int, int], fit: Fit, tmp_path: Path
) -> None:
    take = replace(TAKE, seconds=Fraction(1, 12), size=size, layout="")
    shown = fitted(tmp_path, take, Profile(*target, Fraction(24)), fit)
    assert [picture.shape for picture in shown] == [(target[1] * 3 // 2, target[0])] * 2


def test_a_squeezed_clip_is_stretched(tmp_path: Path) -> None:
    shown = fitted(tmp_path, replace(TAKE, size=(80, 96), aspect=Fraction(2)))
    assert [footage.number_of(picture[:96]) for picture in shown] == list(range(24))
    assert (shown[5][60:90] > 30).all()  # no bar at either side


@pytest.mark.parametrize("fps", ["24000/1001", "24", "25", "30000/1001", "30", "60", "12"])
def test_every_picture_is_shown_at_its_time_at_any_rate(fps: str, tmp_path: Path) -> None:
    """From the frame nearest to its time until the next picture comes."""
    profile = replace(PROFILE, fps=Fraction(fps))
    numbers = [footage.number_of(picture[:96]) for picture in fitted(tmp_path, TAKE, profile)]
    assert len(numbers) == round(profile.fps)
    half = 1 / profile.fps / 2
    for frame, number in enumerate(numbers):
        assert -half <= frame / profile.fps - number / TAKE.fps <= 1 / TAKE.fps + half


def test_half_pictures_are_made_whole(tmp_path: Path) -> None:
    """Every second row is a picture later: in a film no row may be torn from its neighbours."""
    woven = replace(TAKE, options=(("g", "12"), ("x264-params", "tff=1"), ("flags", "+ildct+ilme")), torn=True)
    shown = [picture[48:96].astype(int) for picture in fitted(tmp_path, woven)[2:-2]]
    torn = [footage.picture(number)[48:96, :, 0].astype(int) for number in range(3)]
    tearing = np.mean([abs(np.diff(picture, axis=0)).mean() for picture in shown])
    assert tearing < 0.35 * abs(torn[1] - torn[0]).mean()


def test_a_high_dynamic_range_is_lowered_without_a_loss_of_greys(tmp_path: Path) -> None:
    """What is brighter stays brighter, white is not grey, black is black."""
    perceptual_quantizer = (9, 16, 9, 1)
    take = replace(TAKE, pixels="yuv420p10le", colours=perceptual_quantizer, ramp=True)
    row = fitted(tmp_path, take)[3][40, 4:-4].astype(int)
    assert row[0] <= 24
    assert row[-1] >= 225
    assert (np.diff(row) >= -2).all()
    assert len(set(row)) > 60
