"""The job service dies at its verbs, for every commit in small; `make crash` has every place."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash import __main__ as crash
from tests.crash import armed, verbs
from tests.crash import rig as rigs

_PLACES = (
    *("approve.before_commit", "take.kept", "pick.before_commit", "retry.committed", "production.committed"),
    "webhook.sent",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[rigs.Rig]:
    """Not in pytest's own folder: PostgreSQL's user must pass through it."""
    with tempfile.TemporaryDirectory(prefix="rushes-e2e-") as made, pytest.MonkeyPatch.context() as told:
        for name, value in crash.SPED_UP.items():
            told.setenv(name, value)
        async with rigs.standing(Path(made)) as standing:
            yield standing


@pytest.mark.asyncio(loop_scope="module")
async def test_no_job_is_lost_and_none_made_twice_when_its_service_dies_again_and_again(rig: rigs.Rig) -> None:
    """Who dies early may keep the round from a later place: what was not come to is played once more."""
    missed = [f"job {place}" for place in _PLACES]
    for _ in range(3):
        faults = [armed.Fault(f"job {place}", "kill") for place in _PLACES if any(place in one for one in missed)]
        wrong, missed = await verbs.play(rig, *faults)
        assert wrong == ()
        if not missed:
            break
    assert missed == []
