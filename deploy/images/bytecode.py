"""Compiles what the services that are named import, and no more: half of what they could import they never do.

The bytecode is never checked against its source, nor written again: what runs it has a read-only root. What was not
foreseen is compiled in memory when it is imported.
"""

import compileall
import contextlib
import importlib
import pathlib
import py_compile
import sys

_APP = pathlib.Path("/app")


def main(services: list[str]) -> None:
    """Import every room of these services, and compile all that came with them."""
    for service in services:
        for path in sorted((_APP / "services" / service).rglob("*.py")):
            if "migrations" not in path.parts:
                with contextlib.suppress(ModuleNotFoundError):  # rooms of the command that keep a house on one machine
                    importlib.import_module(".".join(path.relative_to(_APP).with_suffix("").parts))
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    for file in sorted(file for file in files if file.startswith("/app/venv/")):
        compileall.compile_file(file, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    main(sys.argv[1:])
