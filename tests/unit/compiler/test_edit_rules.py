"""Every rule of an edit list: what keeps it passes and is understood, what breaks it is named."""

import math
import re
from fractions import Fraction
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from rushes.type.v1 import edit_list_pb2 as pb
from rushes.type.v1 import media_pb2
from services.compiler import edit, edit_rules, wire

Kind = pb.Join.Kind
KEY = "t/acme/clips/1.mp4"
CLIP = media_pb2.Blob(key=KEY)


def one_clip(**fields: Any) -> pb.EditList:
    return pb.EditList(title="The Film", cuts=[pb.Cut(scene_id="sc", take_id="take", clip=CLIP, **fields)])


def one_card(card: pb.Card, **fields: Any) -> pb.EditList:
    return pb.EditList(title="The Film", cuts=[pb.Cut(card=card, **fields)])


def told(message: pb.EditList) -> dict[str, str]:
    """What is wrong, by field, without the name of the list."""
    found = edit_rules.violations(message, "acme")
    return {one.field.removeprefix("edit_list."): one.description for one in found}


def fields(message: pb.EditList) -> list[str]:
    return list(told(message))


# Values at the edges of the rules and beyond, so that many lists are nearly right.
TEXTS = st.sampled_from(["", " ", "The Film", "two\nlines", "\0", "x" * 201, "x" * 1001])
NUMBERS = st.sampled_from([-(2**31), -1, 0, 1, 2, 24, 480, 481, 14400, 14401, 5_184_001, 2**31 - 1])
LEVELS = st.one_of(st.sampled_from([-61.0, -60.0, -14.0, 0.0, 24.0, 25.0]), st.floats())
NAMES = {
    "key": st.sampled_from([KEY, "t/other/1.mp4", "t/acme/", ""]),
    "background": st.sampled_from(["", "#000000", "#FFfF00", "red", "#12345"]),
    "ink": st.sampled_from(["", "#000000", "#fffff", "#ffffff\n"]),
    "language": st.sampled_from(["", "en", "pt-BR", "zh-Hant-TW", "e", "en_GB", "en\n"]),
    "denominator": st.sampled_from([-1, 0, 1, 1001]),
    "width": st.sampled_from([0, 126, 127, 128, 1920, 3840, 7680, 7682]),
    "height": st.sampled_from([0, 126, 127, 128, 1080, 2160, 7680, 7682]),
    "seconds": st.integers(-(2**63), 2**63 - 1),
    "prompt_sha256": st.sampled_from(["", "0" * 64, "A" * 64]),
}


def messages(kind: Any) -> st.SearchStrategy[Any]:
    """Any message of this kind, its fields told or not."""
    optional = {field.name: values(field) for field in kind.DESCRIPTOR.fields}
    return st.fixed_dictionaries({}, optional=optional).map(lambda given: kind(**given))


def values(field: Any) -> st.SearchStrategy[Any]:
    if field.message_type:
        one: st.SearchStrategy[Any] = st.deferred(lambda: messages(field.message_type._concrete_class))
    elif field.enum_type:
        one = st.integers(-1, 9)
    elif field.cpp_type == field.CPPTYPE_BOOL:
        one = st.booleans()
    elif field.cpp_type == field.CPPTYPE_DOUBLE:
        one = LEVELS
    elif field.name in NAMES:
        one = NAMES[field.name]
    else:
        one = TEXTS if field.cpp_type == field.CPPTYPE_STRING else NUMBERS
    return st.lists(one, max_size=3) if field.is_repeated else one


DIPS = st.sampled_from([Kind.KIND_DIP_TO_BLACK, Kind.KIND_DIP_TO_WHITE])
FRAMES = st.integers(1, 480)
WORDS = st.text("aä \n", min_size=1, max_size=20).filter(str.strip)
GAINS = st.floats(-60, 24)
CAPTIONS = st.lists(st.tuples(WORDS, st.integers(0, 50), st.integers(1, 50)), max_size=4)


@st.composite
def captions(draw: Any) -> list[pb.Caption]:
    free, made = 0, []
    for text, gap, frames in draw(CAPTIONS):
        made.append(pb.Caption(text=text, first_frame=free + gap, frames=frames))
        free += gap + frames
    if made and draw(st.booleans()):
        made[-1].frames = 0
    return made


@st.composite
def good_cuts(draw: Any, first: bool) -> pb.Cut:
    kind = draw(st.one_of(st.just(Kind.KIND_UNSPECIFIED), DIPS if first else st.integers(0, 7)))
    cut = pb.Cut(
        title=draw(st.sampled_from(["", "A title"])),
        join=pb.Join(kind=kind, frames=draw(FRAMES) if kind else 0),
        gain_db=draw(GAINS),
        fit=draw(st.sampled_from(pb.Fit.values())),
        captions=draw(captions()),
    )
    if draw(st.booleans()):
        cut.card.MergeFrom(pb.Card(text=draw(WORDS), frames=draw(st.integers(1, 14400)), ink="#FFee00"))
    else:
        cut.scene_id, cut.take_id = "sc", "take"
        cut.clip.CopyFrom(CLIP)
        if draw(st.booleans()):
            cut.trim.first_frame, cut.trim.frames = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**5))
    return cut


@st.composite
def good_lists(draw: Any) -> pb.EditList:
    cuts = [draw(good_cuts(first=True)), *draw(st.lists(good_cuts(first=False), max_size=5))]
    wanted = pb.EditList(title="The Film", cuts=cuts)
    if draw(st.booleans()):
        wanted.profile.size.width, wanted.profile.size.height = 3840, 2160
        wanted.profile.frame_rate.numerator, wanted.profile.frame_rate.denominator = 24000, 1001
    if draw(st.booleans()):
        wanted.ending.kind, wanted.ending.frames = draw(DIPS), draw(FRAMES)
    if draw(st.booleans()):
        wanted.music.CopyFrom(pb.Music(clip=CLIP, gain_db=draw(GAINS), duck_db=draw(st.floats(0, 40))))
    return wanted


@hypothesis.given(messages(pb.EditList))
def test_any_list_is_faulty_or_understood(message: pb.EditList) -> None:
    if not edit_rules.violations(message, "acme"):
        assert isinstance(wire.edit_of(message), edit.Edit)


@hypothesis.given(messages(pb.EditList))
def test_every_violation_names_a_field_and_the_remedy(message: pb.EditList) -> None:
    for violation in edit_rules.violations(message, "acme"):
        assert "should" in violation.description, violation
        kind = pb.EditList.DESCRIPTOR
        for name, index in re.findall(r"\.(\w+)(\[\d+\])?", violation.field):
            field = kind.fields_by_name[name]
            assert field.is_repeated or not index, violation
            kind = field.message_type


@hypothesis.given(good_lists())
def test_a_list_that_keeps_the_rules_passes_and_keeps_its_lengths(message: pb.EditList) -> None:
    assert fields(message) == []
    understood = wire.edit_of(message)
    assert [entry.join.frames if entry.join else 0 for entry in understood.entries] == [
        cut.join.frames for cut in message.cuts
    ]
    for entry, cut in zip(understood.entries, message.cuts, strict=True):
        assert entry.source == KEY or isinstance(entry.source, edit.Card)
        assert (entry.trim.first, entry.trim.frames or 0) == (cut.trim.first_frame, cut.trim.frames)
        assert [(one.first, one.frames or 0) for one in entry.captions] == [
            (one.first_frame, one.frames) for one in cut.captions
        ]


@hypothesis.given(good_lists(), messages(pb.EditList))
def test_a_good_list_that_is_bent_is_faulty_or_understood(good: pb.EditList, bend: pb.EditList) -> None:
    good.MergeFrom(bend)
    if not edit_rules.violations(good, "acme"):
        wire.edit_of(good)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_list_without_cuts_or_with_too_many_is_refused(count: int) -> None:
    cuts = [*one_clip().cuts] * count
    assert told(pb.EditList(title="The Film", cuts=cuts)) == {"cuts": "should be 1 to 1000 cuts"}


@pytest.mark.parametrize("key", ["", "t/other/clips/1.mp4", "t/acmeother/1.mp4", "clips/1.mp4"])
def test_files_of_others_are_refused(key: str) -> None:
    stolen = one_clip()
    stolen.cuts[0].clip.key = stolen.music.clip.key = key
    stolen.narrations.add().clip.key = key
    assert fields(stolen) == ["cuts[0].clip.key", "music.clip.key", "narrations[0].clip.key"]


def test_a_cut_has_a_clip_or_a_card_and_not_both() -> None:
    both = one_clip(card=pb.Card(frames=24), trim=pb.Trim(frames=3))
    assert fields(both) == ["cuts[0].clip", "cuts[0].trim"]
    neither = pb.EditList(title="The Film", cuts=[pb.Cut()])
    assert fields(neither) == ["cuts[0].scene_id", "cuts[0].take_id", "cuts[0].clip.key"]


def test_a_card_may_say_nothing_and_is_black() -> None:
    wanted = one_card(pb.Card(frames=24))
    assert fields(wanted) == []
    assert wire.edit_of(wanted).entries[0].source == edit.Card("", "", 24, "#000000", "#ffffff")


def test_a_card_is_understood_the_same_however_it_is_written() -> None:
    one, other = (
        wire.edit_of(one_card(pb.Card(text=text, frames=1, background=colour)))
        for text, colour in (("a\r\nb", "#AAbbCC"), ("a\nb", "#aabbcc"))
    )
    assert one == other


@pytest.mark.parametrize("colour", ["red", "#fff", "ffffff", "#gggggg", "#ffffff "])
def test_a_colour_has_six_digits(colour: str) -> None:
    wanted = one_card(pb.Card(frames=24, background=colour, ink=colour))
    assert fields(wanted) == ["cuts[0].card.background", "cuts[0].card.ink"]


@pytest.mark.parametrize("frames", [-1, 0, 14401])
def test_a_card_has_its_frames(frames: int) -> None:
    assert told(one_card(pb.Card(frames=frames))) == {"cuts[0].card.frames": "should be 1 to 14400"}


@pytest.mark.parametrize(
    ("join", "field"),
    [
        (pb.Join(kind=Kind.KIND_CROSSFADE), "cuts[1].join.frames"),
        (pb.Join(kind=Kind.KIND_WIPE_UP, frames=481), "cuts[1].join.frames"),
        (pb.Join(kind=Kind.KIND_DIP_TO_BLACK, frames=-1), "cuts[1].join.frames"),
        (pb.Join(frames=12), "cuts[1].join.frames"),
        (pb.Join(kind=99, frames=12), "cuts[1].join.kind"),  # type: ignore[arg-type]
    ],
)
def test_a_join_has_a_kind_and_frames(join: pb.Join, field: str) -> None:
    wanted = one_clip()
    wanted.cuts.add().CopyFrom(wanted.cuts[0])
    wanted.cuts[1].join.CopyFrom(join)
    assert fields(wanted) == [field]


def test_only_a_dip_opens_or_ends_a_film() -> None:
    fade, dip = (pb.Join(kind=kind, frames=12) for kind in (Kind.KIND_CROSSFADE, Kind.KIND_DIP_TO_WHITE))
    for join, expected in ((fade, ["cuts[0].join.kind", "ending.kind"]), (dip, [])):
        wanted = one_clip(join=join)
        wanted.ending.CopyFrom(join)
        assert fields(wanted) == expected


def test_a_join_says_its_remedy() -> None:
    wanted = one_clip(join=pb.Join(kind=Kind.KIND_DIP_TO_BLACK))
    assert told(wanted) == {"cuts[0].join.frames": "should be 1 to 480"}


@pytest.mark.parametrize("gain", [-60.1, 24.1, math.nan, math.inf, -math.inf])
def test_a_gain_is_a_number_of_its_range(gain: float) -> None:
    wanted = one_clip(gain_db=gain)
    wanted.loudness_lufs = gain
    wanted.music.clip.CopyFrom(CLIP)
    wanted.music.gain_db = wanted.music.duck_db = gain
    wanted.narrations.add(clip=CLIP, gain_db=gain)
    bad = ["cuts[0].gain_db", "music.gain_db", "music.duck_db", "narrations[0].gain_db", "loudness_lufs"]
    assert [field for field in bad if field not in fields(wanted)] == (["music.duck_db"] if gain == 24.1 else [])


def test_silence_is_a_loudness_only_when_told() -> None:
    assert wire.edit_of(one_clip()).loudness == -14
    quiet = one_clip()
    quiet.loudness_lufs = 0
    assert told(quiet) == {"loudness_lufs": "should be -40 to -5"}


@pytest.mark.parametrize(
    ("spans", "field", "wrong"),
    [
        ([(0, 10), (9, 3)], "cuts[0].captions[1].first_frame", "at least 10"),
        ([(5, 10), (0, 3)], "cuts[0].captions[1].first_frame", "at least 15"),
        ([(0, 0), (90, 3)], "cuts[0].captions[1].first_frame", "to the end"),
        ([(-1, 3)], "cuts[0].captions[0].first_frame", "0 to"),
        ([(0, -3)], "cuts[0].captions[0].frames", "0 to"),
    ],
)
def test_captions_come_one_after_the_other(spans: list[tuple[int, int]], field: str, wrong: str) -> None:
    found = told(one_clip(captions=[pb.Caption(text="Ah.", first_frame=first, frames=f) for first, f in spans]))
    assert list(found) == [field]
    assert wrong in found[field]


def test_what_is_written_has_its_lengths() -> None:
    wanted = one_clip(title="x" * 201, captions=[pb.Caption(text=" ")] * 101)
    wanted.title = "\n"
    found = fields(wanted)
    assert found[:3] == ["title", "cuts[0].title", "cuts[0].captions"]
    assert "cuts[0].captions[99].text" in found
    assert "cuts[0].captions[100].text" not in found
    assert fields(one_card(pb.Card(text="x" * 201, subtext="x" * 1001, frames=1))) == [
        "cuts[0].card.text",
        "cuts[0].card.subtext",
    ]
    assert told(one_clip(title="a\x1bb")) == {"cuts[0].title": "should hold no control characters; remove them"}


@pytest.mark.parametrize(("tag", "is_taken"), [("de", True), ("zh-Hant-TW", True), ("en_GB", False), ("x" * 9, False)])
def test_a_language_has_the_shape_of_a_tag(tag: str, is_taken: bool) -> None:
    wanted = one_clip()
    wanted.captions.language = tag
    assert fields(wanted) == ([] if is_taken else ["captions.language"])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((3840, 2160), []),
        ((2160, 3840), []),
        ((4096, 2304), []),
        ((4096, 2306), ["profile.size"]),
        ((7680, 4320), ["profile.size"]),
        ((127, 7682), ["profile.size.width", "profile.size.height"]),
    ],
)
def test_a_picture_is_four_k_at_most(size: tuple[int, int], expected: list[str]) -> None:
    wanted = one_clip()
    wanted.profile.size.width, wanted.profile.size.height = size
    assert fields(wanted) == expected
    assert expected or wire.edit_of(wanted).wish == edit.Wish(size, None)


@pytest.mark.parametrize(
    ("numerator", "denominator", "is_taken"),
    [
        (24, 1, True),
        (24000, 1001, True),
        (120, 1, True),
        (121, 1, False),
        (1000, 1001, False),
        (24, 0, False),
        (48, 2, False),
    ],
)
def test_rates_that_are_taken(numerator: int, denominator: int, is_taken: bool) -> None:
    wanted = one_clip()
    wanted.profile.frame_rate.numerator, wanted.profile.frame_rate.denominator = numerator, denominator
    assert fields(wanted) == ([] if is_taken else ["profile.frame_rate"])
    assert not is_taken or wire.edit_of(wanted).wish == edit.Wish(None, Fraction(numerator, denominator))


def test_what_is_told_of_lengths_ends_within_twelve_hours() -> None:
    cards = [pb.Cut(card=pb.Card(frames=14400)) for _ in range(361)]
    wanted = pb.EditList(title="Sleep", cuts=cards[:72])
    wanted.profile.frame_rate.numerator, wanted.profile.frame_rate.denominator = 24, 1
    assert fields(wanted) == []
    wanted.cuts.extend(cards[:1])
    assert told(wanted) == {"cuts": "should last 12 hours at most: cut it into several films"}
    assert fields(pb.EditList(title="Sleep", cuts=cards[:360])) == []  # at 120 frames a second it would fit
    assert fields(pb.EditList(title="Sleep", cuts=cards)) == ["cuts"]


def test_provenance_has_its_shape() -> None:
    wanted = one_clip(provenance=pb.Provenance(provider="x" * 201, prompt_sha256="F" * 64))
    wanted.cuts[0].provenance.create_time.seconds = 2**62
    assert fields(wanted) == [f"cuts[0].provenance.{name}" for name in ("provider", "prompt_sha256", "create_time")]


def test_the_fit_of_a_cut_goes_before_that_of_the_profile() -> None:
    wanted = one_clip()
    assert wire.edit_of(wanted).entries[0].fit is edit.Fit.PAD
    wanted.profile.fit = pb.FIT_BLUR
    assert wire.edit_of(wanted).entries[0].fit is edit.Fit.BLUR
    wanted.cuts[0].fit = pb.FIT_CROP
    assert wire.edit_of(wanted).entries[0].fit is edit.Fit.CROP
    wanted.cuts[0].fit = 9  # type: ignore[assignment]
    assert fields(wanted) == ["cuts[0].fit"]
