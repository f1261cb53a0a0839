"""Reads a YAML or JSON file that a person wrote, and the line of every field, or says what is wrong with it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from libs import yaml_lines
from services.cli import exits

_LARGEST_BYTES = 1_000_000
_MOST_NODES = 100_000

Loc = yaml_lines.Loc
Broken = tuple[Loc, str, str]
"""Where, what is wrong, and the remedy."""


@dataclasses.dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong with a file; `field` is empty when it is the file itself."""

    line: int
    field: str
    wrong: str
    remedy: str


class Faulty(exits.Ended):
    """A file has faults; nothing was done with it."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(_sentence(path, fault) for fault in sorted(faults)), exits.Code.USAGE)
        self.faults = sorted(faults)


@dataclasses.dataclass(frozen=True)
class File:
    """What a file holds: dicts, lists and texts; where each field stands; and what was wrong while it was read."""

    path: Path
    data: bytes
    raw: Any
    lines: Mapping[Loc, int]
    faults: Sequence[Fault]

    def refuse(self, broken: Sequence[Broken]) -> Faulty:
        """What is wrong with its fields, told as faults of the file."""
        found = [Fault(_line(self.lines, loc), dotted(loc), wrong, remedy) for loc, wrong, remedy in broken]
        return Faulty(self.path, [*self.faults, *found])


def read(path: Path, what: str, is_too_large: str) -> File:
    """What the file holds. Raises Faulty when it is no YAML at all, is empty, or too large; with these remedies."""
    lines: dict[Loc, int] = {}
    faults: list[Fault] = []
    data = _data(path, is_too_large)
    return File(path, data, _raw(path, data, what, lines, faults), lines, faults)


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


def _raw(path: Path, data: bytes, what: str, lines: dict[Loc, int], faults: list[Fault]) -> Any:
    """The file as dicts, lists and texts. Raises Faulty when it is no YAML at all."""
    try:
        told = yaml_lines.read(_text(path, data), _MOST_NODES)
    except yaml_lines.Unreadable as error:
        raise Faulty(path, [Fault(error.line, "", error.wrong, f"{error.remedy.capitalize()}.")]) from None
    if told.value is None:
        raise Faulty(path, [Fault(1, "", "it is empty", what)])
    lines |= told.lines
    faults += [Fault(line, dotted(loc), "is written twice", "Keep one of the two.") for line, loc in told.twice]
    return told.value


def _data(path: Path, remedy: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise Faulty(path, [Fault(1, "", f"it cannot be read: {error.strerror}", "Check the path.")]) from None
    if len(content) > _LARGEST_BYTES:
        wrong = f"it is larger than {_LARGEST_BYTES // 1000} kB"
        raise Faulty(path, [Fault(1, "", wrong, remedy)])
    return content


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Faulty(path, [Fault(line, "", "it is not UTF-8 text", "Save the file as UTF-8.")]) from None
