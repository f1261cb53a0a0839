"""What an edit list must be: every rule that its contract states; a breach names its field and the remedy."""

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from libs.errors import Violation
from rushes.type.v1 import edit_list_pb2, media_pb2

_HOURS = 12
_QUICKEST = Fraction(120)  # frames a second
_MOST_FRAMES = int(_HOURS * 3600 * _QUICKEST)
_MOST_CUTS, _MOST_NARRATIONS, _MOST_CAPTIONS = 1000, 1000, 100
_LONGEST_TITLE, _LONGEST_NAME = 200, 200
_LONGEST_JOIN, _LONGEST_CARD = 480, 14400
_GAIN, _DUCK, _LOUDNESS = (-60, 24), (0, 40), (-40, -5)
_SIDES = range(128, 7681, 2)
_MOST_PIXELS = 4096 * 2304
"""4K: what level 5.1 of H.264 allows (ITU-T H.264, table A-1: 36,864 macroblocks)."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_COLOUR = re.compile(r"(#[0-9A-Fa-f]{6})?")
_SHA256 = re.compile(r"([0-9a-f]{64})?")
_LANGUAGE = re.compile(r"([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4})?")
"""The shape of a BCP 47 tag (RFC 5646, section 2.1); whether anybody speaks it is not asked."""
_TIMES = range(-62135596800, 253402300800)
"""Seconds since 1970 of the years 1 to 9999, which a Timestamp can tell."""

Kind = edit_list_pb2.Join.Kind
_DIPS = (Kind.KIND_DIP_TO_BLACK, Kind.KIND_DIP_TO_WHITE)
_NO_JOIN = edit_list_pb2.Join()


def violations(edit_list: edit_list_pb2.EditList, tenant_id: str) -> list[Violation]:
    """Everything that is wrong with an edit list of this tenant."""
    return [*_whole(edit_list, tenant_id)]


def _whole(edit_list: edit_list_pb2.EditList, tenant_id: str) -> Iterator[Violation]:
    at = "edit_list"
    yield from _text(f"{at}.title", edit_list.title, _LONGEST_TITLE, least=1)
    if not 1 <= len(edit_list.cuts) <= _MOST_CUTS:
        yield Violation(f"{at}.cuts", f"should be 1 to {_MOST_CUTS} cuts")
    for number, cut in enumerate(edit_list.cuts[:_MOST_CUTS]):
        yield from _cut(f"{at}.cuts[{number}]", cut, tenant_id, is_first=not number)
    yield from _profile(f"{at}.profile", edit_list.profile)
    yield from _length(f"{at}.cuts", edit_list)
    yield from _join(f"{at}.ending", edit_list.ending, "a film can end", only_dips=True)
    yield from _sounds(at, edit_list, tenant_id)
    if edit_list.HasField("loudness_lufs"):
        yield from _within(f"{at}.loudness_lufs", edit_list.loudness_lufs, *_LOUDNESS)
    if not _LANGUAGE.fullmatch(edit_list.captions.language):
        yield Violation(f"{at}.captions.language", "should be a BCP 47 tag such as en or pt-BR, or empty")


def _cut(at: str, cut: edit_list_pb2.Cut, tenant_id: str, is_first: bool) -> Iterator[Violation]:
    yield from _card_cut(at, cut) if cut.HasField("card") else _clip_cut(at, cut, tenant_id)
    yield from _text(f"{at}.title", cut.title, _LONGEST_TITLE)
    for name in ("first_frame", "frames"):
        yield from _within(f"{at}.trim.{name}", getattr(cut.trim, name), 0, _MOST_FRAMES)
    yield from _join(f"{at}.join", cut.join, "a film can open", only_dips=is_first)
    yield from _within(f"{at}.gain_db", cut.gain_db, *_GAIN)
    yield from _known(f"{at}.fit", cut.fit, edit_list_pb2.Fit)
    yield from _captions(f"{at}.captions", cut.captions)
    yield from _provenance(f"{at}.provenance", cut.provenance)


def _clip_cut(at: str, cut: edit_list_pb2.Cut, tenant_id: str) -> Iterator[Violation]:
    for name, of in (("scene_id", "the scene"), ("take_id", "the take")):
        value = getattr(cut, name)
        if not value:
            yield Violation(f"{at}.{name}", f"should name {of}")
        yield from _text(f"{at}.{name}", value, _LONGEST_NAME)
    yield from _key(f"{at}.clip", cut.clip, tenant_id, "a clip")


def _card_cut(at: str, cut: edit_list_pb2.Cut) -> Iterator[Violation]:
    for name in ("clip", "trim"):
        if cut.HasField(name):
            yield Violation(f"{at}.{name}", "should be absent: the cut shows a card")
    yield from _text(f"{at}.scene_id", cut.scene_id, _LONGEST_NAME)
    yield from _text(f"{at}.take_id", cut.take_id, _LONGEST_NAME)
    yield from _text(f"{at}.card.text", cut.card.text, 200)
    yield from _text(f"{at}.card.subtext", cut.card.subtext, 1000)
    yield from _within(f"{at}.card.frames", cut.card.frames, 1, _LONGEST_CARD)
    for name in ("background", "ink"):
        if not _COLOUR.fullmatch(getattr(cut.card, name)):
            yield Violation(f"{at}.card.{name}", "should be a colour such as #1a2b3c, or empty")


def _join(at: str, join: edit_list_pb2.Join, where: str, only_dips: bool) -> Iterator[Violation]:
    if join.kind not in Kind.values():
        yield from _known(f"{at}.kind", join.kind, Kind)
    elif not join.kind and join.frames:
        yield Violation(f"{at}.frames", "should be 0 for a plain cut; name the kind of join")
    elif join.kind:
        if only_dips and join.kind not in _DIPS:
            yield Violation(f"{at}.kind", f"should be a dip or a plain cut: {where} with no other")
        yield from _within(f"{at}.frames", join.frames, 1, _LONGEST_JOIN)


def _captions(at: str, captions: Sequence[edit_list_pb2.Caption]) -> Iterator[Violation]:
    if len(captions) > _MOST_CAPTIONS:
        yield Violation(at, f"should be at most {_MOST_CAPTIONS} captions")
    free: int | None = 0
    for number, caption in enumerate(captions[:_MOST_CAPTIONS]):
        here = f"{at}[{number}]"
        yield from _text(f"{here}.text", caption.text, 500, least=1)
        for name in ("first_frame", "frames"):
            yield from _within(f"{here}.{name}", getattr(caption, name), 0, _MOST_FRAMES)
        if free is None:
            yield Violation(f"{here}.first_frame", "should not follow a caption that lasts to the end of the cut")
        elif 0 <= caption.first_frame < free:
            yield Violation(f"{here}.first_frame", f"should be at least {free}, where the caption before ends")
        free = caption.first_frame + caption.frames if caption.frames else None


def _provenance(at: str, value: edit_list_pb2.Provenance) -> Iterator[Violation]:
    for name in ("provider", "model"):
        yield from _text(f"{at}.{name}", getattr(value, name), _LONGEST_NAME)
    if not _SHA256.fullmatch(value.prompt_sha256):
        yield Violation(f"{at}.prompt_sha256", "should be 64 lower-case hex digits, or empty")
    if value.create_time.seconds not in _TIMES or not 0 <= value.create_time.nanos < 10**9:
        yield Violation(f"{at}.create_time", "should be a time of the years 1 to 9999")


def _sounds(at: str, edit_list: edit_list_pb2.EditList, tenant_id: str) -> Iterator[Violation]:
    if edit_list.HasField("music"):
        music, here = edit_list.music, f"{at}.music"
        yield from _key(f"{here}.clip", music.clip, tenant_id, "a sound")
        yield from _within(f"{here}.gain_db", music.gain_db, *_GAIN)
        for name in ("fade_in_frames", "fade_out_frames"):
            yield from _within(f"{here}.{name}", getattr(music, name), 0, _MOST_FRAMES)
        yield from _within(f"{here}.duck_db", music.duck_db, *_DUCK)
    if len(edit_list.narrations) > _MOST_NARRATIONS:
        yield Violation(f"{at}.narrations", f"should be at most {_MOST_NARRATIONS} narrations")
    for number, voice in enumerate(edit_list.narrations[:_MOST_NARRATIONS]):
        here = f"{at}.narrations[{number}]"
        yield from _key(f"{here}.clip", voice.clip, tenant_id, "a sound")
        yield from _within(f"{here}.first_frame", voice.first_frame, 0, _MOST_FRAMES)
        yield from _within(f"{here}.gain_db", voice.gain_db, *_GAIN)


def _profile(at: str, profile: edit_list_pb2.OutputProfile) -> Iterator[Violation]:
    if profile.HasField("size"):
        width, height = profile.size.width, profile.size.height
        for name, side in (("width", width), ("height", height)):
            if side not in _SIDES:
                yield Violation(f"{at}.size.{name}", "should be even, 128 to 7680")
        if width in _SIDES and height in _SIDES and width * height > _MOST_PIXELS:
            yield Violation(f"{at}.size", f"should have at most {_MOST_PIXELS} pixels, as 4096x2304 has")
    if profile.HasField("frame_rate") and _rate(profile.frame_rate) is None:
        wanted = "should be 1 to 120 frames in each second, with denominator 1 or 1001"
        yield Violation(f"{at}.frame_rate", wanted)
    yield from _known(f"{at}.fit", profile.fit, edit_list_pb2.Fit)


def _length(at: str, edit_list: edit_list_pb2.EditList) -> Iterator[Violation]:
    """How long the clips are is not known here: what is told of lengths must not be too long already."""
    rate = _rate(edit_list.profile.frame_rate) or _QUICKEST
    told = sum(max(0, cut.card.frames, cut.trim.frames) for cut in edit_list.cuts)
    if told > _HOURS * 3600 * rate:
        yield Violation(at, f"should last {_HOURS} hours at most: cut it into several films")


def _rate(value: edit_list_pb2.FrameRate) -> Fraction | None:
    if value.denominator not in (1, 1001):
        return None
    rate = Fraction(value.numerator, value.denominator)
    return rate if 1 <= rate <= _QUICKEST else None


def _key(at: str, blob: media_pb2.Blob, tenant_id: str, what: str) -> Iterator[Violation]:
    if not blob.key.startswith(f"t/{tenant_id}/"):
        yield Violation(f"{at}.key", f"should be the key of {what} of yours")


def _text(at: str, value: str, most: int, least: int = 0) -> Iterator[Violation]:
    if len(value) > most or len(value.strip()) < least:
        yield Violation(at, f"should have {f'{least} to' if least else 'up to'} {most} characters")
    if _CONTROL.search(value):
        yield Violation(at, "should hold no control characters; remove them")


def _within(at: str, value: float, least: int, most: int) -> Iterator[Violation]:
    if not least <= value <= most:  # which a NaN never is
        yield Violation(at, f"should be {least} to {most}")


def _known(at: str, value: int, kinds: Any) -> Iterator[Violation]:
    if value not in kinds.values():
        names: Iterable[str] = kinds.keys()
        yield Violation(at, f"should be one of {', '.join(names)}")
