"""Chance drives a whole gateway on a real PostgreSQL; the laws of paid calls and of money hold after every step."""

import functools

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import stateful

from libs import db, outbox
from services.provider_gateway.store import METADATA
from tests.integration.provider_gateway.machine import story

ALL = ", ".join([*METADATA.tables, *outbox.METADATA.tables])


@pytest.fixture
async def place(database):
    return await database("provider_gateway")


async def clean(owner_url):
    owner = db.Database(owner_url)
    try:
        async with owner.house() as conn:
            await conn.execute(sa.text(f"TRUNCATE {ALL}"))
    finally:
        await owner.close()


def test_no_story_breaks_a_law_and_every_story_ends(place):
    hypothesis.settings.register_profile("here", max_examples=25, stateful_step_count=30)
    tell = functools.partial(story.Story, lambda: db.Database(place.url), lambda: clean(place.owner_url))
    slow = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large, hypothesis.HealthCheck.filter_too_much]
    settings = hypothesis.settings(phases=[hypothesis.Phase.generate],
        max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=slow, print_blob=True
    )
    stateful.run_state_machine_as_test(tell, settings=settings)
