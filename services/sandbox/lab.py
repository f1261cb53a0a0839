"""The film lab: takes orders, has them developed, keeps the books, and picks up where a crash left it."""

import asyncio
import dataclasses
import hashlib
import logging
import math
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import prometheus_client

from services.sandbox import disaster, domain, ledger, webhooks

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
        sender: webhooks.Sender,
    ) -> None:
        """`desks` clips are developed at a time; none is done before `latency_s` seconds have passed."""
        self.sender = sender
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
        self._awaited: dict[str, asyncio.Event] = {}
        self._repeatable: dict[tuple[str, ...], asyncio.Future[domain.Clip]] = {}
        self._desks = asyncio.Semaphore(desks)

    def use_stock(self, clip: domain.Footage) -> None:
        """From now on nothing is rendered: every order gets this small clip, which is held in memory."""
        self.stock, self._stock_bytes = clip, (self.reels / f"{clip.name}.mp4").read_bytes()

    def in_memory(self, footage: domain.Footage) -> bytes:
        """The bytes of the stock clip; none for any other, which is read from the disk in pieces."""
        return self._stock_bytes if footage is self.stock else b""

    def reopen(self) -> None:
        """Take over what the last process left: finished clips as they are, unfinished ones are begun again."""
        unfinished = 0
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
                unfinished += 1
        log.info("lab_reopened", extra={"clips": len(self._clips), "unfinished": unfinished})

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
        name = domain.own_name(order.own_id, order.key_sha256) if order.own_id else secrets.token_hex(16)
        clip = domain.Clip(domain.ID_PREFIX[order.dialect] + name, order, self.clock())
        if self.stock and domain.delay_s(order, self.latency_s) <= 0:
            status, events = domain.ending(order)
            clip.settling, clip.footage = True, self.stock
            await self._record(clip, "create", *events)
            self._clips[clip.id] = clip
            self._end(clip, status)
        else:
            await self._record(clip, "create")
            self._clips[clip.id] = clip
            self._begin(clip)
        return clip

    def note(
        self, dialect: domain.Dialect, path: str, client_ref: str | None, key_sha256: str | None
    ) -> Awaitable[None]:
        """Put a request to a create route into the ledger, before what follows; await it before it is answered."""
        _EVENTS.labels(dialect, "post").inc()
        return self._books.write([ledger.post(dialect, path, client_ref, key_sha256, self.clock())])

    def clip(self, id: str) -> domain.Clip | None:
        """The clip of that id, of any dialect, unless it is unknown or deleted."""
        return self._clips.get(id)

    def find(self, dialect: domain.Dialect, id: str) -> domain.Clip | None:
        """The clip of that id, unless it is unknown, deleted, or of another dialect."""
        clip = self._clips.get(id)
        return clip if clip and clip.order.dialect == dialect else None

    def page(
        self,
        dialect: domain.Dialect,
        after: str | None,
        limit: int,
        newest_first: bool,
        shown: Callable[[domain.Clip], bool],
    ) -> tuple[list[domain.Clip], bool]:
        """At most `limit` clips in the order of creation, behind the one called `after`; and whether more follow."""
        clips = iter(reversed(self._clips.values()) if newest_first else self._clips.values())
        if after:
            for clip in clips:
                if clip.id == after:
                    break
        found: list[domain.Clip] = []
        for clip in clips:
            if clip.order.dialect == dialect and shown(clip):
                if len(found) == limit:
                    return found, True
                found.append(clip)
        return found, False

    async def finished(self, clip: domain.Clip) -> None:
        """Wait for the end of the clip, whatever it is."""
        if not clip.ended:
            await self._awaited.setdefault(clip.id, asyncio.Event()).wait()

    async def cancel(self, clip: domain.Clip) -> None:
        """Stop it and charge nothing; a clip that has ended, or is just ending, stays what it is."""
        plan = clip.order.plan
        if clip.settling or disaster.Mode.CANCEL_IGNORED in plan:
            return
        clip.settling = True
        await self._record(clip, "cancel", *_cancel_charge(plan))
        self._end(clip, "cancelled")
        self._stop(clip)

    async def delete(self, clip: domain.Clip) -> None:
        """Forget the clip and its file; one that is not done is stopped and never charged."""
        plan, running = clip.order.plan, not clip.settling
        if running and (disaster.Mode.CANCEL_IGNORED in plan or disaster.Mode.SGLANG in plan):
            await self._record(clip, "delete")
            self._clips.pop(clip.id, None)
            return
        clip.settling = True
        await self._record(clip, "delete", *(_cancel_charge(plan) if running else ()))
        self._clips.pop(clip.id, None)
        if running:
            self._end(clip, "cancelled")
        self._stop(clip)
        if clip.footage and clip.footage != self.stock:
            for suffix in (".mp4", ".webp"):
                (self.reels / clip.footage.name).with_suffix(suffix).unlink(missing_ok=True)

    def _stop(self, clip: domain.Clip) -> None:
        if task := self._developing.get(clip.id):
            task.cancel()

    def _begin(self, clip: domain.Clip) -> None:
        """Develop it; with a stock clip there is nothing to do but to wait, which costs a timer and no task."""
        wait_s = self._left_s(clip)
        if not self.stock and wait_s < math.inf:
            return self._start(clip)
        clip.status = "in_progress"
        if wait_s < math.inf:
            asyncio.get_running_loop().call_later(wait_s, self._start, clip)

    def _start(self, clip: domain.Clip) -> None:
        if clip.ended:
            return
        task = asyncio.create_task(self._make(clip), name=clip.id)
        self._developing[clip.id] = task
        task.add_done_callback(lambda _: self._developing.pop(clip.id, None))

    def _left_s(self, clip: domain.Clip) -> float:
        age_s = (self.clock() - clip.created_at).total_seconds()
        return max(0.0, domain.delay_s(clip.order, self.latency_s) - age_s)

    async def _make(self, clip: domain.Clip) -> None:
        paid = clip.settling  # it was done before, and only its file is gone
        status, events = domain.ending(clip.order)
        try:
            if status == "completed":
                clip.footage = self.stock or await self._developed(clip)
        except Exception:
            log.exception("render_failed", extra={"clip_id": clip.id})
            return await self._settle(clip, "failed", "fail")
        await asyncio.sleep(self._left_s(clip))
        if paid:
            clip.status = "completed"
        else:
            await self._settle(clip, status, *events)

    async def _developed(self, clip: domain.Clip) -> domain.Footage:
        async with self._desks:
            clip.status = "in_progress"
            order = dataclasses.replace(clip.order, prompt=disaster.clean(clip.order.prompt))
            return await self._develop(clip.id, order)

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
        if waiting := self._awaited.pop(clip.id, None):
            waiting.set()
        self.sender.ended(clip)

    async def _record(self, clip: domain.Clip, *events: ledger.Event) -> None:
        now = self.clock()
        lines = [ledger.event(clip, name, now) for name in events]
        await self._books.write(lines, [ledger.order(clip)] if "create" in events else [])
        for name in events:
            _EVENTS.labels(clip.order.dialect, name).inc()
        if "charge" in events:
            _MICROS.labels(clip.order.dialect).inc(max(0, clip.order.micros))  # a lie may pay back

    async def run(self, stop: asyncio.Event) -> None:
        """A part: when told to stop, drop what is being developed; the next process begins it again."""
        await stop.wait()
        tasks = list(self._developing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _cancel_charge(plan: disaster.Plan) -> Sequence[Literal["charge"]]:
    return ("charge",) if disaster.Mode.CANCEL_CHARGED in plan else ()


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
