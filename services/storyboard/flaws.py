"""What must hold between the parts of a storyboard: names that are used are there, and there is only one of each."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.storyboard import diff, domain

MOST = {"characters": 50, "locations": 100, "props": 200, "scenes": 500}
"""How many things of each kind a storyboard holds."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one thing: `kind[index]`, its id, its field, and the place in that field if it is a list."""

    kind: str
    index: int
    id: str
    field: str
    wrong: str
    place: int | None = None

    @property
    def at(self) -> str:
        """As a request names it: `scenes[2].cast[0]`."""
        return f"{self.kind}[{self.index}].{self.field}" + ("" if self.place is None else f"[{self.place}]")

    @property
    def path(self) -> diff.Path:
        """As a difference names it."""
        return self.kind, self.id, self.field


def between(content: domain.Content) -> Iterator[Flaw]:
    """Every name or id that is there twice, and every name that is used and not there."""
    for kind in ("characters", "locations", "props"):
        yield from _twice(kind, getattr(content, kind), "name")
        yield from _twice(kind, getattr(content, kind), "id")
    yield from _twice("scenes", content.scenes, "id")
    people, things, places = (
        {one.name for one in named} for named in (content.characters, content.props, content.locations)
    )
    for index, scene in enumerate(content.scenes):
        yield from _unknown(index, scene, "cast", people, "character")
        yield from _unknown(index, scene, "props", things, "prop")
        if scene.location and scene.location not in places:
            yield Flaw("scenes", index, scene.id, "location", _no_such("location"))


def too_many(content: domain.Content) -> Iterator[tuple[str, str]]:
    """Each kind of which there are too many, and what is wrong."""
    for kind, most in MOST.items():
        count = len(getattr(content, kind))
        if count > most:
            yield kind, f"should have at most {most} entries, and has {count}; remove some"


def foreign(content: domain.Content, tenant_id: str, before: domain.Content) -> Iterator[Flaw]:
    """Every still that is not this tenant's own, which its key says, and was not there before."""
    known = {still.key for _, _, thing in _shown(before) for still in thing.references}
    for kind, index, thing in _shown(content):
        for place, still in enumerate(thing.references):
            if still.key not in known and not still.key.startswith(f"t/{tenant_id}/"):
                yield Flaw(kind, index, thing.id, "references", "should be the key of a still of yours", place)


def _shown(content: domain.Content) -> Iterator[tuple[str, int, domain.Character | domain.Location]]:
    yield from (("characters", index, it) for index, it in enumerate(content.characters))
    yield from (("locations", index, it) for index, it in enumerate(content.locations))


def _twice(kind: str, things: Sequence[Any], field: str) -> Iterator[Flaw]:
    seen: dict[str, int] = {}
    for index, thing in enumerate(things):
        value = getattr(thing, field)
        if value and seen.setdefault(value, index) != index:
            yield Flaw(kind, index, thing.id, field, f"is also that of {kind}[{seen[value]}]; choose another")


def _unknown(index: int, scene: domain.Scene, field: str, among: Collection[str], noun: str) -> Iterator[Flaw]:
    names: tuple[str, ...] = getattr(scene, field)
    for place, name in enumerate(names):
        if name not in among:
            yield Flaw("scenes", index, scene.id, field, _no_such(noun), place)
        if name in names[:place]:
            yield Flaw("scenes", index, scene.id, field, f"names the {noun} twice; remove one", place)


def _no_such(noun: str) -> str:
    return f"names no {noun} of the storyboard; correct it, or add the {noun}"
