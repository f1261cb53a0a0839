"""A draft is the same picture, only smaller."""

import pytest

from libs import sizes

MAKES = [
    sizes.Shape(sizes.Size(*size), resolution)
    for *size, resolution in (
        (1920, 1080, "1080p"),
        (1280, 720, "720p"),
        (720, 1280, "720p"),
        (960, 960, "720p"),
        (864, 496, "480p"),
        (832, 480, "480p"),
        (480, 854, "480p"),
        (1470, 630, "720p"),
    )
]


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ((1280, 720), {"480p": (864, 496), "720p": (1280, 720), "1080p": (1920, 1080)}),
        ((1366, 768), {"480p": (864, 496), "720p": (1280, 720), "1080p": (1920, 1080)}),
        ((1080, 1920), {"480p": (480, 854), "720p": (720, 1280)}),
        ((720, 720), {"720p": (960, 960)}),
        ((2560, 1080), {"720p": (1470, 630)}),
        ((640, 480), {}),
    ],
)
def test_each_resolution_has_the_size_of_the_nearest_shape(asked: tuple[int, int], made: dict[str, object]) -> None:
    found = sizes.alike(sizes.Size(*asked), MAKES)
    assert found == made
    assert list(found) == list(made), "the smallest comes first"
