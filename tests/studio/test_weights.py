"""What a browser has to fetch, and that a wheel brings all of it."""

import gzip
import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.contract import rooms

ROOM = rooms.ROOT / "services/studio"
STATIC = ROOM / "static"
TEMPLATES = ROOM / "templates"
_JS, _CSS = 50_000, 12_000
"""Most bytes, packed, of any page."""
_ASSET = re.compile(r"asset\('([\w./-]+\.(?:js|css))'\)")
_PARENT = re.compile(r'{% extends "([^"]+)"')
_IMPORT = re.compile(r'^import .*?"\./([\w-]+\.js)"', re.MULTILINE)
PAGES = [path for path in sorted(TEMPLATES.rglob("*.html")) if _PARENT.search(path.read_text())]


def fetched(page: Path) -> set[str]:
    """The scripts and styles of a page: its own, those of the pages it extends, and what those import."""
    text, found = page.read_text(), set[str]()
    for parent in _PARENT.findall(text):
        found |= fetched(TEMPLATES / parent)
    waiting = _ASSET.findall(text)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _IMPORT.findall((STATIC / name).read_text()) if name.endswith(".js") else []
    return found


def packed(names: Iterable[str], kind: str) -> int:
    """How many bytes those of this kind are on the wire."""
    return sum(len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in names if name.endswith(kind))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TEMPLATES).as_posix())
def test_a_page_is_light(page: Path) -> None:
    names = fetched(page)
    assert any(name.endswith(".css") for name in names)
    assert packed(names, ".js") <= _JS
    assert packed(names, ".css") <= _CSS


def test_a_wheel_of_the_source_archive_brings_every_file_of_the_pages(tmp_path: Path) -> None:
    archive = _build(rooms.ROOT, "sdist", tmp_path)
    with tarfile.open(archive) as source:
        source.extractall(tmp_path / "source", filter="data")
    (unpacked,) = (tmp_path / "source").iterdir()
    with zipfile.ZipFile(_build(unpacked, "wheel", tmp_path)) as wheel:
        brought = {name: hashlib.sha256(wheel.read(name)).hexdigest() for name in wheel.namelist()}
    files = [path for folder in ("static", "templates") for path in (ROOM / folder).rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        name = path.relative_to(rooms.ROOT).as_posix()
        assert brought.get(name) == hashlib.sha256(path.read_bytes()).hexdigest(), name
    assert not any("node_modules" in name for name in brought)


def _build(source: Path, target: str, into: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=300)
    (made,) = into.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[target])
    return made
