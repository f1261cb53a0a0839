"""Draws words once, as pictures of the film: cards, and captions that are laid over what is shown."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

from services.compiler import blending, lettering
from services.compiler.blending import Planes, Weights
from services.compiler.edit import Card
from services.compiler.lettering import Lines
from services.compiler.recipes import Profile

_TITLE, _SUBTITLE = 8, 19  # the shorter side of the picture holds so many lines
_CARD_WIDTH, _CARD_HEIGHT, _BETWEEN = 0.82, 0.76, 0.6
_CAPTION = 19
_CAPTION_WIDTH, _CAPTION_HEIGHT = 0.86, 0.4
_SAFE, _SAFE_UPRIGHT = 0.075, 0.14
"""Captions end so far above the lower edge; the players of upright films have their buttons there."""
_OUTLINE, _SHADOW = 11, 5  # parts of the letters' size
_SHADOW_STRENGTH = 0.6
_BASELINE = 0.36  # of the letters' size, beneath the middle of a line
_WHITE, _BLACK = 235, 16

_SHARES = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114)}
"""How much of brightness is red and blue: ITU-R BT.709-6, 3.2, and BT.601-7, 2.5.1."""


Surface = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Caption:
    """Words to be laid over a part of a picture: for each of Y, U and V where they lie, their colour and weights."""

    parts: tuple[tuple[tuple[slice, slice], Planes, Weights], ...]

    def over(self, picture: Planes) -> Planes:
        """The picture with the words on it."""
        drawn = picture.copy()
        for surface, (place, ink, weights) in zip(blending.surfaces(drawn), self.parts, strict=True):
            blending.mix(surface[place], ink, weights, surface[place])
        return drawn


def card(wanted: Card, profile: Profile) -> Planes:
    """The card as a picture: the text in large letters, the subtext beneath it in small ones."""
    canvas = Image.new("RGB", (profile.width, profile.height), wanted.background)
    pen = ImageDraw.Draw(canvas)
    text, subtext = _fitted(wanted, profile)
    gap = round(subtext.size * _BETWEEN) if text.lines and subtext.lines else 0
    top = (profile.height - text.height - gap - subtext.height) // 2
    ink, ground = (ImageColor.getrgb(colour) for colour in (wanted.ink, wanted.background))
    quiet = tuple((3 * one + other) // 4 for one, other in zip(ink, ground, strict=True))
    _write(pen, text, top, wanted.ink)
    _write(pen, subtext, top + text.height + gap, quiet)
    return yuv(np.asarray(canvas), profile.matrix)


def caption(text: str, profile: Profile) -> Caption:
    """White letters with a dark outline and a soft shadow, above the lower edge."""
    shorter = min(profile.width, profile.height)
    most = (round(profile.width * _CAPTION_WIDTH), round(profile.height * _CAPTION_HEIGHT))
    lines = lettering.fitted(text, max(1, shorter // _CAPTION), *most)
    safe = _SAFE_UPRIGHT if profile.height > profile.width else _SAFE
    top = round(profile.height * (1 - safe)) - lines.height
    letters, dark = (Image.new("L", (profile.width, profile.height)) for _ in range(2))
    _write(ImageDraw.Draw(letters), lines, top, 255)
    _write(ImageDraw.Draw(dark), lines, top, 255, max(1, lines.size // _OUTLINE))
    shadow = dark.filter(ImageFilter.GaussianBlur(lines.size / _SHADOW)).point(lambda value: value * _SHADOW_STRENGTH)
    return _laid(np.asarray(letters), np.asarray(ImageChops.lighter(dark, shadow)))


def yuv(rgb: npt.NDArray[np.uint8], matrix: str) -> Planes:
    """The picture as the film keeps its colours: in limited range, one colour for each four places."""
    of_red, of_blue = _SHARES[matrix]
    red, green, blue = (rgb[..., channel].astype(np.float32) for channel in range(3))
    luma: Surface = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    blueness, redness = (
        128 + _quartered(one - luma) * (112 / 255 / (1 - share)) for one, share in ((blue, of_blue), (red, of_red))
    )
    parts = (16 + luma * (219 / 255), blueness, redness)
    return np.concatenate([np.rint(part).astype(np.uint8).ravel() for part in parts]).reshape(-1, rgb.shape[1])


def _fitted(wanted: Card, profile: Profile) -> tuple[Lines, Lines]:
    """Text and subtext, both made smaller until they have room together."""
    shorter, width = min(profile.width, profile.height), round(profile.width * _CARD_WIDTH)
    room = round(profile.height * _CARD_HEIGHT)
    subtext = lettering.fitted(wanted.subtext, max(1, shorter // _SUBTITLE), width, room * 3 // 5)
    rest = room - round(subtext.height + subtext.size * _BETWEEN)
    return lettering.fitted(wanted.text, max(1, shorter // _TITLE), width, rest), subtext


def _write(
    pen: ImageDraw.ImageDraw, lines: Lines, top: int, ink: str | int | tuple[int, ...], outline: int = 0
) -> None:
    """Write the lines from `top` down, each in the middle."""
    for number, line in enumerate(lines.lines):
        middle = top + number * lines.leading + lines.leading / 2
        at = ((pen.im.size[0] - lines.face.getlength(line)) / 2, middle + lines.size * _BASELINE)
        pen.text(at, line, ink, lines.face, anchor="ls", stroke_width=outline)


def _laid(letters: Planes, dark: Planes) -> Caption:
    """White letters on what is dark around them, as far as anything is seen."""
    weights = np.maximum(letters, dark).astype(np.uint16)
    weights += weights >> 7  # 255 is the whole
    rows, columns = (_reach(weights.max(axis=axis)) for axis in (1, 0))
    luma = _BLACK + (letters[rows, columns].astype(np.uint16) * (_WHITE - _BLACK) + 127) // 255
    halved = [slice(side.start // 2, side.stop // 2) for side in (rows, columns)]
    coarse = np.rint(_quartered(weights[rows, columns].astype(np.float32))).astype(np.uint16)
    grey = ((halved[0], halved[1]), np.full((1, 1), blending.GREY, np.uint8), coarse)
    return Caption((((rows, columns), luma.astype(np.uint8), weights[rows, columns]), grey, grey))


def _reach(seen: Weights) -> slice:
    """From the first to the last that is seen, by pairs, for two rows share a colour."""
    there = np.flatnonzero(seen)
    return slice(int(there[0]) // 2 * 2, int(there[-1]) // 2 * 2 + 2) if there.size else slice(0, 0)


def _quartered(surface: Surface) -> Surface:
    """The mean of each four places."""
    height, width = surface.shape
    means: Surface = surface.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3), dtype=np.float32)
    return means
