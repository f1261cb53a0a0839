"""Looks for texts in everything that a house leaves: its files, its databases, the environments of its processes."""

import base64
import collections
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from services.cli import house, postgres, state

_CHUNK = 1 << 20


def forms(text: str) -> Iterator[bytes]:
    """As it is, in hexadecimal, and in base64 at whatever place it stands."""
    plain = text.encode()
    yield plain
    yield plain.hex().encode()
    for before in range(3):
        # The signs at both ends depend on the neighbours too: they are left out.
        yield base64.b64encode(b"\0" * before + plain)[4 if before else 0 :][:-4]


class Sieve:
    """Counts the bytes it has looked through, and where it has found each text, by the kind of place."""

    def __init__(self, **texts: str) -> None:
        named: Mapping[bytes, str] = {form.lower(): name for name, text in texts.items() for form in forms(text)}
        self._names = named
        self._pattern = re.compile(b"|".join(map(re.escape, named)), re.IGNORECASE)
        self._overlap = max(map(len, named))
        self.bytes = collections.Counter[str]()
        self.found = {name: collections.Counter[str]() for name in texts}

    def look(self, kind: str, data: bytes) -> None:
        """Look through some bytes."""
        self.bytes[kind] += len(data)
        for hit in self._pattern.findall(data):
            self.found[self._names[hit.lower()]][kind] += 1

    def files(self, folder: Path) -> None:
        """Every file below a folder; the kind is the name of the folder's entry it is in."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self._file(path.relative_to(folder).parts[0], path)

    def _file(self, kind: str, path: Path) -> None:
        rest = b""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self.look(kind, rest + chunk)
                rest = chunk[-self._overlap :]

    async def databases(self, of: house.House) -> None:
        """Every value of every row, as text or as the bytes it is."""
        for name in (*house.DATABASES, "postgres"):
            connection = await postgres.connect(of, database=name)
            try:
                tables = await connection.fetch(
                    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables"
                    " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
                )
                for table in (*(row["name"] for row in tables), "pg_stat_activity"):
                    for row in await connection.fetch(f"SELECT * FROM {table}"):
                        for value in row.values():
                            self.look("database", value if isinstance(value, bytes) else str(value).encode())
            finally:
                await connection.close()

    def processes(self, of: house.House) -> int:
        """The environment and the command line of the supervisor and of all below it; returns how many there are."""
        told = state.read(of.folder)
        assert told is not None, "no house runs"
        supervisor = psutil.Process(told.pid)
        pids = [one.pid for one in (supervisor, *supervisor.children(recursive=True))]
        for pid in pids:
            for part in ("environ", "cmdline"):
                self.look(part, Path(f"/proc/{pid}/{part}").read_bytes())
        return len(pids)
