"""Named places at which a test makes a process die, stop or stumble; in every other process nobody listens."""

from collections.abc import Callable

listener: Callable[[str], None] | None = None
"""Set by the launcher of the crash tests alone: no setting and no variable of ours arms anything."""


def reach(place: str) -> None:
    """This place is reached, such as `sending.committed`."""
    if listener is not None:
        listener(place)
