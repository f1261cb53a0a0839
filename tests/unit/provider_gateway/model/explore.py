"""Looks at every world that can come about, nearest first, and at whether every one of them can still end well."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

W = TypeVar("W", bound=Hashable)


class Model(Protocol[W]):
    """What is looked at."""

    def begins(self) -> W:
        """Where it begins."""
        ...

    def follows(self, world: W) -> Iterator[tuple[str, W]]:
        """Everything that can happen next, with its name."""
        ...

    def breaks(self, world: W) -> str:
        """The law that is broken here; empty when none is."""
        ...

    def is_over(self, world: W) -> bool:
        """Whether everything has ended as it may end."""
        ...


@dataclass
class Found:
    """How many worlds and steps there are, and the shortest way to one that is not as it should be."""

    worlds: int = 0
    steps: int = 0
    broken: str = ""
    trace: list[str] = field(default_factory=list)


def explore(model: Model[W]) -> Found:
    """Everything, or up to the first law that is broken."""
    seen: dict[W, int] = {model.begins(): 0}
    came: list[tuple[int, str]] = [(0, "")]
    after: list[tuple[int, ...]] = []
    worlds = list(seen)
    over: list[int] = []
    for number, world in enumerate(worlds):
        if broken := model.breaks(world):
            return Found(len(seen), sum(map(len, after)), broken, _trace(came, number))
        if model.is_over(world):
            over.append(number)
        following = []
        for label, next_world in model.follows(world):
            known = seen.setdefault(next_world, len(worlds))
            if known == len(worlds):
                worlds.append(next_world)
                came.append((number, label))
            following.append(known)
        after.append(tuple(following))
    found = Found(len(seen), sum(map(len, after)))
    stuck = _stuck(after, over)
    if stuck is not None:
        found.broken, found.trace = "from here nothing ends well", _trace(came, stuck)
    return found


def _stuck(after: list[tuple[int, ...]], over: list[int]) -> int | None:
    """The nearest world from which none that is over can be reached."""
    before: list[list[int]] = [[] for _ in after]
    for number, following in enumerate(after):
        for one in following:
            before[one].append(number)
    ends_well = bytearray(len(after))
    reached = list(over)
    for number in over:
        ends_well[number] = 1
    while reached:
        for number in before[reached.pop()]:
            if not ends_well[number]:
                ends_well[number] = 1
                reached.append(number)
    return ends_well.index(0) if 0 in ends_well else None


def _trace(came: list[tuple[int, str]], number: int) -> list[str]:
    labels = []
    while number:
        number, label = came[number]
        labels.append(label)
    return labels[::-1]
