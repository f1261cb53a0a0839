"""What a file says, before anybody has judged it: the board in the words of our YAML, and the line of every field."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from libs import errors
from services.storyboard import flaws

Loc = tuple[str | int, ...]
"""Where in a board: `("scenes", 2, "cast", 0)`; empty for the file itself."""

MOST_SCENES = flaws.MOST["scenes"]
_MOST_WARNINGS = 100


class FileFaulty(errors.Invalid):
    """The file cannot be imported as it is; correct these places."""


@dataclass(frozen=True, slots=True)
class Warning:
    """What was read otherwise than it was written, or has no place in a board."""

    line: int
    field: str
    text: str


@dataclass(slots=True)
class Draft:
    """All values are texts, lists and dicts; `lines` count from 1."""

    raw: dict[str, Any] = field(default_factory=dict)
    lines: dict[Loc, int] = field(default_factory=dict)
    faults: list[tuple[int, Loc, str]] = field(default_factory=list)
    warnings: list[Warning] = field(default_factory=list)

    def line(self, loc: Loc) -> int:
        """The line of a field, or of the nearest thing around it that is there."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def begin_scene(self, line: int) -> None:
        """Another scene starts there. Raises FileFaulty when it is one too many."""
        scenes = len(self.raw["scenes"])
        if scenes >= MOST_SCENES:
            raise too_many_scenes(line)
        self.lines[("scenes", scenes)] = line

    def fault(self, loc: Loc, wrong: str) -> None:
        """Something that must be corrected."""
        self.faults.append((self.line(loc), loc, wrong))

    def warn(self, loc: Loc, text: str, line: int = 0) -> None:
        """Something that a person should know; of very many, the first."""
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(Warning(line or self.line(loc), dotted(loc), text))
        elif len(self.warnings) == _MOST_WARNINGS:
            self.warnings.append(Warning(line or self.line(loc), "", "there is more of this kind from here on"))

    def end(self) -> None:
        """Raises FileFaulty when anything is wrong, in the order of the lines."""
        if self.faults:
            told = sorted(self.faults, key=lambda fault: fault[0])
            raise FileFaulty(
                [errors.Violation(dotted(loc) or "data", f"line {line}: {wrong}") for line, loc, wrong in told]
            )


def refusal(line: int, wrong: str) -> FileFaulty:
    """The file as a whole cannot be read, from this line on."""
    return FileFaulty([errors.Violation("data", f"line {line}: {wrong}")])


def too_many_scenes(line: int) -> FileFaulty:
    """The scene that begins there is one too many."""
    return refusal(line, f"it holds more than {MOST_SCENES} scenes; split it into several files")


def dotted(loc: Loc) -> str:
    """A field as people write it: `scenes[2].duration`, counted from 0 as in the API."""
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return "".join(words).removeprefix(".")


def did_you_mean(given: str, known: Iterable[str], otherwise: str) -> str:
    """The nearest of the known words as a question, or what to do otherwise."""
    near = difflib.get_close_matches(given[:100].casefold(), list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else otherwise


def shown(given: Any) -> str:
    """A value, short enough to be told back."""
    if isinstance(given, str):
        return repr(given if len(given) <= 60 else given[:59] + "…")
    return "a list" if isinstance(given, list) else "a group of fields"
