"""CSV shot lists: RFC 4180, and what spreadsheets make of it."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.storyboard import domain
from services.storyboard.files import draft, extras, plain, tree

_COLUMNS = (
    "number", "title", "subject", "action", "setting", "camera", "lighting", "mood", "dialogue", "duration", "seam",
    "cast", "location", "props", "model", "negative_prompt", "seed", "caption", "board",
)  # fmt: skip
_SYNONYMS: Mapping[str, str] = {
    "number": "no nr shot shotno shotnr shotnumber scene sceneno scenenr scenenumber id",
    "title": "name shottitle shotname scenetitle scenename slug slugline heading sceneheading",
    "subject": "subjects who what",
    "action": "description shotdescription scenedescription desc visual visuals picture content happens",
    "setting": "where intext time timeofday daynight",
    "camera": "framing shotsize size shottype type angle cameraangle lens focallength movement cameramovement move",
    "lighting": "light lights",
    "mood": "tone atmosphere feeling",
    "dialogue": "dialog dialogues dialogs spoken lines vo voiceover audio",
    "duration": "seconds secs sec s length dur runtime durations durationsec durationseconds",
    "seam": "transition join",
    "cast": "characters character actors actor talent people",
    "location": "place loc set",
    "props": "prop objects things",
    "model": "modelid",
    "negative_prompt": "negativeprompt negative avoid exclude",
    "caption": "captions subtitle subtitles super supers onscreentext titleonscreen",
}
_FIELDS = {name.replace("_", ""): name for name in _COLUMNS}
_FIELDS |= {word: field for field, words in _SYNONYMS.items() for word in words.split()}
_LISTS = ("cast", "props")
# What a spreadsheet would take for a formula; behind apostrophes, what we have put one more before.
_FORMULA = re.compile("'*[=+\\-@\t\r＝＋－＠]")  # noqa: RUF001
_EXACT_DIGITS = 15  # of a number in a spreadsheet
_CLOCK = re.compile(r"(?:([0-9]{1,2}):)?([0-9]{1,2}):([0-9]{1,2})")
_SECONDS = re.compile(r"([0-9]{1,6})(?:[.,]0{1,6})?(?: ?(?:s|sec|secs|seconds?))?", re.IGNORECASE)
_DEFAULT_SECONDS = "4"
_SEAMS = {"cutto": "cut", "hardcut": "cut", "lastframe": "last_frame", "sharedkeyframe": "shared_keyframe"}


def read(text: str) -> draft.Draft:
    """A shot list. Raises FileFaulty."""
    told = draft.Draft(raw={"scenes": []})
    rows = _rows(text)
    start, header = next(rows, (1, []))
    fields = [_FIELDS.get(re.sub(r"[\W_]", "", name.casefold()), "") for name in header]
    if not any(fields):
        raise draft.refusal(start, f"its first row names no column of a shot list; use {', '.join(_COLUMNS)}")
    strangers = {at for at, field in enumerate(fields) if not field}
    for line, row in rows:
        for at in [at for at in strangers if at < len(row) and row[at].strip()]:
            told.warn((), f"column {draft.shown(header[at])} has no place in a board, and is passed over", start)
            strangers.discard(at)
        _row(told, line, fields, row)
    if not told.raw["scenes"]:
        told.warn((), "it holds no shots")
    extras.complete(told)
    return told


def write(content: domain.Content) -> str:
    """The shot list, with the board around it in the last column of the first row; every cell harmless."""
    board = plain.of(content)
    scenes = board.pop("scenes", [])
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(_COLUMNS)
    for number, scene in enumerate(scenes or [{}], 1):
        cells = {name: _cell(value) for name, value in scene.items()}
        cells["number"] = str(number) if scene else ""
        cells["board"] = json.dumps(board, ensure_ascii=False) if number == 1 else ""
        rows.writerow([_harmless(cells.get(name, "")) for name in _COLUMNS])
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list):
        plain_names = not any(set(",;\n\r") & set(name) or name.startswith("[") for name in value)
        return "; ".join(value) if plain_names else json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"'{text}" if isinstance(value, int) and len(text) > _EXACT_DIGITS else text


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with its line; rows of empty cells are passed over. Raises FileFaulty."""
    text = text.removeprefix("\ufeff")
    csv.field_size_limit(tree.LARGEST_BYTES)
    skipped, delimiter = 0, ""
    if match := re.match(r"sep=(.)\r?\n", text):
        text, skipped, delimiter = text[match.end() :], 1, match[1]
    delimiter = delimiter or max(",;\t", key=lambda it: _known(text, it))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        line = 1
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line + skipped, row
            line = reader.line_num + 1
    except csv.Error as error:
        remedy = "put quotes around cells with quotes, and double those inside"
        raise draft.refusal(reader.line_num + skipped, f"it is not valid CSV: {error}; {remedy}") from None


def _known(text: str, delimiter: str) -> int:
    header = text.lstrip("\r\n").split("\n", 1)[0].split(delimiter)
    return sum(re.sub(r"[\W_]", "", name.casefold()) in _FIELDS for name in header)


def _row(told: draft.Draft, line: int, fields: Sequence[str], row: Sequence[str]) -> None:
    loc: draft.Loc = ("scenes", len(told.raw["scenes"]))
    found: dict[str, list[str]] = {}
    for field, cell in zip(fields, row, strict=False):
        text = (cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell).strip()
        if text and field:
            found.setdefault(field, []).append(text)
    if len(row) > len(fields) and any(cell.strip() for cell in row[len(fields) :]):
        told.warn(loc, "the row has more cells than the header; they are passed over", line)
    for board in found.pop("board", ()):
        _board(told, board, line)
    if found:
        told.begin_scene(line)
        told.raw["scenes"].append(_scene(told, loc, found))


def _board(told: draft.Draft, cell: str, line: int) -> None:
    try:
        _, over = tree.json_value(cell)
    except draft.FileFaulty as faulty:
        told.lines[("board",)] = line
        told.fault(("board",), faulty.violations[0].description.partition(": ")[2])
        return
    if isinstance(over, dict):
        over.pop("scenes", None)
    extras.lay(told, (), over, line)


def _scene(told: draft.Draft, loc: draft.Loc, found: Mapping[str, list[str]]) -> dict[str, Any]:
    scene: dict[str, Any] = {
        field: _names(cells) if field in _LISTS else ", ".join(cells) for field, cells in found.items()
    }
    number = scene.pop("number", "")
    if number and not number.isdecimal():
        scene["title"] = f"{number} {scene.get('title', '')}".strip()
    if "seed" in scene:
        scene["seed"] = scene["seed"].removeprefix("'")
    if "seam" in scene:
        word = re.sub(r"[\W_]", "", scene["seam"].casefold())
        scene["seam"] = _SEAMS.get(word, scene["seam"])
    scene["duration"] = _duration(told, loc, scene.get("duration", ""))
    if not scene.get("subject"):
        _subject(told, loc, scene)
    return scene


def _names(cells: Sequence[str]) -> list[str]:
    names: list[str] = []
    for cell in cells:
        try:
            listed = json.loads(cell) if cell.startswith("[") else None
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
            names += listed
        else:
            names += re.split("[;\r\n]" if ";" in cell else "[,\r\n]", cell)
    return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def _duration(told: draft.Draft, loc: draft.Loc, written: str) -> str:
    if not written:
        told.warn((*loc, "duration"), f"no duration is given; {_DEFAULT_SECONDS} seconds are taken")
        return _DEFAULT_SECONDS
    if match := _CLOCK.fullmatch(written):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return str(hours * 3600 + minutes * 60 + seconds)
    match = _SECONDS.fullmatch(written)
    return match[1] if match else written


def _subject(told: draft.Draft, loc: draft.Loc, scene: dict[str, Any]) -> None:
    """Every scene shows somebody or something: who is in it, else what happens, else its title."""
    for field in ("cast", "title", "location", "action", "setting", "dialogue", "caption"):
        if value := scene.get(field):
            scene["subject"] = (", ".join(value) if isinstance(value, list) else value)[:2000]
            told.warn((*loc, "subject"), f"no subject is given; the {field} is taken")
            return
