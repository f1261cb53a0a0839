"""Takes Fountain screenplays apart into their elements, in linear time, as https://fountain.io/syntax says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(?:int|ext|est|int\.?/ext|i/e)[. ]", re.IGNORECASE)
_COMMENT = re.compile(r"/\*|\*/")
_NOTE = re.compile(r"\[\[|\]\]|\n[ \t]*(?=\n)")
_KEY = re.compile(r"([^\s:][^:\n]*):[ \t]*(.*)")
_PAGE_BREAK = re.compile(r"={3,}\s*")
_SECTION = re.compile(r"(#{1,6})\s*(.*)")
_EXTENSION = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, slots=True)
class Element:
    """A piece of a script: what it is, the line it begins in, counted from 1, and its text."""

    kind: str
    line: int
    text: str


def elements(script: str) -> Iterator[Element]:
    """The title page, then everything in order; a note comes where it began.

    Kinds: title (`Key: value`), heading, forced_heading, action, character, parenthetical, dialogue, lyric, transition,
    centred, section, synopsis, page_break, note, boneyard.
    """
    script = script.replace("\r\n", "\n").replace("\r", "\n")
    aside: list[Element] = []
    script = _without(script, _COMMENT, "/*", "*/", "boneyard", aside)
    script = _without(script, _NOTE, "[[", "]]", "note", aside)
    lines = _Lines(script, {line for it in aside for line in range(it.line, it.line + it.text.count("\n") + 1)})
    aside.sort(key=lambda it: it.line, reverse=True)
    for element in _main(lines):
        while aside and aside[-1].line < element.line:
            yield aside.pop()
        yield element
    yield from reversed(aside)


def is_heading(line: str) -> bool:
    """Whether a line with nothing before it is a scene heading without a mark."""
    return bool(_HEADING.match(line))


def is_plain_action(line: str) -> bool:
    """Whether a line among others is action without a mark, wherever it stands."""
    marked = line[:1] in ".#=!@~>" or line != line.strip() or line == line.upper() != line.lower()
    return bool(line) and not marked and not is_heading(line)


def _without(script: str, marks: re.Pattern[str], opens: str, closes: str, kind: str, aside: list[Element]) -> str:
    """The script without what stands between these marks, its lines where they were; what is never closed stays."""
    kept: list[str] = []
    begin, done, line, seen = -1, 0, 1, 0
    for match in marks.finditer(script):
        if match[0] == opens and begin < 0:
            begin = match.start()
        elif match[0] == closes and begin >= 0:
            text = script[begin + 2 : match.start()]
            line, seen = line + script.count("\n", seen, begin), begin
            aside.append(Element(kind, line, text))
            kept += [script[done:begin], "\n" * text.count("\n")]
            begin, done = -1, match.end()
        elif match[0] not in (opens, closes):
            begin = -1  # a note does not go on past an empty line
    return "".join([*kept, script[done:]])


class _Lines:
    """The lines with their numbers; those that held nothing but what was taken out are not there at all."""

    def __init__(self, script: str, touched: set[int]) -> None:
        numbered = enumerate(script.split("\n"), 1)
        self._all = [(number, line) for number, line in numbered if line.strip() or number not in touched]
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._all)

    def take(self) -> tuple[int, str]:
        self._at += 1
        return self._all[self._at - 1]

    def peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._all[at][1] if 0 <= at < len(self._all) else ""


def _main(lines: _Lines) -> Iterator[Element]:
    yield from _title_page(lines)
    while lines:
        stands_alone = not lines.peek(-1).strip()
        number, line = lines.take()
        text = line.strip()
        if not text:
            continue
        element = _marked(number, text) or (stands_alone and _unmarked(number, line, lines)) or None
        element = element or Element("action", number, line.rstrip())
        yield element
        if element.kind == "character":
            yield from _speech(lines)


def _title_page(lines: _Lines) -> Iterator[Element]:
    match = _KEY.match(lines.peek())
    if match is None or (not match[2] and not lines.peek(1).strip()):
        return
    key, values, number = "", list[str](), 1
    while lines and lines.peek().strip():
        at, line = lines.take()
        if match := _KEY.match(line):
            if key:
                yield Element("title", number, f"{key}: {' '.join(filter(None, values))}".rstrip())
            key, values, number = match[1].strip(), [match[2].strip()], at
        else:
            values.append(line.strip())
    yield Element("title", number, f"{key}: {' '.join(filter(None, values))}".rstrip())


def _marked(number: int, text: str) -> Element | None:
    """What its first character says it is."""
    mark, rest = text[0], text[1:].strip()
    if mark == "." and rest and not text.startswith(".."):
        return Element("forced_heading", number, rest)
    if match := _SECTION.fullmatch(text):
        return Element("section", number, match[2])
    if _PAGE_BREAK.fullmatch(text):
        return Element("page_break", number, "")
    if mark == ">" and text.endswith("<") and len(text) > 1:
        return Element("centred", number, text[1:-1].strip())
    kind = {"=": "synopsis", "!": "action", "@": "character", "~": "lyric", ">": "transition"}.get(mark)
    return Element(kind, number, text[1:] if mark == "!" else rest) if kind else None


def _unmarked(number: int, line: str, lines: _Lines) -> Element | None:
    """What a line after an empty one is by its looks; None when it is action."""
    text, alone = line.strip(), not lines.peek().strip()
    if is_heading(text):
        return Element("heading", number, text)
    name = _EXTENSION.sub("", text).rstrip("^ ")
    upper = name == name.upper() != name.lower()
    if upper and alone and text.endswith("TO:"):
        return Element("transition", number, text)
    return Element("character", number, text) if upper and not alone else None


def _speech(lines: _Lines) -> Iterator[Element]:
    """What a character says, until an empty line; a line of two blanks is none."""
    while lines and lines.peek():
        number, line = lines.take()
        text = line.strip()
        if text.startswith("(") and text.endswith(")"):
            yield Element("parenthetical", number, text[1:-1])
        elif text.startswith("~"):
            yield Element("lyric", number, text[1:].strip())
        else:
            yield Element("dialogue", number, text)
