"""Who may call what, as docs/access.md shows it: `python -m tests.contract.access` writes it anew."""

import importlib
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import descriptor, descriptor_pool

from rushes.type.v1 import access_pb2
from tests.contract import rooms

PAGE = rooms.ROOT / "docs" / "access.md"
GENERATED = rooms.ROOT / "proto" / "gen"
ROLES = ("viewer", "editor", "owner", "operator", "service")
# What a role may call, by the least role that a method takes.
MAY = {
    "anybody": {*ROLES},
    "viewer": {*ROLES},
    "editor": {"editor", "owner", "service"},
    "owner": {"owner"},
    "operator": {"operator"},
    "service": {"service"},
}
HEAD = """# Who may call what

Written from the contract by `python -m tests.contract.access`; `tests/integration/access` calls every method as
everybody and compares. Roles come from a token's claim `roles`; a caller with more than one may do what any of them
may. What belongs to another tenant is NOT_FOUND to all of them. Limits are counts in a minute for each caller:
`RUSHES_LIMIT_GENERATE` (10), `RUSHES_LIMIT_COMPILE` (5) and `RUSHES_LIMIT_SESSION` (20), 0 for none. Health and
reflection need no token; reflection is switched off by `RUSHES_REFLECTION=false`.
"""


class Row(NamedTuple):
    """A method, the roles that may call it, and what it counts towards."""

    path: str
    roles: frozenset[str]
    is_open: bool
    limit: str

    def __str__(self) -> str:
        """As a line of the table."""
        marks = ["yes" if role in self.roles else "" for role in ROLES]
        cells = [self.path.rpartition("/")[2], "yes" if self.is_open else "", *marks, self.limit]
        return f"| {' | '.join(cells)} |"


def services() -> list[descriptor.ServiceDescriptor]:
    """Every service of the contract, also one that was added yesterday."""
    found = []
    for path in sorted(GENERATED.rglob("*_service_pb2.py")):
        module = importlib.import_module(".".join(path.relative_to(GENERATED).with_suffix("").parts))
        found += module.DESCRIPTOR.services_by_name.values()
    assert all(descriptor_pool.Default().FindServiceByName(one.full_name) is one for one in found)
    return found


def row(method: descriptor.MethodDescriptor) -> Row:
    """What the contract says. Raises KeyError for a method that does not say it."""
    said = method.GetOptions().Extensions[access_pb2.access]
    least = access_pb2.Role.Name(said.role).removeprefix("ROLE_").lower()
    roles = frozenset(MAY[least] | ({"operator"} if said.operator else set()))
    limit = access_pb2.Limit.Name(said.limit).removeprefix("LIMIT_").lower() if said.limit else ""
    return Row(f"/{method.containing_service.full_name}/{method.name}", roles, least == "anybody", limit)


def page() -> str:
    """As it has to be."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield HEAD
    for service in services():
        yield f"## {service.full_name}\n"
        yield f"| method | no token | {' | '.join(ROLES)} | limit |"
        yield f"|---|{'---|' * (len(ROLES) + 2)}"
        yield from (str(row(method)) for method in service.methods)
        yield ""


def written() -> dict[str, Row]:
    """By path, the rows that the page has now, as it stands in the repository."""
    found, service = {}, ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            service = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith("| method"):
            name, no_token, *marks, limit = (cell.strip() for cell in line.strip("|").split("|"))
            roles = frozenset(role for role, mark in zip(ROLES, marks, strict=True) if mark)
            found[f"/{service}/{name}"] = Row(f"/{service}/{name}", roles, bool(no_token), limit)
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
