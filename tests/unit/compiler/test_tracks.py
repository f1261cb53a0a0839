from fractions import Fraction

import pytest

from services.compiler import tracks
from services.compiler.recipes import Chapter, Film, Profile, Run, Subtitle

FPS = Fraction(24000, 1001)


def film(*subtitles: Subtitle, fps: Fraction = FPS) -> Film:
    profile = Profile(640, 360, fps)
    return Film("A", profile, (Run("", 0, 240),), 0, "", -14.0, (Chapter(1, "A", 0, 240),), subtitles, "en", False)


def test_captions_that_meet_in_a_join_are_shown_together_while_they_do() -> None:
    found = tracks.samples(film(Subtitle("one", 10, 40), Subtitle("two", 30, 60), Subtitle("three", 60, 70)))
    assert [(one.text, one.start, one.frames) for one in found] == [
        ("one", 10, 20),
        ("one\ntwo", 30, 10),
        ("two", 40, 20),
        ("three", 60, 10),
    ]


def test_a_caption_is_what_its_format_lets_it_be() -> None:
    recipe = film(Subtitle("Tom & <Jerry>\n\n--> again", 0, 24), Subtitle("Ende", 230, 240))
    assert tracks.vtt(recipe) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.001\nTom &amp; &lt;Jerry&gt;\n--&gt; again\n\n"
        "00:00:09.593 --> 00:00:10.010\nEnde\n"
    )
    assert tracks.srt(recipe) == (
        "1\n00:00:00,000 --> 00:00:01,001\nTom & <Jerry>\n--> again\n\n2\n00:00:09,593 --> 00:00:10,010\nEnde\n"
    )


def test_the_words_of_a_sample_have_their_length_before_them() -> None:
    (sample,) = tracks.samples(film(Subtitle("Ü", 0, 1)))
    assert sample.payload == b"\0\2\xc3\x9c"


@pytest.mark.parametrize(
    ("tag", "known"),
    [("de", "deu"), ("de-CH", "deu"), ("EN", "eng"), ("fil", "fil"), ("", "und"), ("tlh-x", "tlh"), ("qq", "und")],
)
def test_languages_by_three_letters(tag: str, known: str) -> None:
    assert tracks.iso639(tag) == known


def test_times_past_an_hour() -> None:
    assert tracks.clock(24 * 3600 * 11 + 12, Fraction(24), ",") == "11:00:00,500"


def test_blank_captions_are_none() -> None:
    assert list(tracks.samples(film(Subtitle(" \n ", 0, 10)))) == []
