"""Ends what a killed supervisor left running: the process groups of its services, workers and ffmpeg included.

Run by path with `python -I -S`. Each line of its input lists the groups alive now; only the supervisor holds the
other end of that pipe, so the end of input means that the supervisor is gone, however it went.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Follow the pipe to its end, then kill every group of its last line."""
    alive: list[str] = []
    for line in sys.stdin:
        alive = line.split()
    for group in alive:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(group), signal.SIGKILL)


if __name__ == "__main__":
    main()
