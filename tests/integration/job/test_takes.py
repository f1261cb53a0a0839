"""Takes belong to their scenes: reading, picking, notes, and what a pick makes stale."""

import asyncio

import grpc
import pytest

from libs import ids
from rushes.job.v1 import events_pb2, job_pb2
from services.job import domain, planning, store
from tests.e2e import waiting
from tests.integration import refusals
from tests.integration.job import news

MISSING = grpc.StatusCode.NOT_FOUND


async def takes(crew, scene_id="", **fields):
    return list((await crew("ListTakes", storyboard_id="sb_1", scene_id=scene_id, **fields)).takes)


async def filmed(crew, *on_last_frame):
    """A production with all its clips stored; its jobs."""
    jobs = await crew.begin(*on_last_frame)
    for job in jobs:
        await crew.hear(news.stored(job, sha256=job.id))
    return jobs


async def test_takes_outlive_their_productions_and_the_newest_is_picked(crew):
    first, second = await filmed(crew, False, True)
    (again, _) = await filmed(crew, False, True)
    newer, older = await takes(crew, "scene_1")
    assert (newer.job_id, newer.picked, older.job_id, older.picked) == (again.id, True, first.id, False)
    assert {one.storyboard_id for one in (newer, older)} == {"sb_1"}
    assert {(one.scene_number, one.scene_title) for one in (newer, older)} == {(1, "Scene 1")}
    assert {one.model for one in (newer, older)} == {"sandbox/reel-1"}
    assert older.cost.micros == news.COST
    hanging = (await takes(crew, "scene_2"))[1]
    assert (hanging.job_id, hanging.input_take_id) == (second.id, older.id)
    assert hanging.stale
    assert not newer.stale
    assert len(await takes(crew, picked_only=True)) == 2
    assert (await crew("GetTake", take_id=hanging.id)).take == hanging


async def test_lists_come_in_pages_and_belong_to_a_storyboard(crew):
    for _ in range(3):
        await filmed(crew, False)
    found, token = [], ""
    while True:
        answer = await crew("ListTakes", storyboard_id="sb_1", page_size=2, page_token=token)
        found += [one.id for one in answer.takes]
        if not (token := answer.next_page_token):
            break
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3
    assert set(await refusals.violations(crew("ListTakes"))) == {"storyboard_id"}


async def test_a_pick_says_what_it_makes_stale_and_marks_it_for_who_watches(crew):
    await filmed(crew, False, True, True)
    jobs = await filmed(crew, False, True, True)
    picked = await takes(crew, picked_only=True)
    assert not any(one.stale for one in picked)
    older = (await takes(crew, "scene_1"))[1]
    before = await crew.production(jobs[0].production_id)
    answer = await crew("PickTake", take_id=older.id)
    assert answer.take.picked
    assert set(answer.stale_take_ids) == {one.id for one in picked if one.scene_id != "scene_1"}
    assert (await crew.production(older.production_id)).version > before.version
    assert not (await crew("GetTake", take_id=picked[-1].id)).take.picked
    again = await crew("PickTake", take_id=older.id)
    assert again.take == answer.take


async def test_another_pick_while_it_films_is_what_the_next_scene_starts_on(crew):
    (old, _) = await filmed(crew, False, True)
    first, second, _ = await crew.begin(False, True, False)
    (older,) = await takes(crew, "scene_1")
    assert older.job_id == old.id
    await crew("PickTake", take_id=older.id)
    (order,) = await crew.said(events_pb2.ClipRequested, second.production_id)
    assert (order.job_id, order.spec.first_frame.key) == (second.id, f"t/acme/clips/{old.id}.last.png")
    await crew.hear(news.stored(first))
    assert (await takes(crew, "scene_1"))[0].picked is False, "a person has picked another one"
    shown = (await crew("GetProduction", production_id=first.production_id)).production
    assert shown.scenes[0].take_id == older.id


async def test_a_take_without_its_last_frame_cannot_lead_to_another_scene(crew):
    await filmed(crew, False)
    (older,) = await takes(crew, "scene_1")
    await crew.begin(False, True)
    info = await refusals.refused(crew("PickTake", take_id=older.id), grpc.StatusCode.FAILED_PRECONDITION)
    assert info.reason == "TAKE_WITHOUT_LAST_FRAME"


async def test_an_unpicked_take_leaves_its_scene_empty(crew):
    (job, other) = await crew.begin(False, False)
    await crew.hear(news.stored(job))
    (take,) = await takes(crew)
    for _ in range(2):
        assert not (await crew("UnpickTake", take_id=take.id)).take.picked
    shown = (await crew("GetProduction", production_id=job.production_id)).production
    assert [scene.take_id for scene in shown.scenes] == ["", ""]
    await crew.hear(news.failed(other, retryable=False))
    assert (await crew("GetProduction", production_id=job.production_id)).production.error.reason == "SCENES_FAILED"


async def test_what_is_picked_while_another_is_to_be_unpicked_stays_picked(crew):
    await filmed(crew, False)
    (job,) = await filmed(crew, False)
    newer, older = await takes(crew, "scene_1")
    async with crew.database.house() as conn:
        await store.lock_production(conn, "acme", job.production_id)
        unpicking = asyncio.ensure_future(crew("UnpickTake", take_id=newer.id))
        await waiting.is_waited_for(conn)
        await crew("PickTake", take_id=older.id)
    assert not (await unpicking).take.picked
    assert (await crew("GetTake", take_id=older.id)).take.picked


async def test_a_production_waits_for_another_pick_when_its_last_one_is_taken_away(crew):
    (job,) = await crew.begin(False, options=planning.Options(auto_pick=domain.AutoPick.NEVER))
    await crew.hear(news.stored(job))
    (take,) = await takes(crew)
    waiting = (await crew("GetProduction", production_id=job.production_id)).production
    assert waiting.state == job_pb2.Production.STATE_NEEDS_PICK
    await crew("UnpickTake", take_id=take.id)
    await crew("PickTake", take_id=take.id)
    done = (await crew("GetProduction", production_id=job.production_id)).production
    assert done.state == job_pb2.Production.STATE_COMPILING


async def test_a_note_is_kept(crew):
    await filmed(crew, False)
    (take,) = await takes(crew)
    assert (await crew("NoteTake", take_id=take.id, note="The light is right.")).take.note == "The light is right."
    assert (await takes(crew))[0].note == "The light is right."
    assert set(await refusals.violations(crew("NoteTake", take_id=take.id, note="x" * 2001))) == {"note"}
    assert (await crew("NoteTake", take_id=take.id)).take.note == ""


@pytest.mark.parametrize("verb", ["GetTake", "PickTake", "UnpickTake", "NoteTake"])
async def test_what_is_not_there_or_another_tenant_s(crew, verb):
    await filmed(crew, False)
    (take,) = await takes(crew)
    for take_id, tenant in ((ids.new("take"), "acme"), (take.id, "other")):
        info = await refusals.refused(crew(verb, tenant, take_id=take_id), MISSING)
        assert info.reason == "TAKE_NOT_FOUND"
