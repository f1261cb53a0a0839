"""Chance drives a whole gateway on a real PostgreSQL; the laws of paid calls and of money hold after every step."""

import asyncio
import functools

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import stateful

from libs import db
from services.provider_gateway import domain
from tests.integration.provider_gateway.machine import story

FILLED = """
    submissions, submission_log, ledger, budgets, switches, evidence, cancellations, quotes, accounts, account_calls,
    outbox"""
SLOW = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
BY_DAY = hypothesis.settings(max_examples=25, stateful_step_count=30)


@pytest.fixture
async def place(database):
    return await database("provider_gateway")


async def clean(owner):
    async with owner.house() as conn:
        await conn.execute(sa.text(f"TRUNCATE {FILLED}"))


def test_no_story_breaks_a_law_and_every_story_ends(place, record_property):
    is_night = hypothesis.settings.get_current_profile_name() == "nights"
    chosen = hypothesis.settings.get_profile("nights") if is_night else BY_DAY
    once = [hypothesis.Phase.generate]  # to shrink a story of a real database takes hours
    settings = hypothesis.settings(chosen, deadline=None, suppress_health_check=SLOW, phases=once)
    taken = set[tuple[domain.State, domain.State]]()
    with asyncio.Runner() as runner:
        database, owner = db.Database(place.url), db.Database(place.owner_url)
        try:
            tell = functools.partial(story.Story, runner, database, lambda: clean(owner), taken)
            stateful.run_state_machine_as_test(tell, settings=settings)
        finally:
            runner.run(database.close())
            runner.run(owner.close())
    told = f"{settings.max_examples} stories of {settings.stateful_step_count} steps"
    record_property("figure", f"state machine: {told}, {len(taken)} transitions, 0 violations")
