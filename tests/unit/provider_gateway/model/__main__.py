"""Explores the configurations that are named: `proven` (the default), `larger`, or both."""

import sys
import time

from tests.unit.provider_gateway.model import configs, look

NAMED = {"proven": configs.PROVEN, "larger": configs.LARGER}


def main(names: list[str]) -> int:
    """Print a line for each; 1 when a law is broken in any."""
    broken = 0
    for config in [config for name in names or ["proven"] for config in NAMED[name]]:
        begun = time.monotonic()
        found = look.at(config).found
        broken += bool(found.broken)
        sys.stdout.write(f"{look.told(config.name, found)}, {time.monotonic() - begun:.1f} s\n")
        sys.stdout.flush()
        look.at.cache_clear()
    return int(broken > 0)


sys.exit(main(sys.argv[1:]))
