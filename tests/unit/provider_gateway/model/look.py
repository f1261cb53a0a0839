"""Explores a configuration once, however many ask for it."""

import functools
from typing import NamedTuple

from services.provider_gateway import domain
from tests.unit.provider_gateway.model import calls, explore, protocol, world


class Seen(NamedTuple):
    """What was found, and the transitions that were taken."""

    found: explore.Found
    taken: frozenset[tuple[domain.State, domain.State]]


@functools.cache
def at(config: calls.Config, rules: type[protocol.Protocol] = protocol.Protocol) -> Seen:
    """Look at every world of this configuration."""
    model = world.Model(config, rules())
    found = explore.explore(model)
    return Seen(found, frozenset(model.of_calls.rows.taken))


def told(name: str, found: explore.Found) -> str:
    """One line about it, and the way to what is broken."""
    if not found.broken:
        return f"{name}: {found.worlds} worlds, {found.steps} steps, 0 violations"
    way = "; ".join(found.trace)
    return f"{name}: {found.broken}, after {len(found.trace)} steps: {way}"
