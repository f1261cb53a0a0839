"""Quotes, orders and news between protobuf and the domain."""

import dataclasses
import pathlib
import uuid
from datetime import UTC, timedelta

import pytest
from google.protobuf import duration_pb2
from hypothesis import given
from hypothesis import strategies as st

from rushes.job.v1 import events_pb2 as job_pb
from rushes.provider_gateway.v1 import events_pb2, provider_gateway_service_pb2, quote_pb2, submission_pb2
from rushes.type.v1 import clip_pb2, media_pb2, money_pb2
from services.provider_gateway import domain, wire
from tests.unit.provider_gateway import offers, test_domain

NOW, S = test_domain.NOW, domain.State
STILL = media_pb2.Blob(key="t/a/clips/x.last.png", content_type="image/png", size_bytes=5, sha256="cd" * 32)
CLIP = dataclasses.replace(test_domain.CLIP, last_frame=domain.Media(STILL.key, "image/png", 5, "cd" * 32))


def spec(**changes: object) -> clip_pb2.ClipSpec:
    base = {
        "model": "sandbox/reel-1",
        "prompt": "A lighthouse.",
        "duration": duration_pb2.Duration(seconds=4),
        "size": media_pb2.FrameSize(width=640, height=360),
        "audio": True,
        "seed": 7,
    }
    return clip_pb2.ClipSpec(**base | changes)


def item(of: clip_pb2.ClipSpec, scene_id: str = "scene_1", micros: int = 400_000) -> quote_pb2.QuoteItem:
    price = money_pb2.Money(currency="XTS", micros=micros)
    return quote_pb2.QuoteItem(scene_id=scene_id, spec=of, most_you_can_pay=price, digest=wire.spec_digest(of))


def asked(of: clip_pb2.ClipSpec) -> job_pb.ClipRequested:
    return job_pb.ClipRequested(tenant_id="tenant", job_id="job_1", scene_id="scene_1", quote_id="quote_1", spec=of)


def test_a_seam_may_add_frames_to_what_was_quoted() -> None:
    quoted = item(spec())
    for frames in ({}, {"first_frame": STILL}, {"last_frame": STILL}, {"first_frame": STILL, "last_frame": STILL}):
        event = asked(spec(**frames))
        assert wire.quoted_item({"scene_1": quoted}, event) is quoted
        assert event.spec == spec(**frames), "the order keeps its frames"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "sandbox/omni-1"},
        {"prompt": "A lighthouse!"},
        {"negative_prompt": "fog"},
        {"duration": duration_pb2.Duration(seconds=5)},
        {"duration": duration_pb2.Duration(seconds=4, nanos=1)},
        {"size": media_pb2.FrameSize(width=640, height=361)},
        {"seed": 8},
        {"seed": None},
        {"audio": False},
        {"references": [STILL]},
    ],
    ids=str,
)
def test_anything_else_was_not_quoted(change: dict[str, object]) -> None:
    with pytest.raises(domain.QuoteItemMissing):
        wire.quoted_item({"scene_1": item(spec())}, asked(spec(**change)))


def test_a_scene_that_is_not_in_the_quote() -> None:
    with pytest.raises(domain.QuoteItemMissing, match=r"quote_1.*scene_1"):
        wire.quoted_item({"scene_2": item(spec())}, asked(spec()))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_a_quote_is_the_sum_of_its_items_whatever_their_order(prices: list[int]) -> None:
    items = [item(spec(), f"scene_{number}", micros) for number, micros in enumerate(prices)]
    made = wire.quote("quote_1", items, True, [], NOW)
    assert made.most_you_can_pay == money_pb2.Money(currency="XTS", micros=sum(prices))
    assert made.digest == wire.quote("quote_2", items[::-1], True, [], NOW).digest
    assert made.expire_time.ToDatetime(UTC) - made.create_time.ToDatetime(UTC) == timedelta(minutes=15)
    other = [item(spec(seed=9), "scene_0", prices[0]), *items[1:]]
    assert wire.quote("quote_1", other, True, [], NOW).digest != made.digest


def test_a_quote_request_with_every_fault() -> None:
    one = quote_pb2.QuoteItem(scene_id="one")
    request = provider_gateway_service_pb2.CreateQuoteRequest(
        request_id="1", items=[one, one, quote_pb2.QuoteItem(), quote_pb2.QuoteItem()]
    )
    found = [violation.field for violation in wire.check_create_quote(request, "a")]
    assert found == ["request_id", "items[1].scene_id", "items[2].scene_id", "items[3].scene_id"]
    good = provider_gateway_service_pb2.CreateQuoteRequest(request_id=str(uuid.uuid4()), items=[one])
    assert not wire.check_create_quote(good, "a")


def test_stills_of_somebody_else_are_neither_quoted_nor_ordered() -> None:
    framed = spec(first_frame=STILL, last_frame=STILL, references=[STILL, STILL])
    request = provider_gateway_service_pb2.CreateQuoteRequest(
        request_id=str(uuid.uuid4()), items=[quote_pb2.QuoteItem(scene_id="one", spec=framed)]
    )
    fields = ["first_frame.key", "last_frame.key", "references[0].key", "references[1].key"]
    assert not wire.check_create_quote(request, "a")
    found = wire.check_create_quote(request, "aa")
    assert [violation.field for violation in found] == [f"items[0].spec.{field}" for field in fields]
    order = asked(framed)
    order.tenant_id = "aa"
    with pytest.raises(wire.BadRequest) as caught:
        wire.check_order(order)
    assert [violation.field for violation in caught.value.violations] == [f"spec.{field}" for field in fields]


def test_the_order_that_is_written_to_the_provider() -> None:
    at = test_domain.submission(spec=spec(negative_prompt="fog").SerializeToString())
    stills = pathlib.Path("first.png"), pathlib.Path("last.png")
    written = wire.order(at, stills, {"audio": "sound"}, "https://here/callbacks/sub_1/word")
    assert (written.submission_id, written.wire_model) == ("sub_1", "sandbox-reel-1")
    assert (written.prompt, written.negative_prompt, written.seconds) == ("A lighthouse.", "fog", 4)
    assert (written.width, written.height, written.seed, written.audio) == (640, 360, 7, True)
    assert (written.first_frame, written.last_frame) == stills
    assert (written.form, written.callback_url) == ({"audio": "sound"}, "https://here/callbacks/sub_1/word")
    for seed in (None, 0):
        other = test_domain.submission(spec=spec(seed=seed).SerializeToString())
        plain = wire.order(other, (None, None), {})
        assert (plain.seed, plain.first_frame, plain.callback_url) == (seed, None, None)


def test_the_frames_an_order_starts_and_ends_on() -> None:
    other = media_pb2.Blob(key="t/a/clips/y.last.png")
    framed = test_domain.submission(spec=spec(first_frame=STILL, last_frame=other).SerializeToString())
    assert wire.frame_keys(framed) == (STILL.key, other.key)
    assert wire.frame_keys(test_domain.submission(spec=spec().SerializeToString())) == ("", "")


def test_an_order_becomes_an_intent_with_its_account_and_what_was_asked() -> None:
    event = asked(spec(first_frame=STILL))
    made = wire.submission_of(event, item(spec(), micros=7), offers.REEL, "cred_1", "sub_9", "trace", NOW)
    assert (made.id, made.account, made.currency, made.reserved_micros) == ("sub_9", "cred_1", "XTS", 7)
    assert (made.endpoint, made.wire_model, made.traceparent) == ("sandbox-openai", "sandbox-reel-1", "trace")
    assert made.likeness == wire.likeness(event.spec, made.model) == wire.likeness(spec(), made.model), (
        "lists show no frames"
    )
    assert (made.state, made.next_action_at, made.turn, made.budgets) == (S.INTENT, NOW, 0, ())


TOLD = {S.PARKED, S.INTENT, S.ACCEPTED, S.UNKNOWN, S.PROVIDER_DONE}


@pytest.mark.parametrize("state", list(S))
def test_what_is_said_of_each_state(state: domain.State) -> None:
    at = test_domain.submission(state, clip=CLIP if state is S.STORED else None, cost_micros=400_000)
    said = wire.news(at)
    if state is S.STORED:
        assert isinstance(said, events_pb2.ClipStored)
        assert (said.duration.ToTimedelta(), said.size.width) == (timedelta(seconds=4), 1280)
        assert (said.last_frame, said.cost.micros) == (STILL, 400_000)
    elif state in TOLD:
        assert isinstance(said, events_pb2.SubmissionStateChanged)
        assert submission_pb2.Submission.State.Name(said.state) == f"STATE_{state}"
        assert (said.reason, said.HasField("retry_time")) == ("", False)
    else:
        assert said is None


def test_what_is_parked_tells_for_what_and_until_when() -> None:
    until = NOW + timedelta(minutes=5)
    said = wire.news(test_domain.submission(S.PARKED, fault=test_domain.NO_MONEY, next_action_at=until))
    assert isinstance(said, events_pb2.SubmissionStateChanged)
    assert (said.reason, said.message) == ("BUDGET_EXCEEDED", "The money is gone.")
    assert said.retry_time.ToDatetime(UTC) == until


def test_a_submission_as_callers_see_it() -> None:
    thumbnail = domain.Media("t/a/clips/x.thumb.jpg", "image/jpeg", 3, "ef" * 32)
    clip = dataclasses.replace(CLIP, thumbnail=thumbnail)
    stored = test_domain.submission(S.STORED, clip=clip, cancel_wanted_at=NOW, next_action_at=None, version=6)
    shown = wire.submission(stored)
    assert (shown.account, shown.storyboard_id, shown.scene_id) == ("endpoint:sandbox-openai", "sb_1", "scene_1")
    assert (shown.thumbnail.key, shown.clip.key) == (thumbnail.key, CLIP.media.key)
    assert (shown.cancel_time.ToDatetime(UTC), shown.version) == (NOW, 6)
    assert not any(shown.HasField(name) for name in ("retry_time", "error", "cost"))
    parked = wire.submission(test_domain.submission(S.PARKED, fault=test_domain.NO_MONEY))
    assert (parked.error.reason, parked.retry_time.ToDatetime(UTC)) == ("BUDGET_EXCEEDED", NOW)
    assert not any(parked.HasField(name) for name in ("thumbnail", "clip", "cancel_time", "send_time"))


@pytest.mark.parametrize("kind", list(domain.Learned))
def test_every_kind_of_evidence_has_its_name(kind: domain.Learned) -> None:
    shown = wire.evidence("sub_1", "evd_1", domain.Evidence(kind, NOW, "video_1", "note"))
    assert submission_pb2.Evidence.Kind.Name(shown.kind) == f"KIND_{kind}"
    assert (shown.id, shown.submission_id, shown.provider_job_id, shown.note) == ("evd_1", "sub_1", "video_1", "note")
    assert shown.create_time.ToDatetime(UTC) == NOW


@pytest.mark.parametrize("cost", [None, 0, 500_000])
def test_a_failure_tells_what_it_cost_if_that_is_known(cost: int | None) -> None:
    fault = domain.Fault("PROVIDER_FAILED", "It could not be made.", retryable=True)
    said = wire.news(test_domain.submission(S.PROVIDER_FAILED, fault=fault, cost_micros=cost))
    assert isinstance(said, events_pb2.SubmissionFailed)
    assert (said.reason, said.retryable, said.HasField("cost")) == ("PROVIDER_FAILED", True, cost is not None)
    assert said.cost.micros == (cost or 0)


def test_an_amount_that_is_not_there_stays_none() -> None:
    assert wire.money(None, "XTS") is None
