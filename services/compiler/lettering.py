"""Chooses a face that can write a text, and breaks the text into lines that fit."""

import bisect
import functools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import ImageFont

Face = ImageFont.FreeTypeFont | ImageFont.ImageFont

_BUILT_IN = frozenset(chr(code) for code in range(32, 127)) | frozenset("\u2019\u201c\u201d…·")
_FACES = (
    "NotoSans-Regular.ttf",
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "Arial Unicode.ttf",
    "msyh.ttc",
)
"""Faces that machines have. Of those that write as much of a text the first is taken."""
_DASHES = {0x2013: "-", 0x2014: "-"}
_LACKED = "\U0010fffe"  # no letter at all: every face draws its sign for what it lacks
_UNSEEN = ("Zs", "Cf", "Mn")  # spaces, joiners and accents, which are drawn with the letters beside them
_WIDE = ("W", "F")  # Unicode Standard Annex 11: ideographs and the like, between which a line may break
_CLINGING = ("Mn", "Mc", "Pe", "Pf", "Po")  # accents and closing marks, which start no line
_LEADING = 1.25
_SMALLER = 0.92
_SMALLEST = 6
_WORDS_STAY_WHOLE = 0.6  # of the size wanted: down to it, smaller letters are better than a broken word


@dataclass(frozen=True, slots=True)
class Lines:
    """A text broken into lines, and the face that writes them; `size` and all measures in pixels."""

    lines: tuple[str, ...]
    face: Face
    size: int

    @property
    def leading(self) -> int:
        """From one line to the next."""
        return round(self.size * _LEADING)

    @property
    def height(self) -> int:
        """All of them."""
        return self.leading * len(self.lines)

    @property
    def width(self) -> float:
        """The longest of them."""
        return max((self.face.getlength(line) for line in self.lines), default=0.0)


def legible(text: str, size: int) -> tuple[str, Face]:
    """The face of this machine that writes most of the text, and the text without what it cannot write."""
    wanted = frozenset(text) - {"\n"}
    if wanted <= _BUILT_IN:
        return text, ImageFont.load_default(size)
    name = max(_installed(), key=lambda name: len(_written(name, wanted)), default="")
    kept = (_written(name, wanted) if name else _BUILT_IN) | {"\n"}
    shown = "".join(letter if letter in kept else _plain(letter) for letter in text)
    return shown, ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


def fitted(text: str, size: int, width: int, height: int) -> Lines:
    """The text in lines as even as can be, at this size, or smaller until it fits; words are broken up last."""
    tidy = "\n".join(" ".join(paragraph.split()) for paragraph in text.strip().splitlines())
    for smaller in _sizes(size):
        shown, face = legible(tidy, smaller)
        whole = smaller > size * _WORDS_STAY_WHOLE
        broken = [_evened(paragraph, face, width, whole) for paragraph in shown.splitlines()]
        lines = Lines(tuple(line for one in broken for line in one), face, smaller)
        if lines.height <= height and lines.width <= width:
            break
    return lines


def _sizes(size: int) -> Iterator[int]:
    yield size
    while size > _SMALLEST:
        size = max(_SMALLEST, int(size * _SMALLER))
        yield size


@functools.cache
def _installed() -> tuple[str, ...]:
    return tuple(name for name in _FACES if _is_there(name))


def _is_there(name: str) -> bool:
    try:
        ImageFont.truetype(name)
    except OSError:
        return False
    return True


@functools.lru_cache(maxsize=64)
def _written(name: str, letters: frozenset[str]) -> frozenset[str]:
    """Those of the letters that the face can write."""
    face = ImageFont.truetype(name, 16, layout_engine=ImageFont.Layout.BASIC)
    lacked = _drawn(face, _LACKED)
    unseen = {letter for letter in letters if letter == "\n" or unicodedata.category(letter) in _UNSEEN}
    others = {letter for letter in letters - unseen if letter.isprintable()}
    return frozenset(unseen | {letter for letter in others if _drawn(face, letter) != lacked})


def _drawn(face: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = face.getmask(letter)
    return mask.size, bytes(mask)


def _plain(letter: str) -> str:
    """The letter in the plainest alphabet; nothing when it has no place there."""
    plain = unicodedata.normalize("NFKD", letter.translate(_DASHES))
    return "".join(one for one in plain if one in _BUILT_IN)


def _evened(paragraph: str, face: Face, width: int, whole: bool) -> list[str]:
    """The fewest lines, and those as narrow as can be, so that none is left with one word."""
    units = [part for unit in words(paragraph) for part in ([unit] if whole else _parts(unit, face, width))]
    widths = [face.getlength(unit) for unit in units]
    count = len(_lines(units, widths, width))
    narrower = range(width // 2 if count > 1 else width, width)
    least = bisect.bisect_left(narrower, True, key=lambda narrow: len(_lines(units, widths, narrow)) <= count)
    return _lines(units, widths, narrower.start + least)


def _lines(units: Sequence[str], widths: Sequence[float], most: float) -> list[str]:
    """As many units to a line as fit into it."""
    lines, length = [""], 0.0
    for unit, width in zip(units, widths, strict=True):
        if lines[-1] and length + width > most:
            lines.append("")
            length = 0.0
        lines[-1] += unit
        length += width
    return [line.rstrip() for line in lines]


def words(paragraph: str) -> Iterator[str]:
    """What stays on one line: a word with the space behind it, or one ideograph."""
    unit = ""
    for letter in paragraph:
        wide = unicodedata.east_asian_width(letter) in _WIDE
        after_wide = bool(unit) and unicodedata.east_asian_width(unit[-1]) in _WIDE
        clings = unicodedata.category(letter) in _CLINGING
        if unit and letter != " " and (unit[-1] == " " or ((wide or after_wide) and not clings)):
            yield unit
            unit = ""
        unit += letter
    yield unit


def _parts(unit: str, face: Face, width: float) -> Iterator[str]:
    """The word, or if it is too long for a line its letters, each with its accents."""
    if face.getlength(unit) <= width:
        yield unit
        return
    cluster = ""
    for letter in unit:
        if cluster and not unicodedata.category(letter).startswith("M"):
            yield cluster
            cluster = ""
        cluster += letter
    yield cluster
