"""The locks hold what is declared, and all that it needs, with hashes; and what is installed is what they hold."""

import functools
import importlib.metadata
import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging import markers, requirements, utils

from tests.contract import rooms

GROUPS = tomllib.loads((rooms.ROOT / "pyproject.toml").read_text())["dependency-groups"]
LOCKED = [path.stem for path in sorted((rooms.ROOT / "requirements").glob("*.txt")) if path.stem != "front"]
"""All but the one that is installed only where there is no npm."""
LINE = re.compile(r"(?m)^([\w.-]+)==([^ ;\\]+)(?: ; ([^\\]+?))? \\(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+")


@functools.cache
def lock(group: str) -> dict[str, str]:
    """The versions that it holds for this machine and this Python, by name."""
    text = (rooms.ROOT / "requirements" / f"{group}.txt").read_text()
    found = LINE.findall(text)
    assert len(found) == len(re.findall(r"(?m)^\S", text)), f"a line of {group}.txt has no hash"
    here = [one for one in found if not one[2] or markers.Marker(one[2]).evaluate()]
    return {str(utils.canonicalize_name(name)): version for name, version, _ in here}


def declared(group: str) -> Iterator[requirements.Requirement]:
    """What it asks for, and what the groups ask for that are in it."""
    for one in GROUPS[group]:
        if isinstance(one, dict):
            yield from declared(one["include-group"])
        else:
            yield requirements.Requirement(one)


def lacking(group: str, wanted: requirements.Requirement, seen: set[str]) -> Iterator[str]:
    """What a requirement, and what is installed for it, needs here and the lock does not hold."""
    name, held = utils.canonicalize_name(wanted.name), lock(group)
    if name not in held or not wanted.specifier.contains(held[name], prereleases=True):
        yield f"{wanted}: the lock holds {held.get(name)}"
        return
    for extra in wanted.extras or {""}:
        if f"{name}[{extra}]" not in seen:
            seen.add(f"{name}[{extra}]")
            for text in importlib.metadata.requires(name) or []:
                needed = requirements.Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    yield from lacking(group, needed, seen)


@pytest.mark.parametrize("group", LOCKED)
def test_a_lock_holds_what_is_declared_and_all_that_it_needs(group: str) -> None:
    seen = set[str]()
    assert [fault for wanted in declared(group) for fault in lacking(group, wanted, seen)] == [], "run `make lock`"


def test_every_lock_is_made_of_the_same_releases_and_they_are_what_is_tested() -> None:
    whole = lock("dev")
    for group in LOCKED:
        assert lock(group).items() <= whole.items(), group
    installed = {name: importlib.metadata.version(name) for name in whole if _is_installed(name)}
    assert {name: (version, whole[name]) for name, version in installed.items() if version != whole[name]} == {}


def _is_installed(name: str) -> bool:
    """Some are of other systems only."""
    return next(importlib.metadata.Distribution.discover(name=name), None) is not None
