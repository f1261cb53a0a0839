"""`rushes film` as a person runs it: in an empty home, twice at the same time, again, and not as root."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import homes
from tests.e2e import boards, oracle, reel, traces

_RUSHES = str(Path(sys.executable).with_name("rushes"))
_WITHIN_S = 120.0
_ORDINARY = 65534  # nobody


@dataclasses.dataclass(frozen=True)
class Person:
    """Someone with an empty home directory, an empty folder for temporary files, and a folder for films."""

    folder: Path
    prefix: Sequence[str] = ()
    user: int | None = None

    @property
    def home(self) -> Path:
        """The house of this person, where it is when nothing is said."""
        return self.folder / "person" / ".local" / "share" / "rushes"

    async def film(self, name: str) -> None:
        """Film a new board of that title and look at everything that came of it."""
        board = boards.write(self.folder / "films", name)
        code, out, progress = await self.run("film", str(board))
        assert code == 0, progress
        assert out.splitlines() == [f"{name}.mp4"]
        assert "The most you can pay: 0.30 in play money" in progress
        done = [line for line in progress.splitlines() if line.endswith(": done 0.10 in play money")]
        assert len(done) == boards.SCENES
        assert "Cost: 0.30 of up to 0.30 in play money" in progress.splitlines()
        reel.check(self.folder / "films" / f"{name}.mp4", name)

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(*self.prefix, _RUSHES, *arguments),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder / "person"),
                "TMPDIR": str(self.folder / "tmp"),
                "RUSHES_SANDBOX_LATENCY": "0.2",
            },
            cwd=self.folder / "films",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            **({} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": ()}),
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), _WITHIN_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode(), err.decode()


@contextlib.contextmanager
def person(ordinary: bool = False) -> Iterator[Person]:
    prefix, user = _ordinary() if ordinary and os.geteuid() == 0 else ((), None)
    with homes.folder("rushes-e2e-") as made:
        folder = Path(made)
        for name in ("person", "tmp", "films"):
            (folder / name).mkdir()
        for path in (folder, *folder.iterdir()) if user is not None else ():
            os.chown(path, user, user)
        yield Person(folder, prefix, user)


def _ordinary() -> tuple[Sequence[str], int | None]:
    """How root becomes an ordinary user: nobody, or where that one may not reach Python, a user namespace."""
    needed = (Path(sys.executable).resolve(), Path(oracle.__file__))
    if all(folder.stat().st_mode & 0o001 for path in needed for folder in path.parents):
        return (), _ORDINARY
    unshare: Any = shutil.which("unshare")
    return (unshare, "--user", "--map-user=1000", "--map-group=1000"), None


def _left(person: Person, *films: str) -> None:
    """Nothing runs any more; beside the house, only boards and films are left."""
    assert traces.processes(person.folder) == {}
    assert traces.files(person.folder / "tmp") == set()
    assert {path.name for path in (person.folder / "person").iterdir()} == {".local"}
    assert traces.files(person.folder / "person" / ".local") == {
        f"share/rushes/{path}" for path in traces.files(person.home)
    }
    made = {f"{film}{ending}" for film in films for ending in (".yaml", ".mp4", ".poster.jpg", ".contact.jpg")}
    assert traces.files(person.folder / "films") == made


async def test_films_at_the_same_time_and_again_and_not_as_root() -> None:
    with person() as one, person(ordinary=True) as other:
        await asyncio.gather(one.film("Tide"), other.film("Tide"))
        _left(one, "Tide")
        _left(other, "Tide")
        oracle.Books(other.home).check(boards.SCENES)
        await one.film("Flow")
        _left(one, "Tide", "Flow")
        oracle.Books(one.home).check(2 * boards.SCENES)
