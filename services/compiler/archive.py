"""Packs files into a ZIP without compressing them: films gain nothing by it, and it costs only the copying."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from services.compiler.recipes import Archive

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files are always the same bytes
_PIECE_BYTES = 1 << 20


def make(recipe: Archive, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write the ZIP; `tell` hears of each source."""
    with zipfile.ZipFile(target, "w") as packed:
        for name, text in recipe.texts:
            packed.writestr(entry(name), text.encode())
        for name, source in recipe.sources:
            add(packed, name, folder / source)
            tell(1)


def add(packed: zipfile.ZipFile, name: str, path: Path) -> None:
    """One file, piece by piece."""
    info = entry(name)
    info.file_size = path.stat().st_size
    with path.open("rb") as file, packed.open(info, "w") as into:
        shutil.copyfileobj(file, into, _PIECE_BYTES)


def entry(name: str) -> zipfile.ZipInfo:
    """What a ZIP says of a file of that name: nothing of when it was made."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o644 << 16
    return info
