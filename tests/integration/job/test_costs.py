"""What jobs were quoted, were charged and hold, by whatever is asked for."""

from google.protobuf import timestamp_pb2

from rushes.job.v1 import job_service_pb2
from tests.integration import refusals
from tests.integration.job import news

By = job_service_pb2.GetCostsRequest


async def costs(crew, by=By.GROUP_BY_TENANT, **fields):
    found = (await crew("GetCosts", group_by=by, **fields)).costs
    return {
        one.key: (one.jobs, *(money.micros for money in (one.quoted, one.spent, one.held, one.suspense)))
        for one in found
    }


async def test_every_micro_is_in_one_place(crew):
    done, failed, unknown, running = await crew.begin(False, False, False, False)
    waits, _parked = await crew.begin(False, False, storyboard_id="sb_2")
    await crew.begin(False, tenant="other")
    await crew.hear(news.stored(done), news.failed(failed), news.failed(unknown, cost=None), news.parked(waits))
    assert await costs(crew) == {"": (6, 3_000_000, news.COST, 1_000_000, 500_000)}
    assert await costs(crew, By.GROUP_BY_STORYBOARD) == {
        "sb_1": (4, 2_000_000, news.COST, 500_000, 500_000),
        "sb_2": (2, 1_000_000, 0, 500_000, 0),
    }
    by_scene = await costs(crew, By.GROUP_BY_SCENE, production_id=running.production_id)
    assert by_scene == {
        "scene_1": (1, 500_000, news.COST, 0, 0),
        "scene_2": (1, 500_000, 0, 0, 0),
        "scene_3": (1, 500_000, 0, 0, 500_000),
        "scene_4": (1, 500_000, 0, 500_000, 0),
    }
    assert {key: line[0] for key, line in (await costs(crew, By.GROUP_BY_ACCOUNT)).items()} == {
        "endpoint:sandbox-openai": 4,
        "": 2,
    }
    assert list(await costs(crew, By.GROUP_BY_MODEL)) == ["sandbox/reel-1"]
    assert list(await costs(crew, By.GROUP_BY_DAY)) == ["2026-11-20"]
    (film, _) = (await crew("GetCosts", group_by=By.GROUP_BY_PRODUCTION)).costs
    assert (film.key, film.title, film.spent.currency) == (done.production_id, "The Letter", "XTS")
    day_after = news.at(news.NOW.replace(day=21))
    assert await costs(crew, start_time=day_after) == {}
    assert len(await costs(crew, end_time=day_after)) == 1
    never = timestamp_pb2.Timestamp(seconds=1 << 40)
    found = await refusals.violations(crew("GetCosts", start_time=never, end_time=never))
    assert set(found) == {"start_time", "end_time"}
    (line,) = (await crew("GetCosts", group_by=By.GROUP_BY_TENANT, storyboard_id="sb_2")).costs
    assert line.jobs == 2
