"""The process that fills one order, and may crash or be ended at any time without harm to the service."""

import dataclasses
import os
import threading
import traceback
from pathlib import Path

from services.compiler import cut, domain, jail, media, orders

_WORTH_TELLING = 0.01


def main() -> None:
    """Read one order from stdin, say on stdout how it goes. End of stdin means that nobody wants it any more."""
    _say(_outcome(orders.read_order(_line())))


def _outcome(order: orders.Order) -> orders.Said:
    told = 0.0

    def say(said: orders.Said) -> None:
        nonlocal told
        if isinstance(said, orders.Share):
            if said.done - told < _WORTH_TELLING:
                return
            told = said.done
        _say(said)

    try:
        _lock_up(order.folder)
        cut.work(dataclasses.replace(order, folder=Path()), say)
    except media.SourceUnreadable as fault:
        return orders.Unusable(fault.source, fault.problem)
    except domain.FilmNotAsPlanned as refusal:
        return refusal
    except Exception as error:
        cause = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
        return orders.Broken(cause, traceback.format_exc())
    return orders.Done()


def _lock_up(folder: Path) -> None:
    """Enter the jail; threads may start only inside."""
    missing = jail.enter(folder)
    if missing:
        _say(orders.Unguarded(missing))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _line() -> bytes:
    """The first line of stdin, which may be a file or a socket; nothing more comes there."""
    return open(0, "rb", closefd=False).readline()


def _say(said: orders.Said) -> None:
    line = orders.said_line(said).encode() + b"\n"
    while line:
        line = line[os.write(1, line) :]


def _end_with_parent() -> None:
    """A service killed with SIGKILL cannot end its worker; its pipe closes all the same."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
