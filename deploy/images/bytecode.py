"""Compiles what the services that are named import, and no more: half of what they could import they never do.

The bytecode is never checked against its source, nor written again: what runs it has a read-only root. What was not
foreseen is compiled in memory when it is imported.
"""

import contextlib
import importlib
import pathlib
import subprocess
import sys

_APP = pathlib.Path("/app")
_COMPILE = (sys.executable, "-S", "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash")


def main(services: list[str]) -> None:
    """Import every room of these services, and compile all that came with them."""
    for service in services:
        for path in sorted((_APP / "services" / service).rglob("*.py")):
            if "migrations" not in path.parts:
                with contextlib.suppress(ModuleNotFoundError):  # rooms of the command that keep a house on one machine
                    importlib.import_module(".".join(path.relative_to(_APP).with_suffix("").parts))
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    named = "\n".join(sorted(file for file in files if file.startswith("/app/venv/") and file.endswith(".py")))
    # By another process: what is written depends on what else is in memory, and imports leave that to chance.
    subprocess.run((*_COMPILE, "-i", "-"), input=named.encode(), check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
