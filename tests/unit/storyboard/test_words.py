"""What a board is filed under."""

from hypothesis import given
from hypothesis import strategies as st

from services.storyboard import domain, words


def test_of_names_every_end_of_every_word():
    filed = words.of_storyboard(domain.Content(name="The Fog!"), "acme")
    mark = filed[0].partition(".")[0] + "."
    assert [word.removeprefix(mark) for word in filed] == ["the", "he", "e", "fog", "og", "g", "!"]


def test_tenants_do_not_share_words():
    mine, theirs = (set(words.of_storyboard(domain.Content(name="Fog"), tenant)) for tenant in ("acme", "other"))
    assert not mine & theirs


def test_a_book_in_a_board_is_filed_by_its_first_words():
    book = " ".join(f"word{n}" for n in range(300))
    scenes = tuple(domain.Scene(id=f"scene_{n}", action=book.replace("word", f"w{n}x")) for n in range(40))
    filed = words.of_storyboard(domain.Content(name="Long", scenes=scenes), "acme")
    assert len(filed) == len(set(filed)) == words.MOST
    assert filed[0].endswith(".long")


@given(st.text(max_size=60))
def test_any_name_is_found_by_itself(name):
    filed = words.of_storyboard(domain.Content(name=name), "acme")
    for asked in filter(None, words.query(name, "acme").split(" & ")):
        assert asked.removeprefix("'").removesuffix("':*").replace("''", "'").replace("\\\\", "\\") in filed


def test_nothing_is_asked_by_blanks():
    assert words.query(" \t", "acme") == ""
