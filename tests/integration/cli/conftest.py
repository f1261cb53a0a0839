"""One whole house for the verbs, and the way to type them."""

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.cli import __main__ as command
from services.cli import house, visit
from tests import homes

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    """Where the house is: it takes guests, and the sandbox writes its proposals.

    Tests leave nothing behind that others would stumble over: no key, no wall, no switch, nothing on its way.
    """
    with homes.folder("rushes-cli-") as made:
        of = house.prepare(house.make_folder(Path(made) / "home"), print)
        with pytest.MonkeyPatch.context() as told:
            told.setenv("RUSHES_SANDBOX_LATENCY", "0")
            told.setenv("RUSHES_GUESTS_SECRET", "of these tests, and of no others")
            told.setenv("RUSHES_WRITER_KEY", "any")
            told.setenv("RUSHES_WRITER_BASE_URL", f"http://{of.address('sandbox')}/v1")
            asyncio.run(visit.ensure(of.folder, print))
        try:
            yield of.folder
        finally:
            asyncio.run(visit.stop(of.folder))


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("board", "list")` types that, and `stdin`; the exit code, and what is said on stdout and stderr."""

    def invoke(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rushes", *words, "--home", str(folder)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            command.main()
        return (int(ended.value.code or 0), *capfd.readouterr())

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")  # the command adds to them
    return invoke
