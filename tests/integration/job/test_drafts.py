"""Filming with another model, or at another resolution, than the storyboard says: planned, bought, and told apart."""

import uuid

import grpc

from rushes.job.v1 import events_pb2, job_pb2
from tests.integration import refusals
from tests.integration.job import news
from tests.integration.job.test_plan import CUT, STALE, changed, create, made, plan, told

DRAFT = {"resolution": "360P"}


def seen(planned):
    return [(one.model, one.size.width, one.size.height) for one in planned.scenes]


async def test_a_draft_is_what_was_planned_and_never_passes_for_the_whole(line):
    board = await line.board(CUT, CUT)
    draft = await plan(line, board, options=DRAFT)
    assert seen(draft) == [("sandbox/reel-1", 640, 360)] * 2
    assert (await refusals.refused(create(line, draft), STALE)).reason == "PLAN_CHANGED", "bought without its options"
    begun = await create(line, draft, options=DRAFT)
    assert (begun.model, begun.resolution) == ("", "360P")
    (first, _) = await line.crew.jobs(begun.id)
    await line.crew.hear(news.failed(first))
    assert (await line("RetryJob", job_id=first.id)).job.spec.size.width == 640
    filmed = await made(line, begun)
    assert filmed.state == job_pb2.Production.STATE_SUCCEEDED
    orders = await line.crew.said(events_pb2.ClipRequested, begun.id)
    assert {(one.spec.size.width, one.spec.size.height) for one in orders} == {(640, 360)}
    assert told(await plan(line, board, options=DRAFT)) == [("REUSE", "UNCHANGED")] * 2
    whole = await plan(line, board)
    assert told(whole) == [("REMAKE", "SIZE_CHANGED")] * 2
    assert whole.scenes[0].digest_before == draft.scenes[0].digest
    assert seen(whole) == [("sandbox/reel-1", 1280, 720)] * 2
    full = await made(line, await create(line, whole))
    assert told(await plan(line, board)) == [("REUSE", "UNCHANGED")] * 2
    assert {one.take_id for one in full.scenes}.isdisjoint(one.take_id for one in filmed.scenes)
    board = await changed(line, board, action="burns")
    assert told(await plan(line, board, options=DRAFT))[0] == ("REMAKE", "CONTENT_CHANGED")


async def test_another_model_makes_all_that_is_made_whatever_the_scenes_name(line):
    board = await line.board(CUT, CUT)
    board.scenes[0].duration.seconds = 6
    board.scenes[0].negative_prompt = "gulls"
    board = await changed(line, board, duration=board.scenes[0].duration, negative_prompt="gulls")
    first = await made(line, await create(line, await plan(line, board)))
    options = {"model": "sandbox/veo-1", "resolution": "1080p", "leave_scene_ids": [board.scenes[1].id]}
    assert set(await refusals.violations(plan(line, board, options=options))) == {"scenes[0].duration"}
    del options["resolution"]
    planned = await plan(line, board, options=options)
    assert told(planned) == [("REMAKE", "MODEL_CHANGED"), ("REUSE", "LEFT")]
    production = await create(line, planned, options=options)
    assert (production.model, production.jobs[0].spec.model) == ("sandbox/veo-1", "sandbox/veo-1")
    assert production.scenes[1].take_id == first.scenes[1].take_id
    quote = await line.quote(board)
    fits = {"request_id": str(uuid.uuid4()), "storyboard_id": board.id, "revision": board.revision}
    call = line("CreateProduction", **fits, quote_id=quote.id, options={"model": "sandbox/veo-1"})
    refused = await refusals.refused(call, grpc.StatusCode.FAILED_PRECONDITION)
    assert refused.reason == "QUOTE_CHANGED", "a quote is for one model"


async def test_what_cannot_be_had_is_refused_with_what_can(line):
    board = await line.board(CUT, CUT)
    fits = {"request_id": str(uuid.uuid4()), "storyboard_id": board.id, "revision": 1, "plan_digest": "x"}
    for options, why in (
        ({"model": "sandbox/reel-2"}, "should be sandbox/reel-1 or sandbox/veo-1"),
        ({"model": "openai/sora-2"}, "should be sandbox/reel-1 or sandbox/veo-1"),
        ({"resolution": "480p"}, "480p; sandbox/reel-1 makes 360p, 720p or 1080p"),
        ({"resolution": "4k\0"}, "should be the name of a resolution, such as 480p"),
    ):
        fault = {f"options.{name}": why for name in options}
        assert await refusals.violations(plan(line, board, options=options)) == fault
        assert await refusals.violations(line("CreateProduction", **fits, options=options)) == fault
