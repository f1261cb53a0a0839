"""Every format brings a board back as it was, and no file makes a reader stumble."""

import hypothesis
import pytest
from hypothesis import strategies as st

from services.storyboard import domain, files
from services.storyboard.files import draft
from tests.unit.storyboard import contents

SLOW = hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
READABLE = sorted(files.READABLE)


def read(data, format, name=""):
    return files.read(data if isinstance(data, bytes) else data.encode(), format, name)


def judged(data, format):
    """The content, or what is wrong; nothing else may come of a file."""
    try:
        return read(data, format)[0], []
    except draft.FileFaulty as faulty:
        return None, faulty.violations


def refused(data, format):
    """What is wrong, by field."""
    with pytest.raises(draft.FileFaulty) as caught:
        read(data, format)
    return {it.field: it.description for it in caught.value.violations}


@pytest.mark.parametrize("format", READABLE)
@SLOW
@hypothesis.given(content=contents.contents())
def test_a_round_trip_loses_nothing(format, content):
    back, warnings = read(files.write(content, format).data, format)
    assert back == content
    assert [it.text for it in warnings if "passed over" in it.text or "twice" in it.text] == []


@pytest.mark.parametrize("format", READABLE)
@SLOW
@hypothesis.given(data=st.one_of(st.binary(max_size=300), st.lists(contents.PIECES, max_size=40).map("".join)))
def test_whatever_is_in_a_file_it_is_read_or_refused_by_name(format, data):
    content, faults = judged(data, format)
    assert all(it.description.startswith("line ") for it in faults)
    assert content is None or read(files.write(content, format).data, format)[0] == content


@pytest.mark.parametrize("format", READABLE)
@SLOW
@hypothesis.given(content=contents.contents(), cut=st.integers(0, 4000), snare=st.sampled_from(contents.SNARES))
def test_a_damaged_export_is_read_or_refused_by_name(format, content, cut, snare):
    text = files.write(content, format).data.decode()
    damaged = text[: cut % (len(text) + 1)] + snare + text[cut % (len(text) + 1) :]
    damaged_content, faults = judged(damaged, format)
    assert (damaged_content is None) == bool(faults)


@pytest.mark.parametrize("format", READABLE)
@pytest.mark.parametrize(
    "word", ["None", "true", "null", "0", "~", "[]", "{}", "=1", "'", "[[rushes: {}]]", "*/", "TO:"]
)
def test_words_that_look_like_something_else_stay_words(format, word):
    scene = domain.Scene(subject=word, action=word, dialogue=word, negative_prompt=word, model=word, seconds=4)
    board = domain.Content(name=word, logline=word, scenes=(scene,))
    assert read(files.write(board, format).data, format)[0] == board
