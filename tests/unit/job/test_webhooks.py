"""Webhooks without a network: signatures, the schedule, resting and pausing, secrets, refused addresses."""

import base64
import datetime
import hashlib
import hmac
import json

import pytest

from rushes.job.v1 import webhook_pb2
from rushes.job.v1 import webhook_service_pb2 as pb
from services.job import webhook_wire, webhooks, wire

NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
KEYS = webhooks.Keys({"one": "k" * 32, "two": "l" * 32}, "two")
ENDPOINT = webhooks.Endpoint("whe_1", "acme", "https://a.example/", (), "", 1, "one", NOW, NOW)
DELIVERY = webhooks.Delivery(
    "whd_1", "acme", "whe_1", "job.succeeded", {"state": "SUCCEEDED", "job_id": "job_1", "version": 3},
    webhooks.DeliveryState.PENDING, NOW, NOW,
)  # fmt: skip


def attempt(status=None, fault="", at=NOW):
    return webhooks.Attempt(at, status, fault, 20)


def test_a_signature_is_what_the_specification_says():
    secret = KEYS.secret(ENDPOINT)
    sent = webhooks.body(DELIVERY)
    headers = webhooks.headers(DELIVERY, sent, [secret], NOW)
    shown = webhooks.shown(secret)
    key = base64.b64decode(shown.removeprefix("whsec_"))
    assert 24 <= len(key) <= 64
    message = b"whd_1." + headers["webhook-timestamp"].encode() + b"." + sent
    mark = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    assert headers == {"webhook-id": "whd_1", "webhook-timestamp": "1795176000", "webhook-signature": f"v1,{mark}"}


def test_a_body_is_thin_and_the_same_at_each_attempt():
    again = webhooks.Delivery(**{**vars_of(DELIVERY), "data": dict(reversed(DELIVERY.data.items())), "attempts": 5})
    assert webhooks.body(again) == webhooks.body(DELIVERY)
    assert json.loads(webhooks.body(DELIVERY)) == {
        "type": "job.succeeded",
        "timestamp": "2026-11-20T12:00:00.000Z",
        "data": {"job_id": "job_1", "state": "SUCCEEDED", "version": 3},
    }


def vars_of(value):
    return {name: getattr(value, name) for name in value.__slots__}


def test_a_delivery_is_tried_for_days_and_then_has_failed():
    delivery, at, waits = DELIVERY, NOW, []
    while delivery.state is webhooks.DeliveryState.PENDING:
        delivery = webhooks.tried(delivery, attempt(503, at=at), 0.0)
        waits.append((delivery.due_at - at).total_seconds())
        at = delivery.due_at
    assert delivery.state is webhooks.DeliveryState.FAILED
    assert delivery.attempts == len(webhooks.SCHEDULE_S) + 1
    assert [round(wait) for wait in waits[:-1]] == list(webhooks.SCHEDULE_S)
    assert datetime.timedelta(days=3) < at - NOW < datetime.timedelta(days=4)


def test_what_failed_together_does_not_come_back_together():
    waits = [(webhooks.tried(DELIVERY, attempt(500), chance).due_at - NOW).total_seconds() for chance in (0, 0.5, 1)]
    assert waits == [5.02, 5.52, 6.02]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_delivered(status):
    assert webhooks.tried(DELIVERY, attempt(status), 0).state is webhooks.DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [100, 199, 301, 302, 308, 400, 404, 429, 500, None])
def test_everything_else_is_tried_again(status):
    after = webhooks.tried(DELIVERY, attempt(status, "" if status else "timeout"), 0)
    assert (after.state, after.tries) == (webhooks.DeliveryState.PENDING, 1)


def test_an_endpoint_that_fails_rests_longer_and_longer_and_not_for_ever():
    endpoint, rests = ENDPOINT, []
    for _ in range(12):
        endpoint = webhooks.answered(endpoint, attempt(None, "timeout"))
        rests.append(round((endpoint.resting_until - NOW).total_seconds()) if endpoint.resting_until else 0)
    assert rests == [0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    well = webhooks.answered(endpoint, attempt(204))
    assert (well.failures, well.failing_since, well.resting_until) == (0, None, None)
    assert webhooks.answered(well, attempt(204)) is well


def test_an_endpoint_that_is_dead_for_days_is_paused_and_says_why():
    failing = webhooks.answered(ENDPOINT, attempt(500))
    late = webhooks.answered(failing, attempt(500, at=NOW + datetime.timedelta(days=2)))
    assert late.state is webhooks.EndpointState.ENABLED
    dead = webhooks.answered(late, attempt(None, "timeout", at=NOW + datetime.timedelta(days=3)))
    assert (dead.state, dead.pause) == (webhooks.EndpointState.PAUSED, webhooks.Pause.FAILING)
    assert "2026-11-20 12:00" in dead.pause_note
    assert "timeout" in dead.pause_note
    again = webhooks.switched(dead, webhooks.EndpointState.ENABLED)
    assert (again.pause, again.pause_note, again.failing_since) == (webhooks.Pause.NOTHING, "", None)


def test_an_endpoint_that_is_gone_is_paused_at_once():
    gone = webhooks.answered(ENDPOINT, attempt(410))
    assert (gone.state, gone.pause) == (webhooks.EndpointState.PAUSED, webhooks.Pause.GONE)
    assert gone.version == ENDPOINT.version + 1


def test_secrets_are_of_one_endpoint_one_version_and_one_key():
    made = [KEYS.secret(ENDPOINT)]
    for change in ({"id": "whe_2"}, {"tenant_id": "other"}, {"secret_version": 2}, {"key_id": "two"}):
        made.append(KEYS.secret(webhooks.Endpoint(**vars_of(ENDPOINT) | change)))
    assert len(set(made)) == 5
    with pytest.raises(webhooks.WebhooksOff):
        KEYS.secret(webhooks.Endpoint(**vars_of(ENDPOINT) | {"key_id": "lost"}))
    assert "k" * 32 not in repr(KEYS)


def test_for_a_day_the_secret_before_signs_too():
    rotated = webhooks.rotated(ENDPOINT, 1, "two", NOW)
    assert rotated.secret_version == 2
    assert KEYS.secrets(rotated, NOW) == [KEYS.secret(rotated), KEYS.secret(ENDPOINT)]
    assert KEYS.secrets(rotated, NOW + webhooks.BOTH_SIGN_FOR) == [KEYS.secret(rotated)]
    assert webhooks.rotated(rotated, 1, "two", NOW + datetime.timedelta(minutes=9)) is rotated
    for replaced, at in ((1, NOW + webhooks.SHOWN_FOR), (3, NOW), (0, NOW)):
        with pytest.raises(webhooks.WebhookEndpointStale):
            webhooks.rotated(rotated, replaced, "two", at)
    with pytest.raises(webhooks.WebhookEndpointStale):
        webhooks.rotated(ENDPOINT, 0, "two", NOW)


def faults(url="https://a.example/", private=False, **more):
    request = pb.CreateWebhookEndpointRequest(
        request_id="1b6f4f5e-3d55-4b0e-8b3e-0c5b9b1a8a11", webhook_endpoint=webhook_pb2.WebhookEndpoint(url=url, **more)
    )
    try:
        webhook_wire.check_create(request, private)
    except wire.BadRequest as fault:
        return [one.field.removeprefix("webhook_endpoint.") for one in fault.violations]
    return []


@pytest.mark.parametrize(
    "url",
    """http://a.example/ ftp://a.example/ https:// https://me@a.example/ https://me:word@a.example/ https://127.0.0.1/
    https://10.0.0.1/ https://[::1]/ https://0x7f.1/ https://2130706433/ https://localhost/ https://db.internal/
    https://169.254.169.254/latest https://[fd00:ec2::254]/ https://a.example/#part https://192.168.1.1:8443/
    https://[::ffff:10.0.0.1]/ not-an-address""".split(),
)
def test_an_address_that_nothing_is_sent_to(url):
    assert faults(url) == ["url"]


@pytest.mark.parametrize("url", ["https://169.254.169.254/", "http://[fd00:ec2::254]/", "http://2852039166/"])
def test_where_clouds_tell_secrets_nothing_is_sent_even_at_home(url):
    assert faults(url, private=True) == ["url"]
    assert faults("http://10.0.0.1:8080/hook?of=us", private=True) == []


def test_event_types_are_those_that_are_said():
    assert faults(event_types=["job.*", "production.succeeded", "job.failed"]) == []
    assert faults(event_types=["film.completed"]) == ["event_types"]
    assert faults(concurrency=11, description="x" * 201) == ["description", "concurrency"]
