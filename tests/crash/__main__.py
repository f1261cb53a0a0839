"""`python -m tests.crash`: kills, pauses and stumbles at every place of the gateway, and counts what was lost."""

import argparse
import asyncio
import os
import sys
import time

from tests.crash import matrix, report

SPED_UP = {"RUSHES_SANDBOX_INSTANT": "true", "RUSHES_SANDBOX_LATENCY": "0.3"}
"""What the sandbox is told, so that a round takes seconds."""


def main() -> None:
    """Play the matrix; ends with 1 when a promise was broken, or something was not tried."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--rigs", type=int, default=(os.cpu_count() or 2) + 1)
    arguments.add_argument("--only", default="", help="A regular expression: the rounds whose place and kind it finds.")
    asked = arguments.parse_args()
    os.environ |= SPED_UP
    todo, began = matrix.tasks(asked.seeds, asked.only), time.monotonic()
    done = iter(range(1, len(todo) + 1))

    def told(one: matrix.Played) -> None:
        print(f"{next(done)}/{len(todo)} {report.line(one)}", flush=True)

    result = asyncio.run(matrix.play(todo, asked.rigs, told))
    print(report.section(result, time.monotonic() - began))
    wrong = report.wrong(result, everything=not asked.only)
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
