"""The film lab: takes orders, has them developed, keeps the books, and picks up where a crash left it."""

import asyncio
import hashlib
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import prometheus_client

from services.sandbox import domain, ledger

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Develop = Callable[[str, domain.Order], Awaitable[domain.Footage]]
"""Renders an order under a name, the same bytes each time."""

STOCK = domain.Order("openai", "stock", "A quiet field at golden hour, the camera pushes in.", 1, 320, 180, seed=7)
"""The small clip that every create gets when the sandbox is instant."""
_LEDGER_RETRY_S = 1.0
_EVENTS = prometheus_client.Counter("rushes_sandbox_events", "Lines in the ledger.", ["dialect", "event"])
_MICROS = prometheus_client.Counter("rushes_sandbox_charged_micros", "Money charged, in millionths.", ["dialect"])


class KeyReused(Exception):
    """An Idempotency-Key came a second time with another order."""


class Lab:
    """Every clip this sandbox knows. One event loop owns it; only its ledger and its files outlive it."""

    def __init__(
        self,
        home: Path,
        books: ledger.Ledger,
        develop: Develop,
        desks: int,
        clock: Clock,
        latency_s: float,
    ) -> None:
        """`desks` clips are developed at a time; none is done before `latency_s` seconds have passed."""
        self.references = home / "references"
        self.reels = home / "clips"
        for folder in (self.references, self.reels):
            folder.mkdir(parents=True, exist_ok=True)
        self.clock = clock
        self.latency_s = latency_s
        self.stock: domain.Footage | None = None
        self._stock_bytes = b""
        self._books = books
        self._develop = develop
        self._clips: dict[str, domain.Clip] = {}
        self._developing: dict[str, asyncio.Task[None]] = {}
        self._repeatable: dict[tuple[str, ...], asyncio.Future[domain.Clip]] = {}
        self._desks = asyncio.Semaphore(desks)

    def use_stock(self, clip: domain.Footage) -> None:
        """From now on every order is done at once, with this small clip, which is held in memory."""
        self.stock, self._stock_bytes = clip, (self.reels / f"{clip.name}.mp4").read_bytes()

    def in_memory(self, footage: domain.Footage) -> bytes:
        """The bytes of the stock clip; none for any other, which is read from the disk in pieces."""
        return self._stock_bytes if footage is self.stock else b""

    def reopen(self) -> None:
        """Take over what the last process left: finished clips as they are, unfinished ones are begun again."""
        for clip, sha256 in ledger.clips(self._books):
            self._clips[clip.id] = clip
            if clip.order.repeat_key:
                self._repeatable[_repeat_name(clip.order)] = known = asyncio.get_running_loop().create_future()
                known.set_result(clip)
            if sha256:
                clip.footage = self._on_disk(clip.id, sha256)
            if not clip.ended or (clip.status == "completed" and clip.footage is None):
                clip.status = "queued"
                self._begin(clip)
        log.info("lab_reopened", extra={"clips": len(self._clips), "unfinished": len(self._developing)})

    def _on_disk(self, name: str, sha256: str) -> domain.Footage | None:
        if self.stock and sha256 == self.stock.sha256:
            return self.stock
        path = self.reels / f"{name}.mp4"
        return domain.Footage(name, sha256, path.stat().st_size) if path.exists() else None

    async def keep(self, image: bytes) -> str:
        """Store a reference image so that it outlives a crash; its name, for the order. Raises OSError."""
        name = hashlib.sha256(image).hexdigest()
        await asyncio.to_thread(_store, self.references / name, image)
        return name

    async def create(self, order: domain.Order) -> domain.Clip:
        """Take an order: when this returns, the create is in the ledger. Raises OSError when it cannot be.

        The same order under the same repeat key is the first one again, even while that is being written down, and
        after any restart. Raises KeyReused when it is another order.
        """
        if order.repeat_key is None:
            return await self._create(order)
        name = _repeat_name(order)
        if name not in self._repeatable:
            self._repeatable[name] = asyncio.ensure_future(self._create(order))
        try:
            clip = await asyncio.shield(self._repeatable[name])
        except OSError:
            self._repeatable.pop(name, None)
            raise
        if clip.order != order:
            raise KeyReused(order.repeat_key)
        return clip

    async def _create(self, order: domain.Order) -> domain.Clip:
        clip = domain.Clip(domain.ID_PREFIX[order.dialect] + secrets.token_hex(16), order, self.clock())
        if self.stock:
            clip.settling, clip.footage, clip.ended_at = True, self.stock, clip.created_at
            await self._record(clip, "create", "done", "charge")
            clip.status = "completed"
        else:
            await self._record(clip, "create")
            self._begin(clip)
        self._clips[clip.id] = clip
        return clip

    def find(self, dialect: domain.Dialect, id: str) -> domain.Clip | None:
        """The clip of that id, unless it is unknown, deleted, or of another dialect."""
        clip = self._clips.get(id)
        return clip if clip and clip.order.dialect == dialect else None

    def page(
        self, dialect: domain.Dialect, after: str | None, limit: int, newest_first: bool
    ) -> tuple[list[domain.Clip], bool]:
        """At most `limit` clips in the order of creation, behind the one called `after`; and whether more follow."""
        clips = iter(reversed(self._clips.values()) if newest_first else self._clips.values())
        if after:
            for clip in clips:
                if clip.id == after:
                    break
        found: list[domain.Clip] = []
        for clip in clips:
            if clip.order.dialect == dialect:
                if len(found) == limit:
                    return found, True
                found.append(clip)
        return found, False

    async def finished(self, clip: domain.Clip) -> None:
        """Wait for the end of the clip, whatever it is."""
        if task := self._developing.get(clip.id):
            await asyncio.wait([task])

    async def cancel(self, clip: domain.Clip) -> None:
        """Stop it and charge nothing; a clip that has ended, or is just ending, stays what it is."""
        if not clip.settling:
            clip.settling = True
            await self._record(clip, "cancel")
            self._end(clip, "cancelled")
            self._stop(clip)

    async def delete(self, clip: domain.Clip) -> None:
        """Forget the clip and its file; one that is not done is stopped and never charged."""
        await self._record(clip, "delete")
        self._clips.pop(clip.id, None)
        self._stop(clip)
        if clip.footage and clip.footage != self.stock:
            for suffix in (".mp4", ".webp"):
                (self.reels / clip.footage.name).with_suffix(suffix).unlink(missing_ok=True)

    def _stop(self, clip: domain.Clip) -> None:
        if task := self._developing.get(clip.id):
            task.cancel()

    def _begin(self, clip: domain.Clip) -> None:
        task = asyncio.create_task(self._make(clip), name=clip.id)
        self._developing[clip.id] = task
        task.add_done_callback(lambda _: self._developing.pop(clip.id, None))

    async def _make(self, clip: domain.Clip) -> None:
        paid = clip.settling  # it was done before, and only its file is gone
        try:
            async with self._desks:
                clip.status = "in_progress"
                clip.footage = await self._develop(clip.id, clip.order)
        except Exception:
            log.exception("render_failed", extra={"clip_id": clip.id})
            return await self._settle(clip, "failed", "fail")
        age_s = (self.clock() - clip.created_at).total_seconds()
        await asyncio.sleep(self.latency_s - age_s)
        if paid:
            clip.status = "completed"
        else:
            await self._settle(clip, "completed", "done", "charge")

    async def _settle(self, clip: domain.Clip, status: domain.Status, *events: ledger.Event) -> None:
        if clip.settling:
            return
        clip.settling = True
        while True:
            try:
                await self._record(clip, *events)
                break
            except OSError as fault:  # a full disk: the clip waits for its line, it is never done without it
                log.error("ledger_not_written", extra={"clip_id": clip.id, "fault": fault.strerror})
                await asyncio.sleep(_LEDGER_RETRY_S)
        self._end(clip, status)

    def _end(self, clip: domain.Clip, status: domain.Status) -> None:
        clip.ended_at = self.clock()
        clip.status = status

    async def _record(self, clip: domain.Clip, *events: ledger.Event) -> None:
        now = self.clock()
        lines = [ledger.event(clip, name, now) for name in events]
        await self._books.write(lines, [ledger.order(clip)] if "create" in events else [])
        for name in events:
            _EVENTS.labels(clip.order.dialect, name).inc()
        if "charge" in events:
            _MICROS.labels(clip.order.dialect).inc(clip.order.micros)

    async def run(self, stop: asyncio.Event) -> None:
        """A part: when told to stop, drop what is being developed; the next process begins it again."""
        await stop.wait()
        tasks = list(self._developing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _repeat_name(order: domain.Order) -> tuple[str, ...]:
    return order.dialect, order.key_sha256, order.repeat_key or ""


def _store(path: Path, content: bytes) -> None:
    if path.exists():
        return
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
