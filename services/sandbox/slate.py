"""The words over the picture: the prompt as a lower third, and the data a script supervisor wants."""

import functools

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import PIL.ImageFont
from numpy.typing import NDArray

from services.sandbox import cels, domain

_WORDS = 150
_LINES = 3
_DIGITS = "0123456789:"


class Slate:
    """Everything written, drawn once; only the time code changes."""

    def __init__(self, order: domain.Order) -> None:
        self._room = np.empty((order.height, order.width), np.uint16)
        width, height = order.width, order.height
        unit = (width * height) ** 0.5
        margin = round(unit * 0.042)
        small, words = max(9, round(unit * 0.0165)), max(11, round(unit * 0.029))
        self._lower = _Overlay(*_lower_third(order.prompt, width, height, margin, words))
        head = f"{order.model.upper()}   SEED {order.seed}"
        self._corner = _Overlay(*_label(head, small, margin, margin))
        self._pitch = round(_font(small).getlength("0") * 1.12) // 2 * 2
        self._digits = {
            digit: _Overlay(*_label(digit, small, round((self._pitch - _font(small).getlength(digit)) / 2), 0))
            for digit in _DIGITS
        }
        self._code_at = (width - margin - self._pitch * len("00:00:00:00")) // 2 * 2, margin // 2 * 2

    def write(self, planes: cels.Planes, number: int) -> None:
        """Write everything on a frame."""
        self._lower.lay(planes, 0, 0, self._room)
        self._corner.lay(planes, 0, 0, self._room)
        x, y = self._code_at
        for place, digit in enumerate(time_code(number)):
            self._digits[digit].lay(planes, x + place * self._pitch, y, self._room)


def time_code(number: int) -> str:
    """`hh:mm:ss:ff` of a frame."""
    seconds, frames = divmod(number, domain.FPS)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frames:02}"


class _Overlay:
    """Grey text with its shadow, as premultiplied planes at even corners."""

    def __init__(self, tone: cels.Field, alpha: cels.Field, x: int, y: int) -> None:
        tone, alpha = (np.pad(p, [(0, p.shape[0] % 2), (0, p.shape[1] % 2)]) for p in (tone, alpha))
        self.x, self.y, self.width = x // 2 * 2, y // 2 * 2, alpha.shape[1]
        small = cels.halved(alpha)
        grey = np.rint(small * 128).astype(np.uint8)
        self._films = [np.rint((16 + 219 * tone) * alpha).astype(np.uint8), grey, grey]
        self._holds = [np.rint(256 * (1 - a)).astype(np.uint16) for a in (alpha, small, small)]

    def lay(self, planes: cels.Planes, x: int, y: int, room: NDArray[np.uint16]) -> None:
        for number, (plane, film, hold) in enumerate(zip(planes, self._films, self._holds, strict=True)):
            step = 1 if number == 0 else 2
            left, top = (self.x + x) // step, (self.y + y) // step
            part = plane[top : top + film.shape[0], left : left + film.shape[1]]
            cels.over(part, film[: part.shape[0], : part.shape[1]], hold[: part.shape[0], : part.shape[1]], room)


@functools.cache
def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    """The typeface that Pillow carries with it."""
    return PIL.ImageFont.load_default(size)


def _wrapped(text: str, size: int, room: int) -> list[str]:
    text = " ".join(text.split())
    if len(text) > _WORDS:
        text = text[:_WORDS].rsplit(" ", 1)[0].rstrip(",;:.") + "…"
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(size).getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1].rstrip(",;:.…") + "…"]
    return lines


def _lower_third(
    prompt: str, width: int, height: int, margin: int, size: int
) -> tuple[cels.Field, cels.Field, int, int]:
    bar = max(2, round(margin * 0.08))
    indent = margin + bar * 5
    lines = _wrapped(prompt, size, min(width - indent - margin, round(size * 30)))
    leading = round(size * 1.3)
    tall = leading * len(lines)
    top = (height - margin - tall - margin) // 2 * 2
    sheet = PIL.Image.new("L", (width, height - top))
    pen = PIL.ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        pen.text((indent, margin + number * leading), line, font=_font(size), fill=244)
    pen.rectangle((margin, margin + round(size * 0.1), margin + bar - 1, margin + tall - round(size * 0.18)), fill=255)
    text = np.asarray(sheet, np.float32) / np.float32(255)
    rows = np.linspace(0, 1, height - top, dtype=np.float32)[:, None]
    scrim = np.broadcast_to(0.62 * np.clip(rows * 2.2, 0, 1) ** 1.4, text.shape)
    return _with_scrim(text, scrim, 0, top)


def _label(text: str, size: int, x: int, y: int) -> tuple[cels.Field, cels.Field, int, int]:
    pad = 4
    wide, tall = round(_font(size).getlength(text)) + 2 * pad, round(size * 1.3) + 2 * pad
    sheets = [PIL.Image.new("L", (wide, tall)) for _ in range(2)]
    PIL.ImageDraw.Draw(sheets[0]).text((pad, pad), text, font=_font(size), fill=240)
    PIL.ImageDraw.Draw(sheets[1]).text((pad, pad), text, font=_font(size), fill=255, stroke_width=2, stroke_fill=255)
    sheets[1] = sheets[1].filter(PIL.ImageFilter.GaussianBlur(1.2)).point(lambda tone: tone * 0.6)
    text_share, shadow = (np.asarray(sheet, np.float32) / np.float32(255) for sheet in sheets)
    return _with_scrim(text_share, shadow, x - pad, y - pad)


def _with_scrim(text: cels.Field, scrim: cels.Field, x: int, y: int) -> tuple[cels.Field, cels.Field, int, int]:
    """White text over a black scrim: their common alpha, and the tone they have together."""
    alpha = text + scrim * (1 - text)
    return (text / np.maximum(alpha, 1e-4)).astype(np.float32), alpha.astype(np.float32), x, y
