"""What a browser has to fetch, and that a wheel brings all of it."""

import gzip
import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tests.contract import rooms

ROOM = rooms.ROOT / "services/studio"
STATIC = ROOM / "static"
_OWN_JS, _ALL_JS, _CSS = 15_000, 50_000, 12_000
"""Most bytes, packed, of all pages together."""


def packed(paths: Iterable[Path]) -> int:
    """How many bytes these are on the wire."""
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)


def test_pages_are_light() -> None:
    own, vendor = packed(STATIC.glob("*.js")), packed(STATIC.glob("vendor/*.js"))
    assert vendor > 0, "`make web` brings the packages' files"
    assert own <= _OWN_JS
    assert own + vendor <= _ALL_JS
    assert packed(STATIC.glob("*.css")) <= _CSS


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
