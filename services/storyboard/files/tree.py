"""YAML and JSON as texts, lists and dicts, with the line of each: 16:9, 007 and no are what they look like."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from services.storyboard.files import draft

LARGEST_BYTES = 2_000_000
_DEEPEST = 20
_MOST_NODES = 300_000  # aliases may repeat a node; this stops a file that unfolds without end
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],]|\n', re.DOTALL)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        if _too_deep(text):
            raise draft.refusal(1, f"it is nested more than {_DEEPEST} levels deep; flatten it")
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        wrong = f"it is not valid YAML: {error.problem or error.context}; check the indentation, quotes and colons"
        raise draft.refusal(mark.line + 1 if mark else 1, wrong) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise draft.refusal(line, f"it holds a character that YAML forbids: {error.reason}; remove it") from None
    if root is None:
        raise draft.refusal(1, "it is empty; write a name and scenes")
    unfolding = _Unfolding()
    return _whole(unfolding.draft, unfolding.value(root, ()))


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
        if len(loc) > _DEEPEST:
            raise draft.refusal(line, f"it is nested more than {_DEEPEST} levels deep; flatten it")
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


def _too_deep(text: str) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return True
    return False


class _Unfolding:
    """Unfolds YAML nodes, noting lines."""

    def __init__(self) -> None:
        self.draft, self._nodes = draft.Draft(), 0

    def value(self, node: yaml.Node, loc: draft.Loc) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(loc) > _DEEPEST:
            raise draft.refusal(node.start_mark.line + 1, "its aliases repeat too much; write it out")
        self.draft.lines.setdefault(loc, node.start_mark.line + 1)
        match node:
            case yaml.MappingNode():
                return dict(self._entries(node, loc))
            case yaml.SequenceNode():
                return [self.value(child, (*loc, index)) for index, child in enumerate(node.value)]
            case yaml.ScalarNode(value="" | "~" | "null") if not node.style:  # plain, not in quotes
                return None
            case _:
                return node.value

    def _entries(self, node: yaml.MappingNode, loc: draft.Loc) -> Iterator[tuple[str, Any]]:
        """What is written down; a key without a value counts as not written."""
        seen = set()
        for key, child in node.value:
            at = (*loc, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
            self.draft.lines[at] = key.start_mark.line + 1
            if at in seen:
                self.draft.fault(at, "is written twice; keep one of the two")
            seen.add(at)
            value = self.value(child, at)
            if value is not None:
                yield str(at[-1]), value
