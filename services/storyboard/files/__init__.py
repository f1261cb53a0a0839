"""Boards as files: every format is read and written here, and nothing is lost without a word."""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.storyboard import domain
from services.storyboard.files import board, browser, draft, page, plain, screenplay, script, shots, tree

_NAMELESS = "Untitled"


class Format(enum.StrEnum):
    """What a file is; HTML is for printers, and is only written."""

    YAML = "yaml"
    JSON = "json"
    FOUNTAIN = "fountain"
    CSV = "csv"
    BROWSER_JSON = "browser_json"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Written:
    """A file: `name` is safe on any disk."""

    data: bytes
    name: str
    content_type: str
    warnings: Sequence[draft.Warning]


_READS: Mapping[Format, Callable[[str], draft.Draft]] = {
    Format.YAML: board.read_yaml,
    Format.JSON: board.read_json,
    Format.FOUNTAIN: screenplay.read,
    Format.CSV: shots.read,
    Format.BROWSER_JSON: browser.read,
}
READABLE = frozenset(_READS)
_WRITES: Mapping[Format, tuple[Callable[[domain.Content], str], str, str]] = {
    Format.YAML: (board.write_yaml, "yaml", "application/yaml"),
    Format.JSON: (board.write_json, "json", "application/json"),
    Format.FOUNTAIN: (script.write, "fountain", "text/plain; charset=utf-8"),
    Format.CSV: (shots.write, "csv", "text/csv; charset=utf-8"),
    Format.BROWSER_JSON: (browser.write, "json", "application/json"),
    Format.HTML: (page.write, "html", "text/html; charset=utf-8"),
}


def read(data: bytes, format: Format, name: str) -> tuple[domain.Content, Sequence[draft.Warning]]:
    """The board of a file, and what a person should know of it; `name` is for one that has none. Raises FileFaulty."""
    told = _READS[format](tree.text(data))
    if not told.raw.get("name") and (name or format not in (Format.YAML, Format.JSON)):
        told.raw["name"] = name or _NAMELESS
        if not name:
            told.warn(("name",), f"it has no name; {_NAMELESS} is taken")
    return plain.content(told), told.warnings


def write(content: domain.Content, format: Format) -> Written:
    """The board as a file; ids are not in it."""
    writes, ending, content_type = _WRITES[format]
    data = writes(content).encode()
    return Written(data, f"{_slug(content.name)}.{ending}", content_type, [*_lacks(content, format, len(data))])


def _lacks(content: domain.Content, format: Format, size: int) -> Sequence[draft.Warning]:
    """What cannot be brought back from the file."""
    if format is Format.HTML:
        return [draft.Warning(0, "", "it is for printing, and cannot be imported")]
    lacks = []
    stills = [it.references for it in content.characters] + [it.references for it in content.locations]
    if any(stills):
        lacks.append(draft.Warning(0, "references", "stills are named in it, and are not in it"))
    if format is Format.BROWSER_JSON and len(content.characters) > 1:
        said = "the browser app knows one character; the others are under the key rushes"
        lacks.append(draft.Warning(0, "characters", said))
    if size > tree.LARGEST_BYTES:
        said = f"it is larger than the {tree.LARGEST_BYTES} bytes that an import takes"
        lacks.append(draft.Warning(0, "", said))
    return lacks


def _slug(name: str) -> str:
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in name.casefold()).split()
    return "-".join(words)[:80] or "storyboard"
