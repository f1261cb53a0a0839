"""Plan, then apply: with the real storyboard service and the real gateway behind their own doors."""

import uuid

import grpc
import pytest

from rushes.job.v1 import events_pb2, job_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from tests.integration import refusals
from tests.integration.job import news

CUT, LAST_FRAME, SHARED = clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME, clip_pb2.SEAM_SHARED_KEYFRAME
Plan = job_pb2.ScenePlan
STALE = grpc.StatusCode.ABORTED


async def plan(line, board, **fields):
    told = {"storyboard_id": board.id, "revision": board.revision} | fields
    return (await line("PlanProduction", **told)).plan


async def create(line, planned, **fields):
    told = {
        "request_id": str(uuid.uuid4()),
        "storyboard_id": planned.storyboard_id,
        "revision": planned.revision,
        "quote_id": planned.quote_id,
        "plan_digest": planned.digest,
    }
    return (await line("CreateProduction", **told | fields)).production


async def made(line, production):
    """Let every clip of it be stored, until nothing is asked for any more."""
    done = set()
    while jobs := [job for job in await line.crew.jobs(production.id) if job.state == "RUNNING" and job.id not in done]:
        done |= {job.id for job in jobs}
        await line.crew.hear(*(news.stored(job, sha256=job.id) for job in jobs))
    await line.crew.hear(news.film_completed(production.id))
    return (await line("GetProduction", production_id=production.id)).production


async def changed(line, board, **fields):
    """The next revision of the board, with these words in its first scene."""
    board.scenes[0].MergeFrom(type(board.scenes[0])(**fields))
    return (await line("UpdateStoryboard", storyboard=board, update_mask={"paths": ["scenes"]})).storyboard


def told(planned):
    return [(Plan.Action.Name(one.action)[7:], Plan.Reason.Name(one.reason)[7:]) for one in planned.scenes]


async def test_a_plan_spends_nothing_and_says_what_for(line):
    board = await line.board(CUT, LAST_FRAME, CUT)
    planned = await plan(line, board)
    assert told(planned) == [("MAKE", "NEW_SCENE")] * 3
    assert [one.most_you_can_pay.micros for one in planned.scenes] == [400_000, 500_000, 600_000]
    assert (planned.most_you_can_pay.micros, planned.clips, planned.duration.seconds) == (1_500_000, 3, 15)
    assert [one.waits for one in planned.scenes] == [False, True, False]
    assert planned.play_money
    assert not planned.HasField("time_left"), "nothing was measured yet"
    assert not await line.crew.said()
    assert not (await line("ListProductions")).productions


async def test_what_was_planned_is_what_is_done_and_only_what_changed_is_made_again(line):
    board = await line.board(CUT, LAST_FRAME, CUT)
    first = await made(line, await create(line, await plan(line, board)))
    takes = [scene.take_id for scene in first.scenes]
    again = await plan(line, board)
    assert told(again) == [("REUSE", "UNCHANGED")] * 3
    assert [one.take_id for one in again.scenes] == takes
    assert (again.quote_id, again.clips, again.HasField("most_you_can_pay")) == ("", 0, False)
    whole = await create(line, again)
    assert (whole.state, len(whole.jobs)) == (job_pb2.Production.STATE_COMPILING, 0)
    film = (await line.crew.said(events_pb2.FilmRequested, whole.id))[0]
    assert [cut.take_id for cut in film.edit_list.cuts] == takes

    board = await changed(line, board, title="Another title")
    assert told(await plan(line, board)) == [("REUSE", "UNCHANGED")] * 3

    board = await changed(line, board, action="burns")
    third = await plan(line, board)
    assert told(third) == [("REMAKE", "CONTENT_CHANGED"), ("REMAKE", "SEAM_CHANGED"), ("REUSE", "UNCHANGED")]
    assert third.scenes[0].digest_before not in ("", third.scenes[0].digest)
    assert (third.clips, third.most_you_can_pay.micros) == (2, 900_000)
    done = await made(line, await create(line, third))
    assert [job.scene_number for job in done.jobs] == [1, 2]
    assert done.scenes[2].take_id == takes[2]
    kept = (await line("ListTakes", storyboard_id=board.id)).takes
    assert len(kept) == 5, "no plan deletes a take"
    assert {one.id for one in kept if one.picked} == {scene.take_id for scene in done.scenes}


async def test_a_plan_that_is_not_what_was_shown_is_refused_whole(line):
    board = await line.board(CUT, CUT)
    shown = await plan(line, board)
    made_meanwhile = await made(line, await create(line, shown))
    before = await line.crew.said()
    info = await refusals.refused(create(line, shown), STALE)
    assert (info.reason, info.metadata["storyboard_id"]) == ("PLAN_CHANGED", board.id)
    fitting = await plan(line, board)
    for other in ({"plan_digest": "made up"}, {"revision": 2}, {"options": {"remake_scene_ids": ["*"]}}):
        if other == {"revision": 2}:
            await changed(line, board, title="x")
        refused = await refusals.refused(create(line, fitting, **other), STALE)
        assert refused.reason == "PLAN_CHANGED"
    assert await line.crew.said() == before
    assert [one.id for one in (await line("ListProductions")).productions] == [made_meanwhile.id]


async def test_a_plan_is_applied_once_however_often_it_is_sent(line):
    board = await line.board(CUT)
    shown, request_id = await plan(line, board), str(uuid.uuid4())
    first = await create(line, shown, request_id=request_id)
    await made(line, first)
    again = await create(line, shown, request_id=request_id)
    assert again.id == first.id
    assert len(await line.crew.said(events_pb2.ClipRequested)) == 1


async def test_a_quote_of_the_caller_is_taken_when_it_covers_what_is_made(line):
    board = await line.board(CUT, CUT)
    quote = await line.quote(board)
    planned = await plan(line, board, quote_id=quote.id)
    assert (planned.quote_id, planned.most_you_can_pay.micros) == (quote.id, 900_000)
    production = await create(line, planned)
    assert (production.quote_id, production.most_you_can_pay.micros) == (quote.id, 900_000)
    other = await line.board(CUT)
    call = plan(line, other, quote_id=quote.id)
    assert (await refusals.refused(call, grpc.StatusCode.FAILED_PRECONDITION)).reason == "QUOTE_CHANGED"


async def test_what_the_gateway_refuses_is_refused_in_its_words_and_our_fields(line):
    board = await line.board(CUT, CUT)
    await made(line, await create(line, await plan(line, board)))
    board.scenes[1].duration.seconds = 59
    board = (await line("UpdateStoryboard", storyboard=board, update_mask={"paths": ["scenes"]})).storyboard
    assert set(await refusals.violations(plan(line, board))) == {"scenes[1].duration"}
    board.scenes[1].duration.seconds = 4
    board.scenes[1].model = "sandbox/nothing"
    board = (await line("UpdateStoryboard", storyboard=board, update_mask={"paths": ["scenes"]})).storyboard
    info = await refusals.refused(plan(line, board), grpc.StatusCode.NOT_FOUND)
    assert (info.reason, info.domain) == ("MODEL_NOT_FOUND", "provider_gateway.rushes")


async def test_an_empty_board_is_refused_in_the_words_of_its_service(line):
    empty = await line.board()
    info = await refusals.refused(plan(line, empty), grpc.StatusCode.FAILED_PRECONDITION)
    assert (info.reason, info.domain) == ("STORYBOARD_EMPTY", "storyboard.rushes")


async def test_a_keyframe_is_shared_or_refused(line):
    board = await line.board(CUT, SHARED)
    assert set(await refusals.violations(plan(line, board))) == {"scenes[1].seam"}
    mine = media_pb2.Blob(key="t/acme/stills/door.png", content_type="image/png", size_bytes=9, sha256="cd" * 32)
    theirs = media_pb2.Blob(key="t/other/stills/door.png", content_type="image/png", size_bytes=9, sha256="cd" * 32)
    wrong = {"keyframes": [{"scene_id": board.scenes[1].id, "still": theirs}]}
    assert set(await refusals.violations(plan(line, board, options=wrong))) == {"options.keyframes[0].still"}
    # sandbox/reel-1 starts on a still and ends on none.
    options = {"keyframes": [{"scene_id": board.scenes[1].id, "still": mine}]}
    assert set(await refusals.violations(plan(line, board, options=options))) == {"scenes[1].seam"}
    for scene in board.scenes:
        scene.model, scene.duration.seconds = "sandbox/veo-1", 4
    board = (await line("UpdateStoryboard", storyboard=board, update_mask={"paths": ["scenes"]})).storyboard
    planned = await plan(line, board, options=options)
    production = await create(line, planned, options=options)
    orders = {one.scene_id: one.spec for one in await line.crew.said(events_pb2.ClipRequested, production.id)}
    assert orders[board.scenes[0].id].last_frame == orders[board.scenes[1].id].first_frame == mine


async def test_what_costs_more_than_a_threshold_waits_for_approval(line):
    board = await line.board(CUT, LAST_FRAME)
    options = {"approve_above_micros": 800_000}
    planned = await plan(line, board, options=options)
    assert planned.approval_wanted
    assert not (await plan(line, board, options={"approve_above_micros": 900_000})).approval_wanted
    production = await create(line, planned, options=options)
    assert production.state == job_pb2.Production.STATE_NEEDS_APPROVAL
    assert [job.wait_reason for job in production.jobs] == [
        job_pb2.Job.WAIT_REASON_APPROVAL,
        job_pb2.Job.WAIT_REASON_SEAM,
    ]
    assert not await line.crew.said()
    for _ in range(2):
        approved = (await line("ApproveProduction", production_id=production.id)).production
        assert (approved.state, approved.approved_by) == (job_pb2.Production.STATE_FILMING, "ada")
    assert len(await line.crew.said(events_pb2.ClipRequested)) == 1
    assert (await made(line, production)).state == job_pb2.Production.STATE_SUCCEEDED


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"takes": 11}, "options.takes"),
        ({"scene_takes": {"scene_1": 0}}, "options.scene_takes[scene_1]"),
        ({"keyframes": [{"scene_id": ""}]}, "options.keyframes[0].scene_id"),
        ({"approve_above_micros": -1}, "options.approve_above_micros"),
    ],
)
async def test_options_that_make_no_sense(crew, options, field):
    call = crew("PlanProduction", storyboard_id="sb_1", revision=1, options=options)
    assert field in await refusals.violations(call)
    assert set(await refusals.violations(crew("PlanProduction"))) == {"storyboard_id", "revision"}


async def test_scenes_that_are_left_cost_nothing_and_the_film_goes_without_them(line):
    board = await line.board(CUT, CUT, LAST_FRAME)
    options = {"leave_scene_ids": [board.scenes[1].id]}
    planned = await plan(line, board, options=options)
    assert told(planned) == [("MAKE", "NEW_SCENE"), ("LEAVE", "LEFT"), ("LEAVE", "LEFT")]
    assert planned.most_you_can_pay.micros == 400_000
    filmed = await made(line, await create(line, planned, options=options))
    assert (filmed.state, [one.scene_number for one in filmed.scenes]) == (job_pb2.Production.STATE_SUCCEEDED, [1])
    other = await line.board(CUT)
    nothing = {"leave_scene_ids": [other.scenes[0].id]}
    assert set(await refusals.violations(plan(line, other, options=nothing))) == {"options.leave_scene_ids"}
