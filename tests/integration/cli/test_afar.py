"""A house that runs elsewhere, looked at from where only the command is, as in a container of ours."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli import house
from tests.contract import rooms

Rushes = Callable[..., tuple[int, str, str]]
_ALONE = """
import sys
for name in ("asyncpg", "psutil", "av", "sqlalchemy"):
    sys.modules[name] = None  # not in the image of the command
from services.cli import __main__ as command
command.main()
"""


@pytest.fixture
def rushes() -> Rushes:
    """`rushes("status", home)` types that in a container of the command, and tells the exit code and what is said."""

    def typed(verb: str, home: Path) -> tuple[int, str, str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        words = [sys.executable, "-c", _ALONE, verb, "--home", str(home)]
        done = subprocess.run(words, cwd=rooms.ROOT, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return typed


def test_a_house_of_containers_is_asked_where_it_listens(rushes: Rushes, folder: Path, tmp_path: Path) -> None:
    of = house.load(folder)
    listeners = {name: of.address(name) for name in ("storyboard", "job", "studio")}
    (tmp_path / "house.json").write_text(json.dumps({"elsewhere": listeners}))
    shutil.copy(of.token, tmp_path / "token")
    code, told, fault = rushes("status", tmp_path)
    assert (code, fault) == (0, "")
    assert [told.count(address) for address in listeners.values()] == [1, 1, 1]
    (tmp_path / "token").unlink()
    (tmp_path / "house.json").write_text(json.dumps({"elsewhere": listeners | {"compiler": "127.0.0.1:1"}}))
    code, told, fault = rushes("doctor", tmp_path)
    assert (code, fault) == (1, "2 things are wrong.\n")
    assert f"✕ token: {tmp_path}/token cannot be read" in told
    assert "✕ compiler: it does not answer (127.0.0.1:1). Remedy: see that it runs (`docker compose ps`" in told
    assert f"✓ job: healthy at {of.address('job')}" in told


def test_where_only_the_command_is_installed_it_says_so_and_what_to_do(rushes: Rushes, tmp_path: Path) -> None:
    code, told, fault = rushes("doctor", tmp_path)
    assert (code, told) == (78, "")
    assert fault.startswith("Only the command is installed here")
    assert "RUSHES_HOME (docs/kubernetes.md)" in fault
