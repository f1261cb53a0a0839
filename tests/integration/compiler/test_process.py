"""The whole process: killed at its worst moment, and started again."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator

import nats
import psutil

from libs import ids
from rushes.job.v1.events_pb2 import FilmRequested
from services.compiler import domain
from tests.integration.compiler.conftest import LONG, Compiler, edit_list


@contextlib.asynccontextmanager
async def running(compiler: Compiler, nats_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m services.compiler` on this compiler's database and store."""
    told = {
        "RUSHES_LISTEN": "127.0.0.1:0",
        "RUSHES_METRICS_LISTEN": "127.0.0.1:0",
        "RUSHES_DATABASE_URL": compiler.place.url,
        "RUSHES_NATS_URL": nats_url,
        "RUSHES_BLOBS_URL": f"{(compiler.folder / 'blobs').as_uri()}?public=http://127.0.0.1:1&secret=s3cret",
        "RUSHES_AUTH_JWKS_URL": compiler.issuer.jwks_url,
        "RUSHES_AUTH_ISSUER": compiler.issuer.name,
        "RUSHES_WORK_FOLDER": str(compiler.folder),
        "RUSHES_LEASE_S": "2",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.compiler", env=told, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def ended(compiler: Compiler, film_id: str) -> domain.Film:
    """The film once it can change no more."""
    async with asyncio.timeout(60):
        async for _ in compiler.watch(film_id):
            pass
    return await compiler.film(film_id)


async def test_a_killed_compiler_goes_on_from_the_finished_pieces(compiler: Compiler, nats_url: str) -> None:
    film = await compiler.create_long()
    async with running(compiler, nats_url) as process:
        await compiler.encoding()
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert (await compiler.film(film.id)).result is None
    async with running(compiler, nats_url) as process:
        done = await ended(compiler, film.id)
        assert len(list(compiler.folder.glob("rushes-compiler-*/"))) == 1  # what the dead one left is swept
        process.terminate()
        assert await process.wait() == 0
    assert done.result
    assert done.result.frames == 240
    assert {row.kind: row.attempts for row in await compiler.segments()}["House"] == 2
    assert list(compiler.folder.glob("rushes-compiler-*")) == []


async def test_a_killed_worker_costs_the_piece_it_made_and_no_more(compiler: Compiler, nats_url: str) -> None:
    film = await compiler.create_long()
    async with running(compiler, nats_url) as process:
        await compiler.encoding()
        (zygote,) = psutil.Process(process.pid).children()
        for worker in zygote.children():
            worker.kill()
        done = await ended(compiler, film.id)
    assert done.result
    assert {row.state for row in await compiler.segments()} == {"DONE"}
    assert max(row.attempts for row in await compiler.segments()) == 2


async def test_a_request_on_the_bus_becomes_a_film(compiler: Compiler, nats_url: str) -> None:
    event = FilmRequested(
        tenant_id="acme",
        production_id="prod_1",
        request_id="prod_1",
        edit_list=edit_list(await compiler.clip(), await compiler.clip(LONG)),
    )
    async with running(compiler, nats_url), await nats.connect(nats_url) as client:
        headers = {"Nats-Msg-Id": ids.new("evt")}
        subject = event.DESCRIPTOR.full_name
        for _ in range(2):
            await client.jetstream().publish(subject, event.SerializeToString(), headers=headers)
        async with asyncio.timeout(30):
            while not (found := (await compiler("ListFilms", production_id="prod_1")).films):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        done = await ended(compiler, found[0].id)
    assert done.result
    assert (done.result.frames, done.result.conformed) == (24 + 240, 0)
