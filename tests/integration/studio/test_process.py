"""The studio as its own process: told by its environment, alive without its neighbours, drained by SIGTERM."""

import asyncio
import signal
import sys

import httpx

from libs import settings
from services.cli import environment
from tests import ports

NEIGHBOURS = ("STORYBOARD", "JOB", "PROVIDER_GATEWAY", "COMPILER")


async def test_it_starts_serves_and_drains(tmp_path):
    address = f"127.0.0.1:{ports.free()}"
    told = {
        "RUSHES_LISTEN": address,
        "RUSHES_METRICS_LISTEN": f"127.0.0.1:{ports.free()}",
        "RUSHES_BLOBS_URL": f"{tmp_path.as_uri()}?public=http://{address}&secret=s3cret",
    } | {f"RUSHES_{name}_ADDRESS": f"127.0.0.1:{ports.free()}" for name in NEIGHBOURS}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.studio"), env=environment.base() | told, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=9)) as client:
            page = (await client.get(f"http://{address}/")).text
            metrics = await client.get(f"http://{told['RUSHES_METRICS_LISTEN']}/metrics")
            process.send_signal(signal.SIGTERM)
            _, logs = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, logs.decode()
    assert page.count("✕ away") == len(NEIGHBOURS)
    assert "rushes_loop" in metrics.text or "process_" in metrics.text
    assert "s3cret" not in logs.decode()


async def test_it_names_everything_it_was_not_told():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.studio"), env=environment.base(), stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate()
    assert process.returncode == settings.EX_CONFIG
    for name in ("LISTEN", "METRICS_LISTEN", "BLOBS_URL", *(f"{name}_ADDRESS" for name in NEIGHBOURS)):
        assert f"RUSHES_{name}" in complaint.decode()
