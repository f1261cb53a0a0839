"""How a story of the players ends, and what must be true of it then."""

import contextlib
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from libs import db
from rushes.job.v1 import events_pb2
from services.job import continuity, domain, history, takes
from services.provider_gateway import domain as paid
from tests.integration.job import fates

J, P = domain.JobState, domain.ProductionState
_MOST_ROUNDS = 80
_DRAWN = Path(__file__).parents[3] / "docs" / "lifecycles.md"


def drawn(noun: str) -> set[tuple[str, str]]:
    """The arrows of a noun in docs/lifecycles.md."""
    (told,) = re.findall(rf"^## {noun}: .*?```mermaid(.*?)```", _DRAWN.read_text(), re.S | re.M)
    return set(re.findall(r"(\w+) --> (\w+)", told))


async def end(stage: Any) -> None:
    """All that is under way ends and is heard of; what waits then waits honestly; and a person can end all of it."""
    await quiet(stage)
    await check_waits(stage)
    for _ in range(_MOST_ROUNDS):
        if all(one.state in domain.PRODUCTION_ENDS for one in stage.productions):
            return
        for one in stage.productions:
            await settle(stage, one)
        await quiet(stage)
    raise AssertionError(f"never ended: {[one for one in stage.productions if not one.ended_at]}")


async def quiet(stage: Any) -> None:
    """Nothing is on its way, and every call that may be paid has ended."""
    while True:
        await stage.carry()
        await stage.look()
        is_open = any(one.state not in paid.FINAL for one in await stage.submissions())
        if not (stage.news or stage.orders or is_open):
            return
        await stage.order_clips()
        await stage.buy()
        if stage.news:
            await stage.hear()


async def settle(stage: Any, production: domain.Production) -> None:
    """What a person does for a production that waits for one."""
    if production.state is P.NEEDS_APPROVAL:
        await stage.call("ApproveProduction", production_id=production.id)
    if production.state is P.PAUSED:
        await stage.call("ResumeProduction", production_id=production.id)
    if production.state in (P.FILMING, P.NEEDS_PICK):
        for slot in await slots(stage, production):
            if not slot.take_id:
                found = [take for take in stage.takes if take.scene_id == slot.scene_id]
                if found:
                    await stage.call("PickTake", take_id=stage.chance.choice(found).id)


async def slots(stage: Any, production: domain.Production) -> list[domain.Slot]:
    async with stage.jobs_database.tenant(stage.tenant) as conn:
        return list((await takes.slots(conn, [production.id])).values())


async def check_waits(stage: Any) -> None:
    """When all is quiet, only a person is waited for."""
    for one in stage.productions:
        assert one.state not in (P.CANCELING, P.COMPILING), f"{one.id} is {one.state} for ever"
        mine = [job for job in stage.jobs if job.production_id == one.id]
        assert not [job for job in mine if job.state in (J.RUNNING, J.CANCELING)], f"{one.id} has jobs without news"
        open_ = [job for job in mine if job.state is J.WAITING]
        places = {slot.scene_number: slot for slot in await slots(stage, one)}
        if one.state is P.FILMING:
            assert open_, f"{one.id} films nothing"
        for job in open_:
            held = {P.PAUSED: domain.Hold.PAUSED, P.NEEDS_APPROVAL: domain.Hold.APPROVAL}.get(one.state)
            before = places.get(job.scene_number - 1)
            waits = job.hold is domain.Hold.SEAM and before and not before.take_id
            assert waits or (held and job.hold is held), f"{job.id} waits for {job.hold} in {one.state}"
        assert not continuity.stranded(list(places.values()), sorted(mine, key=_in_film)), "they wait for nothing"


def _in_film(job: domain.Job) -> tuple[int, int]:
    return job.scene_number, job.take_number


async def check(stage: Any) -> None:
    """The books of the gateway, the orders that were said, and the job service's own rows tell one story."""
    bought: dict[str, list[paid.Submission]] = {job.id: [] for job in stage.jobs}
    for one in await stage.submissions():
        bought[one.job_id].append(one)
    for job in stage.jobs:
        check_job(job, sorted(bought[job.id], key=lambda one: one.attempt))
    again = [job.retries for job in stage.jobs if job.retries]
    assert len(again) == len(set(again)), "a job was made anew twice"
    for job_id in again:
        assert all(fates.is_free(one) for one in bought[job_id]), f"{job_id} was bought twice"
    picked = [take.scene_id for take in stage.takes if take.picked]
    assert len(picked) == len(set(picked)), "two takes of a scene are picked"
    stored = sum(one.state is paid.State.STORED for one in itertools.chain(*bought.values()))
    assert len(stage.takes) == stored, "a paid clip is lost"
    await check_films(stage)
    await check_log(stage)


def check_job(job: domain.Job, bought: list[paid.Submission]) -> None:
    assert job.ended_at, f"{job.id} is open"
    assert all(fates.is_free(one) for one in bought[:-1]), f"{job.id} was bought twice"
    assert [one.attempt for one in bought] == list(range(1, len(bought) + 1))
    assert (job.cost_micros or 0) == sum(one.cost_micros or 0 for one in bought), f"{job.id} costs another amount"
    assert bool(job.take) == any(one.state is paid.State.STORED for one in bought), f"{job.id} has lost its clip"
    if job.state is J.SUCCEEDED:
        assert job.take


async def check_films(stage: Any) -> None:
    """One film for each production that has all its takes, and no order that its job knows nothing of."""
    said = await stage.replicas[0].said()
    films = {}
    for event in said:
        if isinstance(event, events_pb2.FilmRequested) and event.tenant_id == stage.tenant:
            assert films.setdefault(event.production_id, event) is event, "two films of one production"
    for one in stage.productions:
        if one.state is P.SUCCEEDED:
            filled = [slot.take_id for slot in await slots(stage, one)]
            assert all(filled)
            assert len(films[one.id].edit_list.cuts) == len(filled)
        assert (one.id in films) == bool(one.film_id), f"{one.id} is {one.state}"
    orders = [event for event in said if isinstance(event, events_pb2.ClipRequested)]
    for job in stage.jobs:
        attempts = [event.attempt for event in orders if event.job_id == job.id]
        assert set(attempts) <= set(range(1, job.attempt + 1))


async def check_log(stage: Any) -> None:
    """Each job went only where an arrow leads, one step after the other."""
    arrows = drawn("Job")
    async with stage.jobs_database.tenant(stage.tenant) as conn:
        for job in stage.jobs:
            steps = await history.of(conn, stage.tenant, job.id, 0, 1000)
            moves = [(one.state_before, one.state) for one in steps]
            assert {move for move in moves if move[0] != move[1]} <= arrows, f"{job.id} went {moves}"
            assert all(before[1] == after[0] for before, after in itertools.pairwise(moves))
            versions = [one.version for one in steps]
            assert versions == sorted(versions)


class Scribe:
    """Writes down every step of every production, which the service itself does not."""

    def __init__(self, database: db.Database) -> None:
        self._database = database

    @classmethod
    @contextlib.asynccontextmanager
    async def beside(cls, place: Any) -> AsyncIterator["Scribe"]:
        """One who listens from now on."""
        database = db.Database(place.owner_url)
        async with database.house() as conn:
            for statement in _SCRIBE:
                await conn.execute(sa.text(statement))
        yield cls(database)
        await database.close()

    async def check(self) -> None:
        """They went only where arrows lead."""
        async with self._database.house() as conn:
            steps = {tuple(row) for row in await conn.execute(sa.text("SELECT before, after FROM steps"))}
        assert steps <= drawn("Production"), steps - drawn("Production")


_SCRIBE = (
    "CREATE TABLE steps (before text, after text)",
    """CREATE FUNCTION scribe() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
      INSERT INTO steps VALUES (OLD.state, NEW.state); RETURN NULL;
    END $$""",
    """CREATE TRIGGER scribe AFTER UPDATE ON productions FOR EACH ROW WHEN (OLD.state <> NEW.state)
      EXECUTE FUNCTION scribe()""",
)
