"""CreateProduction, with the real storyboard service and the real gateway behind their own doors."""

import asyncio
import uuid

import grpc

from libs import ids
from rushes.job.v1 import events_pb2, job_pb2
from rushes.type.v1 import clip_pb2
from tests.integration import refusals

CUT, LAST_FRAME = clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME


async def test_a_production_is_planned_and_asked_for(line):
    order = await line.order(CUT, LAST_FRAME, CUT)
    made = (await line("CreateProduction", **order)).production
    assert made.id.startswith("prod_")
    assert (made.title, made.revision, made.quote_id) == ("The letter", 1, order["quote_id"])
    assert made.state == job_pb2.Production.STATE_FILMING
    assert [job.state for job in made.jobs] == [
        job_pb2.Job.STATE_RUNNING,
        job_pb2.Job.STATE_WAITING,
        job_pb2.Job.STATE_RUNNING,
    ]
    assert [job.wait_reason for job in made.jobs] == [0, job_pb2.Job.WAIT_REASON_SEAM, 0]
    assert [job.scene_number for job in made.jobs] == [1, 2, 3]
    assert [job.quoted.micros for job in made.jobs] == [400_000, 500_000, 600_000]
    assert (made.most_you_can_pay.micros, made.most_you_can_pay.currency) == (1_500_000, "XTS")
    assert (made.cost.micros, made.cost.currency) == (0, "XTS")
    assert (await line("GetProduction", production_id=made.id)).production == made
    await orders_fit(line, made)


async def orders_fit(line, made):
    """Only what can be made now is asked for, each with the clip that was quoted."""
    quote = (await line("GetQuote", quote_id=made.quote_id)).quote
    specs = {item.scene_id: item.spec for item in quote.items}
    said = {event.job_id: event for event in await line.crew.said(events_pb2.ClipRequested)}
    running = [job for job in made.jobs if job.state == job_pb2.Job.STATE_RUNNING]
    assert len(await line.crew.said()) == len(running)
    for job in running:
        event = said[job.id]
        assert (event.tenant_id, event.attempt, event.scene_id) == ("acme", 1, job.scene_id)
        assert (event.production_id, event.storyboard_id) == (made.id, made.storyboard_id)
        assert (event.quote_id, event.last_frame_wanted) == (made.quote_id, job.scene_number == 1)
        assert event.spec == specs[job.scene_id] == job.spec


async def test_a_repeated_request_is_the_same_production_for_ever(line, clock):
    order = await line.order(CUT)
    first = await line("CreateProduction", **order)
    clock.forward(hours=1)
    again = await line("CreateProduction", **order)
    assert again.production.id == first.production.id, "even when its quote is long dead"
    assert [job.id for job in again.production.jobs] == [job.id for job in first.production.jobs]
    assert len(await line.crew.said()) == 1


async def test_a_request_id_belongs_to_one_body(line):
    order = await line.order(CUT)
    await line("CreateProduction", **order)
    info = await refusals.refused(
        line("CreateProduction", **order | {"revision": 2}), grpc.StatusCode.FAILED_PRECONDITION
    )
    assert (info.reason, info.domain) == ("REQUEST_ID_REUSED", "job.rushes")
    assert dict(info.metadata) == {"request_id": order["request_id"]}


async def test_fifty_at_once_are_one(line):
    order = await line.order(CUT, LAST_FRAME, CUT)
    answers = await asyncio.gather(*(line("CreateProduction", **order) for _ in range(50)))
    assert len({answer.production.id for answer in answers}) == 1
    assert {len(answer.production.jobs) for answer in answers} == {3}
    assert len((await line("ListProductions")).productions) == 1
    assert len(await line.crew.said()) == 2


async def test_of_two_bodies_at_once_one_wins(line):
    order = await line.order(CUT)
    other = order | {"quote_id": (await line.order(CUT))["quote_id"]}
    answers = await asyncio.gather(
        *(line("CreateProduction", **one) for one in (order, other) * 3), return_exceptions=True
    )
    assert len([one for one in answers if not isinstance(one, BaseException)]) == 3
    assert len((await line("ListProductions")).productions) == 1


async def test_a_quote_lasts_a_quarter_of_an_hour(line, clock):
    order = await line.order(CUT)
    clock.forward(minutes=15)
    info = await refusals.refused(line("CreateProduction", **order), grpc.StatusCode.FAILED_PRECONDITION)
    assert info.reason == "QUOTE_EXPIRED"
    assert dict(info.metadata) == {"quote_id": order["quote_id"]}
    clock.forward(seconds=-1)
    await line("CreateProduction", **order)


async def test_a_quote_fits_one_revision(line):
    order = await line.order(CUT, CUT)
    board = (await line("GetStoryboard", storyboard_id=order["storyboard_id"])).storyboard
    board.scenes[1].action = "burns"
    await line("UpdateStoryboard", storyboard=board, update_mask={"paths": ["scenes"]})
    changed = line("CreateProduction", **order | {"revision": 2})
    info = await refusals.refused(changed, grpc.StatusCode.FAILED_PRECONDITION)
    assert info.reason == "QUOTE_CHANGED"
    assert dict(info.metadata) == {"quote_id": order["quote_id"]}
    assert (await line("CreateProduction", **order)).production.revision == 1


async def test_a_quote_fits_no_board_without_scenes(line):
    order = await line.order(CUT)
    empty = await line.board()
    call = line("CreateProduction", **order | {"storyboard_id": empty.id})
    assert (await refusals.refused(call, grpc.StatusCode.FAILED_PRECONDITION)).reason == "QUOTE_CHANGED"


async def test_no_such_quote_or_storyboard(line):
    order = await line.order(CUT)
    for quote_id in (ids.new("quote"), "nonsense", "nul\x00", "long" * 500):
        call = line("CreateProduction", **order | {"quote_id": quote_id})
        info = await refusals.refused(call, grpc.StatusCode.NOT_FOUND)
        assert (info.reason, info.domain) == ("QUOTE_NOT_FOUND", "job.rushes")
    for change in ({"storyboard_id": ids.new("sb")}, {"revision": 7}, {"storyboard_id": "?"}):
        wrong = order | change
        info = await refusals.refused(line("CreateProduction", **wrong), grpc.StatusCode.NOT_FOUND)
        assert info.reason == "STORYBOARD_NOT_FOUND"
        assert dict(info.metadata) == {"storyboard_id": wrong["storyboard_id"], "revision": str(wrong["revision"])}
    assert not await line.crew.said()


async def test_what_is_another_tenant_s_cannot_be_filmed(line):
    order = await line.order(CUT)
    info = await refusals.refused(line("CreateProduction", "other", **order), grpc.StatusCode.NOT_FOUND)
    assert info.reason == "QUOTE_NOT_FOUND"
    board = await line.board(CUT, tenant="other")
    theirs = await line.quote(board, tenant="other")
    info = await refusals.refused(
        line("CreateProduction", "other", **order | {"quote_id": theirs.id}), grpc.StatusCode.NOT_FOUND
    )
    assert info.reason == "STORYBOARD_NOT_FOUND"
    mine = line("CreateProduction", "other", **order | {"quote_id": theirs.id, "storyboard_id": board.id})
    assert (await mine).production.id, "a request_id is a tenant's own"


async def test_everything_that_is_missing_is_named_at_once(crew):
    assert set(await refusals.violations(crew("CreateProduction"))) == {
        "request_id",
        "storyboard_id",
        "revision",
        "quote_id",
    }
    whole = {"request_id": str(uuid.uuid4()), "storyboard_id": "sb_1", "revision": 1, "quote_id": "quote_1"}
    for field, wrong in {"request_id": "one", "revision": -1, "quote_id": "", "storyboard_id": ""}.items():
        assert set(await refusals.violations(crew("CreateProduction", **whole | {field: wrong}))) == {field}


async def test_a_deleted_board_can_still_be_filmed(line):
    order = await line.order(CUT)
    await line("DeleteStoryboard", storyboard_id=order["storyboard_id"])
    assert (await line("CreateProduction", **order)).production.title == "The letter"
