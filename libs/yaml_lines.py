"""YAML as texts, lists and dicts, with the line of each: 16:9, 007 and no are what they look like."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import yaml

DEEPEST = 20
"""How many levels are read."""

Loc = tuple[str | int, ...]
"""Where in it: `("scenes", 2, "cast", 0)`; empty for the whole."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """It is no YAML, or it unfolds without end: on which line, what is wrong, and what to do about it."""

    def __init__(self, line: int, wrong: str, remedy: str) -> None:
        super().__init__(wrong)
        self.line, self.wrong, self.remedy = line, wrong, remedy


@dataclasses.dataclass(slots=True)
class Read:
    """Every scalar of `value` is a text, and None stands for an empty file; lines count from 1.

    A key without a value counts as not written, and of one that is written twice the last counts; `twice` has the rest.
    """

    value: Any = None
    lines: dict[Loc, int] = dataclasses.field(default_factory=dict)
    twice: list[tuple[int, Loc]] = dataclasses.field(default_factory=list)


def read(text: str, most_nodes: int) -> Read:
    """What stands there; aliases may repeat a node, and `most_nodes` is how many there may be. Raises Unreadable."""
    try:
        _check_depth(text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        wrong = f"it is not valid YAML: {error.problem or error.context}"
        raise Unreadable(mark.line + 1 if mark else 1, wrong, "check the indentation, quotes and colons") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(line, f"it holds a character that YAML forbids: {error.reason}", "remove it") from None
    unfolding = _Unfolding(most_nodes)
    if root is not None:
        unfolding.read.value = unfolding.value(root, ())
    return unfolding.read


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Unreadable(1, f"it is nested more than {DEEPEST} levels deep", "flatten it")


class _Unfolding:
    """Unfolds nodes, noting lines."""

    def __init__(self, most_nodes: int) -> None:
        self.read, self._left = Read(), most_nodes

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0 or len(loc) > DEEPEST:
            raise Unreadable(line, "its aliases repeat too much", "write it out")
        self.read.lines.setdefault(loc, line)
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
        seen = set()
        for key, child in node.value:
            at = (*loc, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
            line = self.read.lines[at] = key.start_mark.line + 1
            if at in seen:
                self.read.twice.append((line, at))
            seen.add(at)
            value = self.value(child, at)
            if value is not None:
                yield str(at[-1]), value
