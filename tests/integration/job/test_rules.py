"""What the job database refuses, whoever asks."""

import pytest
import sqlalchemy as sa

from libs import ids
from tests.integration.job import news

FINAL = "final_is_final|is final, not"


async def refused(crew, statement, match, **values):
    with pytest.raises(sa.exc.IntegrityError, match=match):
        async with crew.database.house() as conn:
            await conn.execute(sa.text(statement), values)


async def count(crew, statement, tenant=None, **values):
    scope = crew.database.tenant(tenant) if tenant else crew.database.house()
    async with scope as conn:
        return (await conn.execute(sa.text(statement), values)).rowcount


async def test_final_is_final(crew):
    done, lost = await crew.begin(False, False)
    await crew.hear(news.stored(done))
    await crew.hear(news.failed(lost))
    for job, state in ((done, "RUNNING"), (done, "FAILED"), (lost, "SUCCEEDED"), (lost, "CANCELED")):
        ended = "NULL" if state == "RUNNING" else "now()"
        await refused(crew, f"UPDATE jobs SET state = '{state}', ended_at = {ended} WHERE id = :id", FINAL, id=job.id)
    for state in ("SUCCEEDED", "COMPILING"):
        ended = "NULL" if state == "COMPILING" else "now()"
        change = f"UPDATE productions SET state = '{state}', ended_at = {ended} WHERE id = :id"
        await refused(crew, change, FINAL, id=done.production_id)


async def test_an_end_has_a_time_and_a_failure_has_a_reason(crew):
    (job,) = await crew.begin(False)
    for table, id in (("jobs", job.id), ("productions", job.production_id)):
        await refused(crew, f"UPDATE {table} SET state = 'SUCCEEDED' WHERE id = :id", "ended_if_final", id=id)
        await refused(crew, f"UPDATE {table} SET ended_at = now() WHERE id = :id", "ended_if_final", id=id)
        await refused(crew, f"UPDATE {table} SET state = 'DREAMING' WHERE id = :id", "state_check", id=id)
    failed = "UPDATE jobs SET state = 'FAILED', ended_at = now() WHERE id = :id"
    await refused(crew, failed, "fault_if_failed", id=job.id)


async def test_a_scene_has_one_picked_take_and_a_job_one_take(crew):
    done, other = await crew.begin(False, False)
    await crew.hear(news.stored(done))
    copy = """
        INSERT INTO takes (id, tenant_id, job_id, production_id, storyboard_id, scene_id, clip, picked, created_at)
        SELECT :id, tenant_id, :job_id, production_id, storyboard_id, scene_id, clip, :picked, created_at FROM takes"""
    await refused(crew, copy, "one_picked", id=ids.new("take"), job_id=other.id, picked=True)
    await refused(crew, copy, "takes_job_id_key", id=ids.new("take"), job_id=done.id, picked=False)
    assert await count(crew, copy, id=ids.new("take"), job_id=other.id, picked=False) == 1


async def test_no_tenant_reaches_another_s_rows(crew):
    first, _ = await crew.begin(False, True)
    await crew.hear(news.stored(first))
    for table in ("productions", "jobs", "takes"):
        change = f"UPDATE {table} SET tenant_id = tenant_id"
        assert await count(crew, change, tenant="other") == 0
        assert await count(crew, change, tenant="acme") > 0
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        await count(crew, "UPDATE jobs SET tenant_id = 'other'", tenant="acme")
