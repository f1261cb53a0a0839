"""Chance drives a whole gateway on a real PostgreSQL; the laws of paid calls and of money hold after every step."""

import asyncio
import functools

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import stateful

from libs import db
from tests.integration.provider_gateway.machine import story

FILLED = """
    submissions, submission_log, ledger, budgets, switches, evidence, cancellations, quotes, accounts, account_calls,
    outbox"""
SLOW = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large, hypothesis.HealthCheck.filter_too_much]


@pytest.fixture
async def place(database):
    return await database("provider_gateway")


async def clean(owner):
    async with owner.house() as conn:
        await conn.execute(sa.text(f"TRUNCATE {FILLED}"))


def test_no_story_breaks_a_law_and_every_story_ends(place):
    settings = hypothesis.settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=SLOW,
        phases=[hypothesis.Phase.generate],
    )
    with asyncio.Runner() as runner:
        database, owner = db.Database(place.url), db.Database(place.owner_url)
        tell = functools.partial(story.Story, runner, database, lambda: clean(owner))
        try:
            stateful.run_state_machine_as_test(tell, settings=settings)
        finally:
            runner.run(database.close())
            runner.run(owner.close())
