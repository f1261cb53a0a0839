"""Cuts the films that are due, one at a time, under a lease."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import prometheus_client

from libs import blobs, db, errors, outbox, run, telemetry
from services.compiler import domain, making, orders, store, wire
from services.compiler.film import Plan

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25
_BEAT_S = 1.0
_FINAL = (
    domain.ClipUnreadable,
    domain.ClipMissing,
    domain.TrimBeyondClip,
    domain.JoinTooLong,
    domain.FilmNotAsPlanned,
)

_FILMS = prometheus_client.Counter("rushes_films", "Films that a worker has let go of.", ["state"])
_SECONDS = prometheus_client.Histogram(
    "rushes_film_cutting_seconds", "Time to cut a film.", buckets=(1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
)


@dataclass
class _Share:
    """How much of the film is done, and how much of that has been told."""

    done: float | None = None
    told: float | None = None


class Cutting:
    """Claims films and has them cut; a crash at any line is a lease that runs out."""

    def __init__(
        self,
        database: db.Database,
        files: blobs.Blobs,
        clock: Callable[[], datetime],
        owner: str,
        work_folder: Path,
        lease_s: float,
        deadline_s: float,
    ) -> None:
        self._database, self._files, self._clock = database, files, clock
        self._owner, self._work_folder, self._lease_s, self._deadline_s = owner, work_folder, lease_s, deadline_s

    async def run(self, stop: asyncio.Event) -> None:
        """A part that cuts films until it is told to stop; then it hands back the one it has."""
        await run.every("cut", _LOOK_EVERY_S, lambda: self.tick(stop))(stop)

    async def tick(self, stop: asyncio.Event) -> int:
        """Claim one film and see it through; returns how many there were."""
        async with self._database.house() as conn:
            film = await store.claim(conn, self._owner, self._lease_s)
        if film is None:
            return 0
        with telemetry.span("cut film"), _SECONDS.time():
            log.info("film_claimed", extra={"film_id": film.id, "attempt": film.attempts})
            try:
                if film.attempts > domain.MOST_ATTEMPTS:
                    await self._record(domain.tried(film, "the compiler died with it.", self._clock()))
                else:
                    await self._see_through(film, stop)
            except store.LeaseLost:
                log.warning("lease_lost", extra={"film_id": film.id})
        return 1

    async def _see_through(self, film: domain.Film, stop: asyncio.Event) -> None:
        """Cut the film while holding on to it; whatever ends this, the worker process ends with it."""
        share = _Share()
        making = asyncio.create_task(self._make(film, share))
        stopping = asyncio.create_task(stop.wait())
        try:
            while not making.done() and not stopping.done():
                await asyncio.wait([making, stopping], timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED)
                await self._renew(film, share)
            await self._record(self._outcome(film, making))
        finally:
            stopping.cancel()
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _renew(self, film: domain.Film, share: _Share) -> None:
        """Hold on to the film, and tell how far it is when that has changed. Raises LeaseLost."""
        done = share.done
        try:
            async with self._database.house() as conn:
                await store.renew(conn, film, self._lease_s, done)
                if done is not None and done != share.told:
                    await outbox.put(conn, wire.film_progressed(film, done, self._clock()))
            share.told = done
        except errors.Unavailable:
            log.warning("renewal_failed", extra={"film_id": film.id})

    def _outcome(self, film: domain.Film, making: asyncio.Task[domain.Result]) -> domain.Film:
        now = self._clock()
        if not making.done():
            return domain.handed_back(film, now)
        try:
            return domain.completed(film, making.result(), now)
        except _FINAL as refusal:
            return domain.failed(film, domain.fault_of(refusal), now)
        except errors.Error as fault:
            log.warning("cutting_failed", extra={"film_id": film.id, "reason": fault.reason, "why": str(fault)})
            return domain.tried(film, str(fault), now)
        except Exception as fault:
            log.exception("cutting_failed", extra={"film_id": film.id})
            return domain.tried(film, f"{type(fault).__name__}.", now)

    async def _record(self, film: domain.Film) -> None:
        """Write down what became of it. A film that is cut is worth waiting for a database that is away."""
        while True:
            try:
                async with self._database.house() as conn:
                    await store.save(conn, film)
                    await outbox.put(conn, *filter(None, [wire.news(film)]))
                break
            except errors.Unavailable:
                log.warning("record_waits", extra={"film_id": film.id, "to": film.state})
                await asyncio.sleep(_BEAT_S)
        _FILMS.labels(film.state).inc()
        log.info("film_moved", extra={"film_id": film.id, "to": film.state, "fault": film.fault and film.fault.reason})

    async def _make(self, film: domain.Film, share: _Share) -> domain.Result:
        """Have the film made and keep what came of it; the folder is gone afterwards in any case."""
        folder = await asyncio.to_thread(_fresh_folder, self._work_folder, film)

        def tell(done: float) -> None:
            share.done = done

        try:
            wanted = wire.edit_of(wire.edit_list(film))
            plan = await making.make(self._files, wanted, folder, tell, self._deadline_s)
            return await self._keep(film, plan, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _keep(self, film: domain.Film, plan: Plan, folder: Path) -> domain.Result:
        video, poster, sheet = [
            await self._put(film, folder / name, content_type)
            for name, content_type in (
                (orders.FILM, "video/mp4"),
                (orders.POSTER, "image/jpeg"),
                (orders.CONTACT_SHEET, "image/jpeg"),
            )
        ]
        picture, clips = plan.film.profile, [cut for cut in plan.cuts if cut.pictures]
        conformed = sum(bool(cut.conform) for cut in clips)
        return domain.Result(
            frames=plan.film.frames,
            width=picture.width,
            height=picture.height,
            fps_numerator=picture.fps.numerator,
            fps_denominator=picture.fps.denominator,
            copied=len(clips) - conformed,
            conformed=conformed,
            video=video,
            poster=poster,
            contact_sheet=sheet,
        )

    async def _put(self, film: domain.Film, path: Path, content_type: str) -> domain.Media:
        """Keep one file under a key that only this worker uses: a slower one cannot exchange it later."""
        key = f"t/{film.tenant_id}/films/{film.id}/{film.lease_epoch}/{path.name}"
        kept = await self._files.put_file(key, path, content_type)
        return domain.Media(key, content_type, kept.size, kept.sha256 or "")


def _fresh_folder(parent: Path, film: domain.Film) -> Path:
    """An empty folder for this worker alone; what a killed one left of the same film is removed."""
    for left in parent.glob(f"rushes-{film.id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"rushes-{film.id}-{film.lease_epoch}"
    folder.mkdir(mode=0o700)
    return folder
