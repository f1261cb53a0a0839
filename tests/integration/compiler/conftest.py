"""A compiler of its own for each test: database, media store, workers, and a client of its door."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message

from libs import blobs, outbox, rpc
from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import compiler_service_pb2_grpc as pb_grpc
from rushes.compiler.v1 import events_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.compiler import api, domain, segment_store, settings, sharing, store, ticks, workshop
from tests.unit.compiler import footage

NAME = "rushes.compiler.v1.CompilerService"
LONG = footage.Take(seconds=footage.Fraction(10), layout="")


def clock() -> datetime:
    return datetime.now(UTC)


class Compiler:
    """The parts of one compiler, to be driven step by step."""

    def __init__(self, place: Any, door: Any, issuer: Any, folder: Path, files: blobs.Blobs, behind: Any) -> None:
        self.place, self.door, self.issuer, self.folder, self.files = place, door, issuer, folder, files
        self.api = behind
        self.database = place.database
        self.stop = asyncio.Event()
        self.workers: list[ticks.Compiling] = []
        self._stub = pb_grpc.CompilerServiceStub(door.channel)
        self._numbers = itertools.count()

    async def __call__(self, verb: str, tenant: str = "acme", **fields: Any) -> Any:
        """A call, as anybody: `await compiler("GetFilm", film_id=…)`."""
        request = getattr(pb, f"{verb}Request")(**fields)
        return await getattr(self._stub, verb)(request, metadata=self.issuer.bearer(tenant), timeout=30)

    def watch(self, film_id: str, tenant: str = "acme") -> Any:
        return self._stub.WatchFilm(pb.WatchFilmRequest(film_id=film_id), metadata=self.issuer.bearer(tenant))

    async def clip(self, take: footage.Take | None = None, tenant: str = "acme") -> str:
        """A stored clip; returns its key."""
        name = f"{next(self._numbers)}.mp4"
        path = await asyncio.to_thread(footage.shoot, self.folder / name, take)
        await self.files.put_file(f"t/{tenant}/clips/{name}", path, "video/mp4")
        return f"t/{tenant}/clips/{name}"

    async def create(self, *keys: str, tenant: str = "acme", **fields: Any) -> Any:
        """A new film of these clips."""
        answer = await self("CreateFilm", tenant, request_id=str(uuid.uuid4()), edit_list=edit_list(*keys, **fields))
        return answer.film

    async def cut(self, storyboard_id: str, *keys: str) -> Any:
        """A new cut of a storyboard."""
        asked = {"request_id": str(uuid.uuid4()), "edit_list": edit_list(*keys), "storyboard_id": storyboard_id}
        return (await self("CreateFilm", **asked)).film

    async def create_long(self) -> Any:
        """A film that takes a few seconds to cut."""
        profile = edit_list_pb2.OutputProfile(size=media_pb2.FrameSize(width=1280, height=720))
        return await self.create(await self.clip(LONG), profile=profile)

    def worker(self, files: blobs.Blobs | None = None, **told: Any) -> ticks.Compiling:
        """A replica's work as a process has it, in a folder of its own; ended with the test."""
        given = {"work_folder": self.folder, "lease_s": 30, "film_timeout_s": 60, "compiler_workers": 2} | told
        told_all = settings.Settings.model_construct(**given)
        shop = workshop.fitted_out(self.database, files or self.files, clock, uuid.uuid4().hex, told_all)
        kept = timedelta(seconds=told_all.segments_kept_s)
        made = ticks.Compiling(shop, told_all.compiler_workers, kept, told_all.segments_bytes)
        self.workers.append(made)
        return made

    async def tick(self, worker: ticks.Compiling | None = None) -> int:
        """Let a replica do all that is due now; returns how often something was."""
        worker, count, idle = worker or self.worker(), 0, 0
        while idle < 2:
            done = sum([await crew.tick(self.stop) for crew in (worker.films, worker.pieces, worker.exports)])
            for crew in (worker.films, worker.pieces, worker.exports):
                await crew.idle()
            count, idle = count + done, 0 if done else idle + 1
            await asyncio.sleep(0.02)  # the database's clock may be behind ours
        return count

    async def close(self) -> None:
        """End what the replicas have begun."""
        self.stop.set()
        await self.idle()
        for worker in self.workers:
            await worker.shop.close()

    async def idle(self) -> None:
        """Return once no replica is at work."""
        for worker in self.workers:
            for crew in (worker.films, worker.pieces, worker.exports):
                await crew.idle()

    async def film(self, film_id: str) -> domain.Film:
        async with self.database.house() as conn:
            return await store.get_film(conn, "acme", film_id)

    async def said(self) -> list[Message]:
        """Everything in the outbox, oldest first."""
        async with self.database.house() as conn:
            rows = await conn.execute(sa.select(outbox.OUTBOX).order_by(outbox.OUTBOX.c.id))
        return [getattr(events_pb2, row.subject.rpartition(".")[2]).FromString(row.payload) for row in rows]

    async def change(self, film_id: str, **values: Any) -> None:
        """Bend a row, as time or another process would."""
        async with self.database.house() as conn:
            await conn.execute(sa.update(store.FILMS).where(store.FILMS.c.id == film_id).values(values))

    async def segments(self) -> list[sa.Row[Any]]:
        """Every piece, whosoever's."""
        async with self.database.house() as conn:
            query = sa.select(segment_store.SEGMENTS).order_by(segment_store.SEGMENTS.c.address)
            return list(await conn.execute(query))

    async def bend(self, **values: Any) -> None:
        """Bend every piece, as time or another process would."""
        async with self.database.house() as conn:
            await conn.execute(sa.update(segment_store.SEGMENTS).values(values))

    async def bend_waiting(self) -> None:
        """Let what waits to be tried again be tried now."""
        async with self.database.house() as conn:
            waits = segment_store.SEGMENTS.c.state == "WAITING"
            await conn.execute(sa.update(segment_store.SEGMENTS).where(waits).values(next_action_at=sa.func.now()))

    def orders(self) -> list[Path]:
        """The folders of orders that replicas have on this disk."""
        return sorted(self.folder.glob("rushes-compiler-*/orders/*"))

    async def encoding(self, kind: str = "House") -> None:
        """Return once a worker process has begun to write a piece of this kind."""
        async with asyncio.timeout(60):
            while not any(self._has_begun(row.address) for row in await self._of(kind)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _of(self, kind: str) -> list[sa.Row[Any]]:
        return [row for row in await self.segments() if row.kind == kind]

    def _has_begun(self, address: str) -> bool:
        return any((folder / address).exists() for folder in self.orders())


def edit_list(*keys: str, **fields: Any) -> edit_list_pb2.EditList:
    """These clips in a row."""
    cuts = [
        edit_list_pb2.Cut(scene_id=f"sc_{n}", take_id=f"take_{n}", title=f"Scene no. {n}", clip=media_pb2.Blob(key=key))
        for n, key in enumerate(keys)
    ]
    return edit_list_pb2.EditList(**{"title": "The Film", "cuts": cuts, **fields})


@pytest.fixture
async def compiler(database: Any, serve: Any, issuer: Any, tmp_path: Path) -> AsyncIterator[Compiler]:
    place = await database("compiler")
    files = blobs.open_store(f"{(tmp_path / 'blobs').as_uri()}?public=http://127.0.0.1:1&secret=s3cret")
    (door := tmp_path / "door").mkdir()
    told = settings.Settings.model_construct(work_folder=door, lease_s=30, film_timeout_s=60)
    shop = workshop.fitted_out(place.database, files, clock, "door", told)
    behind = api.CompilerApi(shop)
    servicer = rpc.Servicer(pb_grpc.add_CompilerServiceServicer_to_server, behind, NAME)
    served = await serve("compiler", servicer, sharing.servicer(shop))
    made = Compiler(place, served, issuer, tmp_path, files, behind)
    yield made
    await made.close()
    await shop.close()
