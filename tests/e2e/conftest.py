"""One whole house for these tests, as `rushes film` starts it: every process real, on ports of its own."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.cli import house, visit
from tests.e2e import traces


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def of() -> AsyncIterator[house.House]:
    """The house; afterwards nothing of it may run, and nothing may lie anywhere but in its folder.

    Its clips take 0.2 s, and its leases are as short as they may be. It ends with this process, however that ends.
    Not in pytest's own folder: PostgreSQL's user must pass through it.
    """
    with tempfile.TemporaryDirectory(prefix="rushes-e2e-") as made, pytest.MonkeyPatch.context() as told:
        home, temporary = Path(made) / "home", Path(made) / "tmp"
        temporary.mkdir()
        told.setenv("RUSHES_SANDBOX_LATENCY", "0.2")
        told.setenv("RUSHES_LEASE_S", "8")
        told.setenv("TMPDIR", str(temporary))
        async with visit.visiting(home, print) as started:
            yield started
        assert traces.processes(Path(made)) == {}
        assert traces.files(temporary) == set()
