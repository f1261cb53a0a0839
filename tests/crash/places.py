"""Every place that is named in the sources, so that none can be forgotten."""

import re
from collections.abc import Iterable
from pathlib import Path

from services.provider_gateway import domain

_ROOT = Path(__file__).parents[2]
_REACH = re.compile(r"failpoints\.reach\(\s*(f?)\"([^\"]+)\"\s*\)")
_ANY_REACH = re.compile(r"failpoints\.reach\(")
_STATE = re.compile(r"\{[^}]+\}")

_BY_CLAIMING = {domain.State.SENDING, domain.State.FETCHING}
STATES = {
    "claim": set(domain.State) - domain.FINAL - {domain.State.PARKED},
    "record": set(domain.State) - _BY_CLAIMING - {domain.State.PARKED},
}
"""What the state in a place's name can be, by how the name begins: what claiming finds, and what a step writes."""

ARMED = ("provider_gateway", "job")
"""The services that run under `armed`."""


def of(service: str) -> list[str]:
    """The places of a service and of the machinery under it, as `armed` names them."""
    files = [*(_ROOT / "services" / service).rglob("*.py"), *(_ROOT / "libs").rglob("*.py")]
    found = {place for path in files for place in _in(path.read_text())}
    return [f"{service} {place}" for place in sorted(found)]


def _in(source: str) -> Iterable[str]:
    found = _REACH.findall(source)
    assert len(found) == len(_ANY_REACH.findall(source)), "a place should be named by a literal, or by one with a state"
    for is_made, name in found:
        if is_made:
            yield from (_STATE.sub(state, name) for state in STATES[name.partition(".")[0]])
        else:
            yield name


OF_VERBS = ("approve.", "cancel_job.", "pause.", "pick.", "resume.", "retry.", "unpick.", "webhook.")
"""How the places begin to which `verbs` alone leads."""


def every() -> list[str]:
    """All of them but those."""
    found = [place for service in ARMED for place in of(service)]
    return [place for place in found if not place.partition(" ")[2].startswith(OF_VERBS)]
