"""A compiler of its own for each test: database, media store, workers, and a client of its door."""

import asyncio
import itertools
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message

from libs import blobs, ids, outbox, rpc
from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import compiler_service_pb2_grpc as pb_grpc
from rushes.compiler.v1 import events_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.compiler import api, domain, store, ticks
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

    async def create_long(self) -> Any:
        """A film that takes a few seconds to cut."""
        profile = edit_list_pb2.OutputProfile(size=media_pb2.FrameSize(width=1280, height=720))
        return await self.create(await self.clip(LONG), profile=profile)

    def worker(self, lease_s: float = 30, folder: Path | None = None) -> ticks.Cutting:
        """A worker as a process has it."""
        return ticks.Cutting(self.database, self.files, clock, ids.new("worker"), folder or self.folder, lease_s, 60)

    async def tick(self) -> int:
        """Let a worker see one film through."""
        return await self.worker().tick(self.stop)

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

    def folders(self) -> list[str]:
        """What the workers have on this disk."""
        return sorted(path.name for path in self.folder.glob("rushes-*"))

    async def encoding(self, film_id: str) -> None:
        """Return once a worker process has begun to encode this film."""
        async with asyncio.timeout(30):
            while not list(self.folder.glob(f"rushes-{film_id}-*/house-1.mp4")):  # noqa: ASYNC110, another process
                await asyncio.sleep(0.02)


def edit_list(*keys: str, **fields: Any) -> edit_list_pb2.EditList:
    """These clips in a row."""
    cuts = [
        edit_list_pb2.Cut(scene_id=f"sc_{n}", take_id=f"take_{n}", title=f"Scene no. {n}", clip=media_pb2.Blob(key=key))
        for n, key in enumerate(keys)
    ]
    return edit_list_pb2.EditList(**{"title": "The Film", "cuts": cuts, **fields})


@pytest.fixture
async def compiler(database: Any, serve: Any, issuer: Any, tmp_path: Path) -> Compiler:
    place = await database("compiler")
    files = blobs.open_store(f"{(tmp_path / 'blobs').as_uri()}?public=http://127.0.0.1:1&secret=s3cret")
    behind = api.CompilerApi(place.database, files, clock)
    servicer = rpc.Servicer(pb_grpc.add_CompilerServiceServicer_to_server, behind, NAME)
    return Compiler(place, await serve("compiler", servicer), issuer, tmp_path, files, behind)
