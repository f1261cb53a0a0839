"""All the verbs and all the news at once, at random: nothing is bought twice or lost, and everything comes to an end.

With --hypothesis-profile=nights there are more stories, and longer ones; PLAYERS_SEED says from which seed on.
"""

import dataclasses
import os
import random
from collections import Counter

import hypothesis
import pytest

from libs import db
from services.job import api
from tests.integration.job import conftest, onlookers, players, sequel

NIGHT = hypothesis.settings.get_current_profile_name() == "nights"
FIRST = int(os.environ.get("PLAYERS_SEED", "0"))
STORIES, ROUNDS = (10, 40) if NIGHT else (1, 12)


@pytest.fixture
async def replicas(line, serve):
    """The job service of the line, and another that shares its database."""
    one = line.crew.behind
    place = dataclasses.replace(line.crew.place, database=db.Database(line.crew.place.url))
    behind = api.JobApi(place.database, one.storyboards, one.gateway, one.clock)
    door = await serve("job", conftest.job_servicer(behind))
    yield [line.crew, conftest.Crew(place, door, line.crew.issuer, behind)]
    await place.database.close()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + (8 if NIGHT else 1)))
async def test_whatever_they_do_at_once_nothing_is_bought_twice_or_lost(line, replicas, seed, record_property):
    answers = Counter()
    async with sequel.Scribe.beside(line.crew.place) as scribe:
        for number in range(STORIES):
            answers += await story(line, replicas, f"{seed}-{number}")
        await scribe.check()
    told = ", ".join(f"{count} {name}" for name, count in answers.most_common())
    record_property("figure", f"players, seed {seed}: {STORIES} stories: {told}")


async def story(line, replicas, name):
    """What was answered in it, how often."""
    stage = players.Stage(line, replicas, random.Random(name), f"t{name}")
    await stage.begin()
    async with onlookers.watching(stage):
        for _ in range(ROUNDS):
            await stage.round()
        await sequel.end(stage)
        await sequel.check(stage)
    return stage.answers
