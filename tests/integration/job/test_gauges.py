"""Jobs and productions as metrics tell them: how many, how old, and how they ended."""

import prometheus_client

from services.job import gauges
from tests.integration.job import news


def value(name, **labels):
    return prometheus_client.REGISTRY.get_sample_value(f"rushes_{name}", labels) or 0


async def test_jobs_are_told_by_state_and_age_and_counted_once_when_they_end(crew, clock):
    seen = gauges.Gauges(crew.database, clock)
    first, second = await crew.begin(False, False)
    await seen.look()
    assert (value("jobs", state="RUNNING"), value("productions", state="FILMING")) == (2, 1)
    assert value("job_oldest_age_seconds", state="RUNNING") > 0
    assert value("jobs_stuck") == 0
    ended = value("jobs_finished_total", outcome="SUCCEEDED"), value("jobs_finished_total", outcome="FAILED")
    stored = news.stored(first)
    await crew.hear(stored)
    await crew.hear(stored)
    await crew.hear(news.failed(second))
    assert value("jobs_finished_total", outcome="SUCCEEDED") == ended[0] + 1
    assert value("jobs_finished_total", outcome="FAILED") == ended[1] + 1
    assert value("job_duration_seconds_count", outcome="SUCCEEDED") >= 1
    await seen.look()
    assert value("jobs", state="RUNNING") == 0
    clock.forward(hours=1)
    await crew.begin(False)
    await seen.look()
    assert value("jobs_stuck") == 1
