import pytest
from PIL import ImageFont

from services.compiler import lettering

WIDTH, HEIGHT = 600, 400


@pytest.mark.parametrize(
    "text",
    [
        "Fin",
        "The keeper of the lighthouse had not slept since the ship went down, and nobody asked him why.",
        "One line\nand another\n\nand one after a gap",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "Ж" * 300,
        "渡し船を待つ人々の長い長い物語である。" * 8,
        "كان حارس المنارة ينتظر السفينة منذ نهاية الحرب",
        "word " * 200,
        "\t spaces  and\u00a0others \r\n of every\u2028kind ",
    ],
)
def test_any_text_fits(text: str) -> None:
    lines = lettering.fitted(text, 60, WIDTH, HEIGHT)
    assert lines.width <= WIDTH
    assert lines.height <= HEIGHT
    assert lines.lines or not lettering.legible(text, 60)[0].strip()
    assert not any(line != line.strip() for line in lines.lines)


def test_a_short_text_keeps_its_size_and_its_lines() -> None:
    lines = lettering.fitted("One\ntwo words", 60, WIDTH, HEIGHT)
    assert (lines.lines, lines.size) == (("One", "two words"), 60)


def test_lines_are_as_even_as_can_be() -> None:
    lines = lettering.fitted("a bb ccc dddd eeeee ffffff ggggggg hhh", 40, 500, HEIGHT)
    lengths = [lines.face.getlength(line) for line in lines.lines]
    assert len(lengths) == 2
    assert min(lengths) > 0.7 * max(lengths)


def test_words_are_made_smaller_before_they_are_broken() -> None:
    lines = lettering.fitted("Unbelievable lighthouses", 120, WIDTH, HEIGHT)
    assert lines.lines == ("Unbelievable", "lighthouses")
    assert lines.size < 120
    broken = lettering.fitted("Un" + "believable" * 6, 120, WIDTH, HEIGHT)
    assert len(broken.lines) > 1
    assert "".join(broken.lines) == "Un" + "believable" * 6


def test_no_line_begins_with_a_closing_mark() -> None:
    assert [unit for unit in lettering.words("渡し船。待つ (one two)")] == [
        "渡",
        "し",
        "船。",
        "待",
        "つ ",
        "(one ",
        "two)",
    ]


def test_what_no_face_can_write_is_left_out() -> None:
    shown, face = lettering.legible("A\x00B\x07\ue000C", 20)
    assert shown == "ABC"
    assert face.getlength(shown) > 0


def test_plain_letters_need_no_face_of_the_machine() -> None:
    _, face = lettering.legible("Hello", 20)
    assert isinstance(face, ImageFont.FreeTypeFont)
    assert face.getname() == ImageFont.load_default(20).getname()  # type: ignore[union-attr]
