"""Brings a whole service, or the machinery, into memory."""

import importlib
import pkgutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def import_all(name: str) -> None:
    """Import every room of `services.job` or `libs` but the wiring."""
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
