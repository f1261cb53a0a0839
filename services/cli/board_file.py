"""Reads a board file: a board and the line of every field, or every fault at once."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
import yaml

from services.cli import board, board_rules, exits

_LARGEST_BYTES = 1_000_000
_DEEPEST = 20
_MOST_NODES = 100_000  # aliases may repeat a node; this stops a file that unfolds without end
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Loc = board_rules.Loc


@dataclasses.dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong with a board file; `field` is empty when it is the file itself."""

    line: int
    field: str
    wrong: str
    remedy: str


class Faulty(exits.Ended):
    """A board file has faults; nothing was done with it."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(_sentence(path, fault) for fault in sorted(faults)), exits.Code.USAGE)
        self.faults = sorted(faults)


@dataclasses.dataclass(frozen=True)
class BoardFile:
    """A faultless board and where each of its fields stands."""

    path: Path
    data: bytes
    board: board.Board
    lines: Mapping[Loc, int]

    def refuse(self, violations: Sequence[tuple[Loc, str]]) -> Faulty:
        """What a service finds wrong with the board, told as faults of the file."""
        return Faulty(self.path, [Fault(_line(self.lines, loc), dotted(loc), wrong, "") for loc, wrong in violations])


def read(path: Path) -> BoardFile:
    """The board of this file. Raises Faulty with every fault."""
    lines: dict[Loc, int] = {}
    faults: list[Fault] = []
    data = _data(path)
    raw = _raw(path, data, lines, faults)
    broken = [*board_rules.broken(raw)]
    try:
        read_board = board.Board.model_validate(raw)
    except pydantic.ValidationError as error:
        broken += [board_rules.explain(fault) for fault in error.errors(include_url=False)]
    faults += [Fault(_line(lines, loc), dotted(loc), wrong, remedy) for loc, wrong, remedy in broken]
    if faults:
        raise Faulty(path, faults)
    return BoardFile(path, data, read_board, lines)


def dotted(loc: Loc) -> str:
    """A field as people write it: `scenes[2].duration`, counted from 0 as in the API."""
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return "".join(words).removeprefix(".")


def _sentence(path: Path, fault: Fault) -> str:
    field = f"{fault.field}: " if fault.field else ""
    stop = "" if fault.wrong.endswith((".", "?", "!")) else "."
    return f"{path}:{fault.line}: {field}{fault.wrong}{stop} {fault.remedy}".rstrip()


def _line(lines: Mapping[Loc, int], loc: Loc) -> int:
    """The line of a field, or of the nearest thing around it that is there."""
    while loc and loc not in lines:
        loc = loc[:-1]
    return lines.get(loc, 1)


def _raw(path: Path, data: bytes, lines: dict[Loc, int], faults: list[Fault]) -> Any:
    """The file as dicts, lists and texts. Raises Faulty when it is no YAML at all."""
    text = _text(path, data)
    try:
        if _too_deep(text):
            raise Faulty(path, [Fault(1, "", f"it is nested more than {_DEEPEST} levels deep", "Flatten it.")])
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        wrong = f"it is not valid YAML: {error.problem or error.context}"
        remedy = "Check the indentation, quotes and colons around it."
        raise Faulty(path, [Fault(mark.line + 1 if mark else 1, "", wrong, remedy)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Faulty(
            path, [Fault(line, "", f"it holds a character that YAML forbids: {error.reason}", "Remove it.")]
        ) from None
    if root is None:
        raise Faulty(path, [Fault(1, "", "it is empty", "Write a name and scenes.")])
    return _Unfolding(path, lines, faults).value(root, ())


def _data(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise Faulty(path, [Fault(1, "", f"it cannot be read: {error.strerror}", "Check the path.")]) from None
    if len(content) > _LARGEST_BYTES:
        wrong = f"it is larger than {_LARGEST_BYTES // 1000} kB"
        raise Faulty(path, [Fault(1, "", wrong, "Split the film into several boards.")])
    return content


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Faulty(path, [Fault(line, "", "it is not UTF-8 text", "Save the file as UTF-8.")]) from None


def _too_deep(text: str) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return True
    return False


@dataclasses.dataclass
class _Unfolding:
    """Unfolds YAML nodes, noting lines. Every scalar stays text: 16:9, 007 and no are what they look like."""

    path: Path
    lines: dict[Loc, int]
    faults: list[Fault]
    nodes: int = 0

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        self.nodes += 1
        if self.nodes > _MOST_NODES or len(loc) > _DEEPEST:
            raise Faulty(
                self.path, [Fault(node.start_mark.line + 1, "", "its aliases repeat too much", "Write it out.")]
            )
        self.lines.setdefault(loc, node.start_mark.line + 1)
        match node:
            case yaml.MappingNode():
                return dict(self._entries(node, loc))
            case yaml.SequenceNode():
                return [self.value(child, (*loc, index)) for index, child in enumerate(node.value)]
            case yaml.ScalarNode(value="" | "~" | "null") if not node.style:  # plain, not in quotes
                return None
            case _:
                return node.value

    def _entries(self, node: yaml.MappingNode, loc: Loc) -> Iterator[tuple[str, Any]]:
        """What is written down; a key without a value counts as not written."""
        seen = set()
        for key, child in node.value:
            line = key.start_mark.line + 1
            at = (*loc, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
            if at in seen:
                self.faults.append(Fault(line, dotted(at), "is written twice", "Keep one of the two."))
            seen.add(at)
            self.lines[at] = line
            value = self.value(child, at)
            if value is not None:
                yield str(at[-1]), value
