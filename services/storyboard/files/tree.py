"""YAML and JSON as texts, lists and dicts, with the line of each: 16:9, 007 and no are what they look like."""

import json
import re
from collections.abc import Iterator
from typing import Any

from libs import yaml_lines
from services.storyboard.files import draft

LARGEST_BYTES = 2_000_000
_MOST_NODES = 300_000
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],]|\n', re.DOTALL)


def text(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 where its mark says so. Raises FileFaulty."""
    if len(data) > LARGEST_BYTES:
        raise draft.refusal(1, f"it is larger than {LARGEST_BYTES // 1000} kB; split the film into several boards")
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        read = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise draft.refusal(line, "it is not UTF-8 text; save the file as UTF-8") from None
    if not read.strip():
        raise draft.refusal(1, "it is empty; write a name and scenes")
    return read


def from_yaml(text: str) -> draft.Draft:
    """A file of YAML. Raises FileFaulty."""
    try:
        told = yaml_lines.read(text, _MOST_NODES)
    except yaml_lines.Unreadable as error:
        raise draft.refusal(error.line, f"{error.wrong}; {error.remedy}") from None
    if told.value is None:
        raise draft.refusal(1, "it is empty; write a name and scenes")
    twice = [(line, loc, "is written twice; keep one of the two") for line, loc in told.twice]
    return _whole(draft.Draft(lines=told.lines, faults=twice), told.value)


def from_json(text: str) -> draft.Draft:
    """A file of JSON. Raises FileFaulty."""
    return _whole(*json_value(text))


def json_value(text: str) -> tuple[draft.Draft, Any]:
    """Any JSON, with a draft that knows its lines. Raises FileFaulty."""
    try:
        value = json.loads(text.removeprefix("\ufeff"), parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise draft.refusal(error.lineno, f"it is not valid JSON: {error.msg}; check quotes and commas") from None
    except RecursionError:
        raise draft.refusal(1, "it is nested too deep; flatten it") from None
    told = draft.Draft()
    for loc, line in _json_lines(text):
        if len(told.lines) > _MOST_NODES:
            raise draft.refusal(line, "it holds too many values for a board")
        if len(loc) > yaml_lines.DEEPEST:
            raise draft.refusal(line, f"it is nested more than {yaml_lines.DEEPEST} levels deep; flatten it")
        twice = loc in told.lines and isinstance(loc[-1], str)
        told.lines[loc] = line
        if twice:
            told.fault(loc, "is written twice; keep one of the two")
    return told, _texts(value)


def _whole(told: draft.Draft, value: Any) -> draft.Draft:
    if not isinstance(value, dict):
        raise draft.refusal(1, f"it is {draft.shown(value)}, not a board; write fields such as name and scenes")
    told.raw = value
    return told


def _texts(value: Any) -> Any:
    """A key without a value counts as not written."""
    if isinstance(value, dict):
        return {key: _texts(it) for key, it in value.items() if it is not None}
    if isinstance(value, list):
        return [_texts(it) for it in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _json_lines(text: str) -> Iterator[tuple[draft.Loc, int]]:
    """Where each value of valid JSON stands."""
    line, loc = 1, list[str | int]()
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n":
            line += 1
        elif token in "{[":
            loc.append(-1 if token == "[" else "")
            yield from _begun(loc, line)
        elif token in "}]":
            loc.pop()
        elif token == ",":
            loc[-1:] = [""] if isinstance(loc[-1], str) else [loc[-1] + 1]
            yield from () if loc[-1] == "" else [(tuple(loc), line)]
        elif loc and loc[-1] == "":
            loc[-1] = json.loads(token)
            yield tuple(loc), line


def _begun(loc: list[str | int], line: int) -> Iterator[tuple[draft.Loc, int]]:
    if loc[-1] == -1:
        loc[-1] = 0
        yield tuple(loc), line
