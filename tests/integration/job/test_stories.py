"""In whatever order and however often the news arrive, a production ends the same."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.job.v1 import events_pb2
from services.job import domain
from tests.integration.job import news

J, P = domain.JobState, domain.ProductionState

FATES = {
    "made": ["stored"],
    "made at the second try": ["passing", "stored"],
    "refused": ["failed"],
    "refused at the second try": ["passing", "failed"],
    "failed twice": ["passing", "passing"],
}
"""What the gateway answers to each attempt."""

Plans = st.lists(st.tuples(st.booleans(), st.sampled_from(sorted(FATES))), min_size=1, max_size=5)


def ends(plan):
    """Each scene's state and attempts, by the rules alone."""
    found, alive = [], True
    for number, (on_last_frame, fate) in enumerate(plan):
        if number and on_last_frame and not alive:
            found.append((J.FAILED, 1))
            continue
        alive = FATES[fate][-1] == "stored"
        found.append((J.SUCCEEDED if alive else J.FAILED, len(FATES[fate])))
    return found


def orders(plan):
    """How many clips are asked for behind the first attempts that CreateProduction asks for itself."""
    waits = [bool(number) and flag for number, (flag, _) in enumerate(plan)]
    started, count = [], 0
    for number, (state, attempts) in enumerate(ends(plan)):
        before_made = not number or started[-1]
        started.append(state is J.SUCCEEDED)
        asked = not waits[number] or before_made
        count += (attempts - 1 if asked else 0) + (waits[number] and before_made)
    return count


def answers(job, attempt, fate):
    """What the gateway says about one attempt."""
    outcome = FATES[fate][attempt - 1]
    end = {
        "stored": lambda: news.stored(job, attempt),
        "failed": lambda: news.failed(job, attempt),
        "passing": lambda: news.failed(job, attempt, retryable=True),
    }[outcome]()
    return [news.moved(job, "UNKNOWN", 3, attempt), news.moved(job, "ACCEPTED", 4, attempt), end]


@given(plan=Plans, seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_order_of_the_news_ends_the_same(crew, plan, seed):
    chance = random.Random(seed)
    jobs = await crew.begin(*(flag for flag, _ in plan))
    production_id = jobs[0].production_id
    fates = {job.id: fate for job, (_, fate) in zip(jobs, plan, strict=True)}
    by_id = {job.id: job for job in jobs}
    asked = {(job.id, 1) for job in jobs if job.state is J.RUNNING}
    answered, waiting = set(), []
    while waiting or asked - answered:
        for job_id, attempt in sorted(asked - answered, key=lambda one: (by_id[one[0]].scene_number, one[1])):
            for event in answers(by_id[job_id], attempt, fates[job_id]):
                waiting += [event] * chance.randint(1, 3)
        answered |= asked
        chance.shuffle(waiting)
        size = chance.randint(1, 6)
        batch, waiting = waiting[:size], waiting[size:]
        await crew.hear(*batch)
        said = await crew.said(events_pb2.ClipRequested, production_id)
        asked |= {(event.job_id, event.attempt) for event in said}
    after = await crew.jobs(production_id)
    assert [(job.state, job.attempt) for job in after] == ends(plan)
    assert len(await crew.said(events_pb2.ClipRequested, production_id)) == orders(plan)
    complete = all(job.state is J.SUCCEEDED for job in after)
    assert (await crew.production(production_id)).state is (P.COMPILING if complete else P.FAILED)
    assert len(await crew.said(events_pb2.FilmRequested, production_id)) == complete
