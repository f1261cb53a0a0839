"""Productions and jobs between protobuf and the domain."""

import dataclasses
import hashlib
import uuid
from datetime import timedelta

import pytest
from google.protobuf import timestamp_pb2

from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import quote_pb2
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from rushes.type.v1 import clip_pb2, money_pb2
from services.job import domain, lifecycle, wire
from tests.unit.job import test_lifecycle

NOW, LATER = test_lifecycle.NOW, test_lifecycle.LATER
SPEC = clip_pb2.ClipSpec(model="sandbox/reel-1", prompt="A lighthouse.")


def composed(*seams: int) -> storyboard_service_pb2.ComposePromptsResponse:
    prompts = [
        storyboard_pb2.ComposedPrompt(
            scene_id=f"scene_{number}",
            title=f"Scene {number}",
            seam=seam,
            spec=SPEC,
            digest=f"digest {number}",
            caption=f"Caption {number}",
        )
        for number, seam in enumerate(seams, 1)
    ]
    return storyboard_service_pb2.ComposePromptsResponse(prompts=prompts)


def quote(count: int) -> quote_pb2.Quote:
    items = [
        quote_pb2.QuoteItem(
            scene_id=f"scene_{number}",
            digest=f"digest {number}",
            most_you_can_pay=money_pb2.Money(currency="XTS", micros=number * 100_000),
        )
        for number in range(count, 0, -1)  # a quote may name its scenes in any order
    ]
    return quote_pb2.Quote(id="quote_1", items=items)


def planned(*on_last_frame: bool) -> list[domain.Job]:
    jobs = test_lifecycle.planned(*on_last_frame)
    return [dataclasses.replace(job, spec=SPEC.SerializeToString()) for job in jobs]


def test_scenes_are_filmed_in_the_order_of_the_board_at_the_price_of_the_quote() -> None:
    found = wire.scenes(composed(clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME, clip_pb2.SEAM_SHARED_KEYFRAME))
    assert [(scene.scene_id, scene.seam, scene.digest) for scene in found] == [
        ("scene_1", domain.Seam.CUT, "digest 1"),
        ("scene_2", domain.Seam.LAST_FRAME, "digest 2"),
        ("scene_3", domain.Seam.SHARED_KEYFRAME, "digest 3"),
    ]
    assert [scene.caption for scene in found] == ["Caption 1", "Caption 2", "Caption 3"]
    assert {scene.spec for scene in found} == {SPEC.SerializeToString(deterministic=True)}
    assert {scene.model for scene in found} == {SPEC.model}
    assert wire.prices(quote(3), found) == {"scene_1": 100_000, "scene_2": 200_000, "scene_3": 300_000}
    assert wire.prices(quote(3), found[1:2]) == {"scene_2": 200_000}


def test_a_quote_fits_all_scenes_and_no_others() -> None:
    board = wire.scenes(composed(clip_pb2.SEAM_CUT, clip_pb2.SEAM_CUT))
    wire.check_quote_fits(quote(2), board)
    for unfit in (quote(1), quote(3), quote(0)):
        with pytest.raises(domain.QuoteChanged, match="quote_1"):
            wire.check_quote_fits(unfit, board)
    changed = quote(2)
    changed.items[0].digest = "another"
    with pytest.raises(domain.QuoteChanged):
        wire.check_quote_fits(changed, board)
    with pytest.raises(domain.QuoteChanged, match="quote_1"):
        wire.prices(changed, board)


def test_a_quote_lives_until_its_time_and_no_longer() -> None:
    until = timestamp_pb2.Timestamp()
    until.FromDatetime(NOW)
    wire.check_quote_alive(quote_pb2.Quote(expire_time=until), NOW - timedelta(microseconds=1))
    with pytest.raises(domain.QuoteExpired):
        wire.check_quote_alive(quote_pb2.Quote(expire_time=until), NOW)


def test_every_missing_field_is_named() -> None:
    with pytest.raises(wire.BadRequest) as fault:
        wire.check_create_production(job_service_pb2.CreateProductionRequest(request_id="x"))
    fields = [violation.field for violation in fault.value.violations]
    assert fields == ["request_id", "storyboard_id", "revision", "quote_id"]
    whole = job_service_pb2.CreateProductionRequest(
        request_id=str(uuid.uuid4()), storyboard_id="sb_1", revision=1, quote_id="quote_1"
    )
    wire.check_create_production(whole)
    assert wire.digest(whole) != wire.digest(job_service_pb2.CreateProductionRequest(quote_id="quote_1"))


def test_an_order_carries_the_frame_it_starts_on() -> None:
    first, second = planned(False, True)
    event = wire.clip_requested(test_lifecycle.PRODUCTION, first)
    assert (event.spec, event.last_frame_wanted, event.attempt) == (SPEC, True, 1)
    assert (event.tenant_id, event.storyboard_id, event.quote_id) == ("tenant", "sb_1", "quote_1")
    opened = wire.clip_requested(test_lifecycle.PRODUCTION, lifecycle.unlock(second, test_lifecycle.TAKE, LATER))
    assert opened.spec.first_frame.key == test_lifecycle.STILL.key
    opened.spec.ClearField("first_frame")
    assert opened.spec == SPEC


def test_the_film_is_cut_from_the_takes_in_scene_order() -> None:
    slots = [
        domain.Slot(
            "prod_1",
            "tenant",
            job.scene_number,
            job.scene_id,
            job.scene_title,
            0,
            domain.Action.MAKE,
            domain.Reason.NEW_SCENE,
            "take_1",
            caption,
        )
        for job, caption in zip(planned(False, False), ("", "Nobody came."), strict=True)
    ]
    take = dataclasses.replace(test_lifecycle.TAKE, model="sandbox/reel-1")
    event = wire.film_requested(test_lifecycle.PRODUCTION, [(slot, take, SPEC.SerializeToString()) for slot in slots])
    assert (event.request_id, event.edit_list.title) == ("prod_1", "The Letter")
    assert [(cut.scene_id, cut.take_id, cut.title) for cut in event.edit_list.cuts] == [
        ("scene_1", "take_1", "Scene 1"),
        ("scene_2", "take_1", "Scene 2"),
    ]
    assert [[caption.text for caption in cut.captions] for cut in event.edit_list.cuts] == [[], ["Nobody came."]]
    made_by = event.edit_list.cuts[0].provenance
    assert (made_by.provider, made_by.model) == ("sandbox", "sandbox/reel-1")
    assert made_by.prompt_sha256 == hashlib.sha256(b"A lighthouse.").hexdigest()
    assert made_by.create_time.ToDatetime(NOW.tzinfo) == NOW


@pytest.mark.parametrize("state", list(domain.JobState))
def test_a_job_shows_its_state_and_why_it_waits(state: domain.JobState) -> None:
    hold = domain.Hold.SEAM if state is domain.JobState.WAITING else domain.Hold.NOTHING
    shown = wire.job(dataclasses.replace(planned(False)[0], state=state, hold=hold))
    assert job_pb2.Job.State.Name(shown.state) == f"STATE_{state}"
    assert (shown.wait_reason == job_pb2.Job.WAIT_REASON_SEAM) is (state is domain.JobState.WAITING)
    assert not shown.HasField("cost")
    assert not shown.HasField("take")


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("BUDGET_EXCEEDED", job_pb2.Job.WAIT_REASON_BUDGET),
        ("SPENDING_STOPPED", job_pb2.Job.WAIT_REASON_SWITCH),
        ("SOMETHING_NEW", job_pb2.Job.WAIT_REASON_UNSPECIFIED),
    ],
)
def test_a_parked_job_shows_for_what_it_waits_and_until_when(reason: str, shown: int) -> None:
    fault = domain.Fault(reason, "Raise it.", {"retry_time": NOW.isoformat()})
    job = wire.job(dataclasses.replace(planned(False)[0], parked=fault, submission_state="PARKED"))
    assert (job.wait_reason, job.submission_state) == (shown, "PARKED")
    assert (job.parked.reason, job.parked.message) == (reason, "Raise it.")
    assert job.parked.metadata["retry_time"] == NOW.isoformat()
    assert not wire.job(planned(False)[0]).HasField("parked")


@pytest.mark.parametrize("state", list(domain.ProductionState))
def test_a_production_shows_its_state_and_its_progress_once_there_is_some(state: domain.ProductionState) -> None:
    production = dataclasses.replace(test_lifecycle.PRODUCTION, state=state)
    shown = wire.production(production, 7)
    assert job_pb2.Production.State.Name(shown.state) == f"STATE_{state}"
    assert (shown.cost.micros, shown.HasField("film_progress"), shown.HasField("end_time")) == (7, False, False)
    begun = wire.production(dataclasses.replace(production, film_progress=0.0, ended_at=LATER), 7)
    assert (begun.film_progress, begun.HasField("film_progress"), begun.HasField("end_time")) == (0.0, True, True)
