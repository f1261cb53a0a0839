"""The books: append-only, fsynced before anyone is told, and readable after any crash."""

import asyncio
import fcntl
import json
import os
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from libs import errors
from services.sandbox import domain

Event = Literal["post", "create", "done", "charge", "fail", "delete", "cancel"]
Line = dict[str, Any]


class LedgerInUse(errors.Conflict):
    """Another sandbox is using {path}; stop it, or give this one its own RUSHES_SANDBOX_HOME."""


class LedgerBroken(errors.Conflict):
    """Line {line} of {path} is not JSON; restore the file from a copy, or move it away to start with empty books."""


class Journal:
    """One file of JSON lines that only grows, and that one process holds at a time."""

    def __init__(self, path: Path) -> None:
        """Open it, and drop a last line that a crash left unfinished: nobody was ever told of it."""
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise LedgerInUse(path=path) from None
        self._size = self._whole_lines()
        os.ftruncate(self._fd, self._size)

    def _whole_lines(self) -> int:
        end = os.fstat(self._fd).st_size
        while end:
            start = max(0, end - 65536)
            newline = os.pread(self._fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return 0

    def lines(self) -> Iterator[Line]:
        """Every line, oldest first. Raises LedgerBroken."""
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield json.loads(line)
                except ValueError:
                    raise LedgerBroken(path=self._path, line=number) from None

    def append(self, lines: Sequence[Line]) -> None:
        """Write the lines and fsync; on a fault (a full disk) none of them stays. Raises OSError."""
        if not lines:
            return
        block = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        try:
            left = memoryview(block)
            while left:
                left = left[os.write(self._fd, left) :]
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(block)

    def close(self) -> None:
        """Let another process have the file."""
        os.close(self._fd)


class Ledger:
    """`ledger.jsonl` (events and money, no secrets) and `orders.jsonl` (what is needed to render again).

    Writers that come at the same time share one fsync, made in a thread of its own.
    """

    def __init__(self, home: Path) -> None:
        """Raises LedgerInUse, OSError."""
        self.events = Journal(home / "ledger.jsonl")
        self.orders = Journal(home / "orders.jsonl")
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._waiting: list[tuple[Sequence[Line], Sequence[Line], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def write(self, events: Sequence[Line], orders: Sequence[Line] = ()) -> Awaitable[None]:
        """Await the result to have the lines on the disk; it raises OSError when they are not.

        Lines follow those of earlier calls: what is not awaited yet is written with the next that is.
        """
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((events, orders, written))
        return self._on_disk(written)

    async def _on_disk(self, written: asyncio.Future[None]) -> None:
        if self._writer is None and not written.done():
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._waiting:
            self._waiting = []
            fault = await loop.run_in_executor(self._thread, self._commit, batch)
            for _, _, written in batch:
                if written.cancelled():
                    continue
                if fault:
                    written.set_exception(fault)
                else:
                    written.set_result(None)
        self._writer = None

    def _commit(self, batch: list[tuple[Sequence[Line], Sequence[Line], asyncio.Future[None]]]) -> OSError | None:
        try:
            # Orders first: an order without a create is nothing, a create without its order could not be rendered.
            self.orders.append([line for _, orders, _ in batch for line in orders])
            self.events.append([line for events, _, _ in batch for line in events])
        except OSError as fault:
            return fault
        return None

    def close(self) -> None:
        """Finish what is being written, and let another process have the files."""
        self._thread.shutdown()
        self.events.close()
        self.orders.close()


def event(clip: domain.Clip, name: Event, at: datetime) -> Line:
    """A line of the ledger. Only a `charge` carries money."""
    order = clip.order
    return {
        "at": at.isoformat(timespec="microseconds"),
        "event": name,
        "id": order.own_id or clip.id,
        "dialect": order.dialect,
        "model": order.model,
        "client_ref": order.client_ref,
        "key_sha256": order.key_sha256,
        "prompt_sha256": domain.digest(order.prompt),
        "seconds": order.seconds,
        "size": order.size,
        "seed": order.seed,
        "micros": order.micros if name == "charge" else 0,
        "clip_sha256": clip.footage.sha256 if clip.footage else None,
    }


def post(dialect: domain.Dialect, path: str, client_ref: str | None, key_sha256: str | None, at: datetime) -> Line:
    """A request that reached a create route, whatever becomes of it: the wire is counted with these."""
    return {
        "at": at.isoformat(timespec="microseconds"),
        "event": "post",
        "id": None,
        "dialect": dialect,
        "path": path,
        "client_ref": client_ref,
        "key_sha256": key_sha256,
        "micros": 0,
    }


def order(clip: domain.Clip) -> Line:
    """A line of the orders."""
    return {"id": clip.id, "created_at": clip.created_at.isoformat(), "order": asdict(clip.order)}


def clips(ledger: Ledger) -> Iterator[tuple[domain.Clip, str | None]]:
    """Every clip created and not deleted, oldest first, as the last process left it; with its sha256 once done."""
    orders = {_name(line["order"]["own_id"] or line["id"], line["order"]): line for line in ledger.orders.lines()}
    found: dict[tuple[str, str], tuple[domain.Clip, str | None]] = {}
    for line in ledger.events.lines():
        id, name = _name(line["id"], line), line["event"]
        if name == "create":
            found[id] = _clip(orders.pop(id)), None
        elif name == "delete":
            found.pop(id, None)
        elif name in _END and id in found:
            clip = found[id][0]
            clip.status, clip.ended_at, clip.settling = _END[name], datetime.fromisoformat(line["at"]), True
            found[id] = clip, line["clip_sha256"]
    yield from found.values()


_END: dict[str, domain.Status] = {"done": "completed", "fail": "failed", "cancel": "cancelled"}


def _name(id: str, line: Line) -> tuple[str, str]:
    """Callers that name their jobs themselves may give two keys the same name."""
    return id, line["key_sha256"]


def _clip(line: Line) -> domain.Clip:
    return domain.Clip(line["id"], domain.Order(**line["order"]), datetime.fromisoformat(line["created_at"]))
