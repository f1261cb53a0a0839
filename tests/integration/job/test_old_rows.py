"""What the first release has written down is still read, filled in with what it tells."""

import hashlib
import importlib
import json

import asyncpg
import pytest

from libs import db, migrate, outbox
from rushes.type.v1 import clip_pb2
from services.job import domain, store, takes

SPEC = clip_pb2.ClipSpec(model="sandbox/reel-1", prompt="A lighthouse.").SerializeToString(deterministic=True)
MEDIA = {"content_type": "video/mp4", "size_bytes": 9, "seconds": 4.0}
CLIP = json.dumps(MEDIA | {"key": "t/acme/clips/a.mp4", "sha256": "ab" * 32})
STILL = json.dumps(MEDIA | {"key": "t/acme/clips/a.png", "sha256": "cd" * 32, "seconds": 0.0})
_PRODUCTION = """
    INSERT INTO productions VALUES ($1, 'acme', $1, '\\x00', 'sb_1', 1, 'Old', 'quote_1', 'USD', 900, $2, 5, '', NULL,
      NULL, now(), now(), CASE WHEN $2 = 'SUCCEEDED' THEN now() END)"""
_JOB = """
    INSERT INTO jobs (id, tenant_id, production_id, scene_id, scene_number, scene_title, seam, spec, waits_for,
      last_frame_wanted, first_frame, currency, quoted_micros, cost_micros, state, attempt, submission_state,
      submission_version, fault, changed_in, created_at, updated_at, ended_at)
    VALUES ($1, 'acme', $2, $3, $4, 'Ebb', $5, $6, $7, true, $8, 'USD', 450, $9, $10, 1, '', 0, NULL, 5, now(), now(),
      CASE WHEN $10 = 'SUCCEEDED' THEN now() END)"""
_TAKE = """
    INSERT INTO takes VALUES ($1, 'acme', $2, $3, $4, $5, $6, true, now())"""


@pytest.fixture
async def old(database):
    """A database as the second migration left it, with two productions of one storyboard; then brought up to date."""
    place = await database("job")
    connection = await asyncpg.connect(place.owner_url.replace("+asyncpg", ""))
    first, second = (
        importlib.import_module(f"services.job.migrations.versions.{name}") for name in ("0001_initial", "0002_parked")
    )
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.execute(first.TABLES + outbox.DDL)
    await connection.execute("ALTER TABLE jobs ADD COLUMN parked jsonb")
    for table in ("productions", "jobs", "takes"):
        await connection.execute(migrate.POLICY.format(table=table))
    version = "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"
    await connection.execute(f"{version}; INSERT INTO alembic_version VALUES ('{second.revision}')")
    for production_id, state in (("prod_1", "SUCCEEDED"), ("prod_2", "FILMING")):
        await connection.execute(_PRODUCTION, production_id, state)
        for number, waits_for in ((1, None), (2, f"job_{production_id}_1")):
            done = state == "SUCCEEDED" or number == 1
            still = STILL if waits_for and done else None
            facts = (number, 2 if waits_for else 1, SPEC, waits_for, still, 400 if done else None)
            job_id, job_state = f"job_{production_id}_{number}", "SUCCEEDED" if done else "WAITING"
            await connection.execute(_JOB, job_id, production_id, f"scene_{number}", *facts, job_state)
            if done:
                take_id = f"take_{production_id}_{number}"
                await connection.execute(_TAKE, take_id, job_id, production_id, f"scene_{number}", CLIP, STILL)
    await connection.close()
    await migrate.upgrade(place.owner_url, "job")
    owner = db.Database(place.owner_url)
    yield owner
    await owner.close()


async def test_old_productions_jobs_and_takes_are_read(old):
    async with old.house() as conn:
        production = await store.get_production(conn, "acme", "prod_2")
        jobs = await store.jobs_of(conn, production)
        slots = await takes.slots(conn, ["prod_1", "prod_2"])
        tallies = await store.tallies(conn, ["prod_1", "prod_2"])
    assert (production.auto_pick, production.approved_by) == (domain.AutoPick.FIRST, "")
    assert (production.model, production.resolution) == ("", ""), "as the storyboard says"
    assert [(job.state.value, job.hold.value, job.take_number) for job in jobs] == [
        ("SUCCEEDED", "", 1),
        ("WAITING", "SEAM", 1),
    ]
    assert {(job.storyboard_id, job.model) for job in jobs} == {("sb_1", "sandbox/reel-1")}
    assert [slot.take_id for slot in slots.values()] == ["take_prod_1_1", "take_prod_1_2", "take_prod_2_1", None]
    assert {slot.reason for slot in slots.values()} == {domain.Reason.UNSPECIFIED}
    assert tallies == {"prod_1": domain.Tally(0, 2, 0), "prod_2": domain.Tally(1, 1, 1)}


async def test_old_takes_are_used_again_and_one_of_a_scene_is_picked(old):
    digest = hashlib.sha256(SPEC).hexdigest()
    async with old.house() as conn:
        found = await takes.candidates(conn, "acme", "sb_1", {"scene_1": digest, "scene_2": digest})
    assert [(take.id, take.picked) for take in found["scene_1"]] == [("take_prod_2_1", True), ("take_prod_1_1", False)]
    (hanging,) = found["scene_2"]
    assert (hanging.opens_on, hanging.input_take_id, hanging.digest) == ("cd" * 32, "take_prod_1_1", digest)
    assert hanging.cost_micros == 400
