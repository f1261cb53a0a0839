"""The commands of docs/runbook.md as they stand in it, and what each of them asks of whom."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"\$([A-Z_]+)")


class Command(NamedTuple):
    """A command: its section, its text on one line, the method it calls, and the JSON it sends, variables in place."""

    section: str
    text: str
    method: str
    body: str

    @property
    def variables(self) -> set[str]:
        """Those that its JSON needs."""
        return set(_VARIABLE.findall(self.body))

    def request(self, told: dict[str, str]) -> Any:
        """Its JSON, with these in the places of its variables."""
        return json.loads(_VARIABLE.sub(lambda match: told[match[1]], self.body))


def every(page: str | None = None) -> Sequence[Command]:
    """Every call of the runbook, in the order in which they stand there."""
    page = RUNBOOK.read_text(encoding="utf-8") if page is None else page
    return [
        _command(_section(page, block.start()), line)
        for block in _BLOCK.finditer(page)
        for line in block[1].replace("\\\n", " ").splitlines()
        if line.startswith(("call ", "grpcurl "))
    ]


def sections(page: str | None = None) -> list[str]:
    """The situations it is about."""
    return _HEADING.findall(RUNBOOK.read_text(encoding="utf-8") if page is None else page)


def _section(page: str, at: int) -> str:
    return [match[1] for match in _HEADING.finditer(page) if match.start() < at][-1]


def _command(section: str, line: str) -> Command:
    words = shlex.split(line)
    body = words[words.index("-d") + 1] if "-d" in words else "{}"
    return Command(section, re.sub(r"\s+", " ", line).strip(), words[-1], body)
