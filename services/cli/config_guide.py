"""What every variable means, told from the settings classes: as an example file and as a page."""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
from pydantic.fields import FieldInfo

from libs import settings

SERVICES = sorted(path.parent.name for path in Path(__file__).parents[1].glob("*/settings.py"))
_MACHINERY = (settings.Settings, settings.Process, settings.Service)
_COMMANDS = ("migrate", "topology")
_SHARED: Mapping[type[settings.Settings], str] = {
    settings.Settings: "Every process",
    settings.Process: "Every service",
    settings.Service: "Every gRPC service",
}
OTHERS = {
    "RUSHES_HOME": "The folder of the house on one machine, for `rushes`.",
    "RUSHES_TOOLS": "Where `make tools` keeps what it fetches; ~/.cache/rushes-tools unless told.",
}
"""Variables of people and of make: no process of an installation reads them."""


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable as one class of settings knows it."""

    name: str
    meaning: str
    default: str | None
    """As one would write it; None when it must be told, empty when unset is a value of its own."""
    is_switch: bool
    """Whether it turns something on or off: it is a yes or no, or nothing happens without it."""


@dataclasses.dataclass(frozen=True)
class Section:
    """The variables that one class adds to those it inherits, and who is told them."""

    title: str
    readers: tuple[str, ...]
    variables: tuple[Variable, ...]


def class_of(service: str) -> type[settings.Settings]:
    """The settings of a service. By name, as its process is: this command imports no other service."""
    found: type[settings.Settings] = importlib.import_module(f"services.{service}.settings").Settings
    return found


def sections() -> Iterator[Section]:
    """Everything, the most shared first."""
    classes = {service: class_of(service) for service in SERVICES}
    for shared, title in _SHARED.items():
        readers = tuple(name for name, cls in classes.items() if issubclass(cls, shared))
        yield Section(title, readers, _own(shared))
    for service, cls in classes.items():
        yield Section(service, (service,), _own(cls))
    for command in _COMMANDS:
        module = f"libs.{command}"
        cls = importlib.import_module(module).Settings
        yield Section(f"python -m {module}", (module,), _own(cls))


def names() -> str:
    """Every variable, one a line: what settings.strangers goes by."""
    known = {variable.name for section in sections() for variable in section.variables}
    return "".join(f"{name}\n" for name in sorted(known | OTHERS.keys()))


def example() -> str:
    """The example of an environment file: what must be told is open, the rest is a comment with its default."""
    told = [
        "# Every variable that a process of the house may be told; `make config` writes this file from the settings",
        "# classes, and docs/config.md is the same as a page. A line without # must be told to the processes named",
        "# above it; the others show the default. Each may come from a file instead: RUSHES_X_FILE=/run/secrets/x.",
    ]
    ways: dict[str, list[tuple[Section, Variable]]] = {}
    for section in sections():
        for variable in section.variables:
            ways.setdefault(variable.name, []).append((section, variable))
    needed = {name: found for name, found in ways.items() if any(one.default is None for _, one in found)}
    for title, chosen in (
        ("Must be told", needed),
        ("May be told", {k: v for k, v in ways.items() if k not in needed}),
    ):
        told += ["", f"# ---- {title} ----"]
        for name, found in chosen.items():
            told += ["", *_comments(found), *_lines(name, found)]
    return "\n".join([*told, ""])


def _comments(found: Sequence[tuple[Section, Variable]]) -> Iterator[str]:
    readers: dict[str, list[str]] = {}
    for section, variable in found:
        everybody = len(section.readers) == len(SERVICES)
        readers.setdefault(variable.meaning, []).extend(["all"] if everybody else section.readers)
    yield from (f"# {', '.join(who)}: {meaning}" for meaning, who in readers.items())


def _lines(name: str, found: Sequence[tuple[Section, Variable]]) -> Iterator[str]:
    """Once when all agree, else once for each default."""
    defaults = list(dict.fromkeys(variable.default for _, variable in found))
    if None in defaults:
        yield f"{name}="
    else:
        yield from (f"#{name}={default}" for default in defaults)


def page(before: str) -> str:
    """The page with its tables and lists made anew, between the comments that mark them; the rest is as it was."""
    everything = list(sections())
    tables = "\n".join(_table(section) for section in everything if section.variables)
    switches = "".join(
        f"- `{variable.name}` ({section.title}): {variable.meaning}\n"
        for section in everything
        for variable in section.variables
        if variable.is_switch
    )
    others = "".join(f"- `{name}`: {meaning}\n" for name, meaning in OTHERS.items())
    made = {"variables": tables, "switches": switches, "others": others}
    for mark, text in made.items():
        begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        head, _, rest = before.partition(begin)
        before = f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return before


def files(root: Path) -> Mapping[Path, str]:
    """What is made from the settings classes, by where it is kept among the sources."""
    there = root / "docs" / "config.md"
    return {
        root / ".env.example": example(),
        root / "services" / settings.NAMES.name: names(),
        there: page(there.read_text(encoding="utf-8")),
    }


def _table(section: Section) -> str:
    rows = "".join(
        f"| `{one.name}` | {'**must be told**' if one.default is None else _cell(one.default)} | {one.meaning} |\n"
        for one in section.variables
    )
    return f"### {section.title}\n\n| variable | default | meaning |\n|---|---|---|\n{rows}"


def _cell(default: str) -> str:
    return f"`{default}`" if default else "unset"


def _own(cls: type[settings.Settings]) -> tuple[Variable, ...]:
    inherited = {name for base in _MACHINERY if base is not cls and issubclass(cls, base) for name in base.model_fields}
    mine: Mapping[str, FieldInfo] = {name: told for name, told in cls.model_fields.items() if name not in inherited}
    return tuple(
        Variable(settings.variable(name), _meaning(told), _default(told), _switches(told))
        for name, told in mine.items()
    )


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _default(field: FieldInfo) -> str | None:
    """What stands in the class; what the machine decides is unset here, and the meaning says what then."""
    if field.is_required():
        return None
    default: Any = field.default
    if field.default_factory is not None or default is None or isinstance(default, Path):
        return ""
    if isinstance(default, pydantic.SecretStr):
        return default.get_secret_value()
    return str(default).lower() if isinstance(default, bool) else str(default)


def _switches(field: FieldInfo) -> bool:
    return field.annotation is bool or (not field.is_required() and field.default in (None, pydantic.SecretStr("")))
