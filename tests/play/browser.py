"""Shows films to Chromium, and hears what it saw."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from aiohttp import web

_PAGE = Path(__file__).with_name("page.html")
_DEADLINE_S = 900


@dataclass(frozen=True)
class Film:
    """A film on this disk, its rate, and the frames whose pictures are to be read."""

    name: str
    path: Path
    fps: Fraction
    frames: Sequence[int]


async def look(films: Sequence[Film]) -> dict[str, dict[str, Any]]:
    """What Chromium told of each: `numbers` in its pictures, `duration`, or a `fault`."""
    told: dict[str, dict[str, Any]] = {}
    ended = asyncio.Event()

    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE)

    async def asked(_: web.Request) -> web.Response:
        rates = [(film.fps.numerator, film.fps.denominator) for film in films]
        named = zip(films, rates, strict=True)
        return web.json_response(
            [
                {"name": f.name, "url": f"film/{n}", "rate": rate, "frames": f.frames}
                for n, (f, rate) in enumerate(named)
            ]
        )

    async def film(request: web.Request) -> web.FileResponse:
        return web.FileResponse(films[int(request.match_info["n"])].path, headers={"Content-Type": "video/mp4"})

    async def hear(request: web.Request) -> web.Response:
        one = json.loads(await request.read())
        told[one.pop("name")] = one
        return web.Response()

    async def end(_: web.Request) -> web.Response:
        ended.set()
        return web.Response()

    app = web.Application(client_max_size=1 << 24)
    app.add_routes([web.get("/", page), web.get("/films", asked), web.get("/film/{n}", film)])
    app.add_routes([web.post("/told", hear), web.post("/end", end)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        await _browse(f"http://127.0.0.1:{port}/", ended)
    finally:
        await runner.cleanup()
    return told


async def _browse(address: str, ended: asyncio.Event) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is needed: install Debian's package chromium.")
    with tempfile.TemporaryDirectory(prefix="rushes-play-", ignore_cleanup_errors=True) as profile:
        quiet = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--mute-audio",
            "--disable-dev-shm-usage",
        )
        freely = ("--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}")
        process = await asyncio.create_subprocess_exec(
            chromium, *quiet, *freely, address, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await ended.wait()
        finally:
            process.terminate()
            await process.wait()
