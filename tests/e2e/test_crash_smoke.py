"""The crash matrix in small, for every commit: kills at the places that matter most; `make crash` has all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import homes
from tests.crash import __main__ as crash
from tests.crash import armed, outage, rounds, verbs
from tests.crash import rig as rigs

_PAYING = ("order.sent", "claim.SENDING.committed", "record.UNKNOWN.committed", "lookup.done")
_KEEPING = ("record.ACCEPTED.before_commit", "fetch.kept", "record.STORED.before_commit", "outbox.published")
_VERBS = (
    *("approve.before_commit", "take.kept", "pick.before_commit", "retry.committed", "production.committed"),
    "webhook.sent",
)
_TURNS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[rigs.Rig]:
    with homes.folder("rushes-e2e-") as made, pytest.MonkeyPatch.context() as told:
        for name, value in crash.SPED_UP.items():
            told.setenv(name, value)
        async with rigs.standing(Path(made)) as standing:
            yield standing


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("places", [_PAYING, _KEEPING], ids=["paying", "keeping"])
async def test_nothing_is_lost_or_paid_twice_when_it_dies_again_and_again(
    rig: rigs.Rig, places: tuple[str, ...]
) -> None:
    """Who dies early may keep the round from a later place: what was not come to is played once more."""
    missed = tuple(f"provider_gateway {place}" for place in places)
    for _ in range(_TURNS):
        faults = tuple(armed.Fault(place, "kill") for place in missed)
        outcome = await rounds.play(rig, rounds.Script("smoke", faults=faults))
        assert outcome.wrong == ()
        if not (missed := outcome.missed):
            break
    assert missed == ()


@pytest.mark.asyncio(loop_scope="module")
async def test_an_outage_loses_no_clip_that_outlives_it_and_none_in_silence(rig: rigs.Rig) -> None:
    swept = await outage.sweep(rig, (1, 2, 3, 60, 120, 600), outage_s=3)
    outlived, gone = [one for one in swept if one.had_time], [one for one in swept if one.was_gone]
    assert outlived
    assert gone
    assert {one.state for one in outlived} == {"STORED"}
    assert {(one.state, one.reason) for one in gone} == {("CLIP_EXPIRED", "CLIP_EXPIRED")}
    assert {one.state for one in swept} <= {"STORED", "CLIP_EXPIRED"}
    assert await rounds.verdict(rig) == ()
    logs = "".join(rig.of.log(name).read_text() for name in rigs.GATEWAYS)
    assert logs.count('"action": "paid_clip_lost"') == sum(one.state == "CLIP_EXPIRED" for one in swept)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_job_is_lost_and_none_made_twice_when_its_service_dies_again_and_again(rig: rigs.Rig) -> None:
    """Here too what was not come to is played once more."""
    missed = [f"job {place}" for place in _VERBS]
    for _ in range(_TURNS):
        faults = [armed.Fault(f"job {place}", "kill") for place in _VERBS if any(place in one for one in missed)]
        wrong, missed = await verbs.play(rig, *faults)
        assert wrong == ()
        if not missed:
            break
    assert missed == []
