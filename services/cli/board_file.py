"""Reads a board file: a board and the line of every field, or every fault at once."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pydantic

from services.cli import board, board_rules, yaml_file


@dataclasses.dataclass(frozen=True)
class BoardFile:
    """A faultless board and where each of its fields stands."""

    path: Path
    data: bytes
    board: board.Board
    lines: Mapping[yaml_file.Loc, int]

    @property
    def words(self) -> bytes:
        """What it says, whatever its layout and comments."""
        return self.board.model_dump_json().encode()

    def refuse(self, violations: Sequence[tuple[yaml_file.Loc, str]]) -> yaml_file.Faulty:
        """What a service finds wrong with the board, told as faults of the file."""
        file = yaml_file.File(self.path, self.data, None, self.lines, ())
        return file.refuse([(loc, wrong, "") for loc, wrong in violations])


def read(path: Path) -> BoardFile:
    """The board of this file. Raises Faulty with every fault."""
    file = yaml_file.read(path, "Write a name and scenes.", "Split the film into several boards.")
    broken = [*board_rules.broken(file.raw)]
    try:
        read_board = board.Board.model_validate(file.raw)
    except pydantic.ValidationError as error:
        broken += [board_rules.explain(fault) for fault in error.errors(include_url=False)]
    if broken or file.faults:
        raise file.refuse(broken)
    return BoardFile(path, file.data, read_board, file.lines)
