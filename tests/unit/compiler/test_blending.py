import numpy as np
import pytest

from services.compiler import blending
from services.compiler.edit import JoinKind

RNG = np.random.default_rng(3)
ONE, OTHER = (RNG.integers(16, 236, (144, 160), np.uint8) for _ in range(2))


def test_surfaces_are_views_on_brightness_and_both_colours() -> None:
    picture = np.zeros((144, 160), np.uint8)
    for number, surface in enumerate(blending.surfaces(picture), 1):
        surface[:] = number
    assert [np.count_nonzero(picture == number) for number in (1, 2, 3)] == [160 * 96, 80 * 48, 80 * 48]
    assert picture.reshape(-1).tolist() == sorted(picture.reshape(-1).tolist())


@pytest.mark.parametrize("part", [0, 1, 6, 12, 13])
def test_a_crossfade_is_the_weighted_mean_to_the_nearest(part: int) -> None:
    weight = part * 256 // 13
    exact = (ONE.astype(float) * (256 - weight) + OTHER.astype(float) * weight) / 256
    assert np.abs(blending.faded(ONE, OTHER, part, 13) - exact).max() <= 0.5


def test_no_mixture_of_extremes_wraps_round() -> None:
    white, black = np.full((144, 160), 255, np.uint8), np.zeros((144, 160), np.uint8)
    for part in range(14):
        assert np.abs(blending.faded(black, white, part, 13).astype(int) - 255 * part / 13).max() < 2
        assert (blending.faded(white, white, part, 13) == 255).all()


@pytest.mark.parametrize("luma", [16, 235])
def test_a_dip_ends_in_its_colour_and_nothing_else(luma: int) -> None:
    brightness, *colours = blending.surfaces(blending.dipped(ONE, luma, 5, 5))
    assert set(brightness.ravel()) == {luma}
    assert set(np.ravel(colours)) == {128}
    assert (blending.dipped(ONE, luma, 0, 5) == ONE).all()


@pytest.mark.parametrize(
    ("kind", "new", "old"),
    [
        (JoinKind.WIPE_RIGHT, np.s_[:, :0.2], np.s_[:, 0.3:]),
        (JoinKind.WIPE_LEFT, np.s_[:, 0.8:], np.s_[:, :0.7]),
        (JoinKind.WIPE_DOWN, np.s_[:0.2, :], np.s_[0.3:, :]),
        (JoinKind.WIPE_UP, np.s_[0.8:, :], np.s_[:0.7, :]),
    ],
)
def test_a_wipe_draws_its_edge_the_way_it_is_called(
    kind: JoinKind, new: tuple[slice, slice], old: tuple[slice, slice]
) -> None:
    """A quarter of the way, in brightness and colours alike; the parts are told as shares of the sides."""

    def part(surface: blending.Planes, wanted: tuple[slice, slice]) -> blending.Planes:
        rows, columns = (
            slice(side.start and round(side.start * length), side.stop and round(side.stop * length))
            for side, length in zip(wanted, surface.shape, strict=True)
        )
        return surface[rows, columns]

    wiped = blending.surfaces(blending.wiped(ONE, OTHER, kind, 1, 4))
    for mixed, under, over in zip(wiped, blending.surfaces(ONE), blending.surfaces(OTHER), strict=True):
        assert (part(mixed, new) == part(over, new)).all()
        assert (part(mixed, old) == part(under, old)).all()


@pytest.mark.parametrize("kind", [kind for kind in JoinKind if kind.startswith("WIPE")])
def test_the_border_of_a_wipe_is_soft(kind: JoinKind) -> None:
    black, white = np.full((1080, 1280), 16, np.uint8), np.full((1080, 1280), 235, np.uint8)
    brightness = blending.surfaces(blending.wiped(black, white, kind, 1, 2))[0]
    steps = np.diff(brightness.astype(int), axis=1 if kind in (JoinKind.WIPE_LEFT, JoinKind.WIPE_RIGHT) else 0)
    assert 4 <= np.count_nonzero(steps[0] if steps.shape[0] == 720 else steps[:, 0]) <= 12


def test_mixing_over_itself_needs_no_copy() -> None:
    picture = ONE.copy()
    weights = np.full((1, 1), 100, np.uint16)
    blending.mix(picture, OTHER, weights, picture)
    apart = np.empty_like(ONE)
    blending.mix(ONE, OTHER, weights, apart)
    assert (picture == apart).all()
