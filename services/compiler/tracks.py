"""Captions beside the picture: one text at a time, as samples of an MP4 track, as WebVTT and as SubRip."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from services.compiler import timeline
from services.compiler.recipes import Film, Subtitle

CODEC = "mov_text"
HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,sans-serif,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""How the track's words look, in the form that the encoder of its sample description reads: white, at the bottom."""

_LETTERS = 3
_LANGUAGES = dict(
    pair.split(":")
    for pair in """
    ar:ara bg:bul bn:ben ca:cat cs:ces da:dan de:deu el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fr:fra
    ga:gle gl:glg gu:guj he:heb hi:hin hr:hrv hu:hun hy:hye id:ind is:isl it:ita ja:jpn ka:kat kk:kaz kn:kan ko:kor
    lt:lit lv:lav mk:mkd ml:mal mr:mar ms:msa nb:nob nl:nld nn:nno no:nor pa:pan pl:pol pt:por ro:ron ru:rus sk:slk
    sl:slv sq:sqi sr:srp sv:swe sw:swa ta:tam te:tel th:tha tl:tgl tr:tur uk:ukr ur:urd uz:uzb vi:vie zh:zho
    """.split()
)
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Sample:
    """What stands under the picture from frame `start` on, `frames` long."""

    text: str
    start: int
    frames: int

    @property
    def payload(self) -> bytes:
        """As a sample of an MP4 text track has it: length, then UTF-8 (3GPP TS 26.245, 5.17)."""
        text = self.text.encode()
        return len(text).to_bytes(2, "big") + text


def samples(recipe: Film) -> Iterator[Sample]:
    """What is to be read, one after the other: captions that meet in a join are shown together as long as they do."""
    edges = {edge for one in recipe.subtitles for edge in (one.start, one.end)}
    for start, end in itertools.pairwise(sorted(edges)):
        shown = (_text(one) for one in recipe.subtitles if one.start <= start < one.end)
        if texts := list(filter(None, shown)):
            yield Sample("\n".join(texts), start, end - start)


def iso639(tag: str) -> str:
    """The three letters by which MP4 knows the language of a BCP 47 tag (ISO 639-2/T); "und" where we do not."""
    spoken = tag.partition("-")[0].lower()
    return spoken if len(spoken) == _LETTERS else _LANGUAGES.get(spoken, "und")


def vtt(recipe: Film) -> str:
    """As WebVTT (https://www.w3.org/TR/webvtt1)."""
    cues = (f"{_span(one, recipe, '.')}\n{one.text.translate(_ESCAPED)}\n" for one in samples(recipe))
    return "\n".join(["WEBVTT\n", *cues])


def srt(recipe: Film) -> str:
    """As SubRip, which every editor reads."""
    cues = (f"{number}\n{_span(one, recipe, ',')}\n{one.text}\n" for number, one in enumerate(samples(recipe), 1))
    return "\n".join(cues)


def clock(frame: int, fps: Fraction, point: str = ".") -> str:
    """When a frame is shown, in hours, minutes, seconds and milliseconds."""
    seconds, thousandths = divmod(timeline.nearest(frame * 1000 / fps), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{thousandths:03d}"


def _span(one: Sample, recipe: Film, point: str) -> str:
    fps = recipe.profile.fps
    return f"{clock(one.start, fps, point)} --> {clock(one.start + one.frames, fps, point)}"


def _text(one: Subtitle) -> str:
    """An empty line would end the caption in both formats."""
    return "\n".join(line for line in one.text.splitlines() if line.strip())
