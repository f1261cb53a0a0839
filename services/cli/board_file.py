"""Reads a board file: a board and the line of every field, or every fault at once."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from libs import yaml_lines
from services.cli import board, board_rules, exits

_LARGEST_BYTES = 1_000_000
_MOST_NODES = 100_000

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
    try:
        told = yaml_lines.read(_text(path, data), _MOST_NODES)
    except yaml_lines.Unreadable as error:
        raise Faulty(path, [Fault(error.line, "", error.wrong, f"{error.remedy.capitalize()}.")]) from None
    if told.value is None:
        raise Faulty(path, [Fault(1, "", "it is empty", "Write a name and scenes.")])
    lines |= told.lines
    faults += [Fault(line, dotted(loc), "is written twice", "Keep one of the two.") for line, loc in told.twice]
    return told.value


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
