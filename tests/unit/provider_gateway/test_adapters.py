import datetime
import json
from typing import Any

import httpx2
import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, google, openai_videos

ENDPOINT = providers.Endpoint("there", "https://films.example/v1", "secret-key-1")
HOME = "https://films.example/v1/videos/job-1"
DATE = {"date": "Sat, 21 Nov 2026 10:00:00 GMT"}


def answered(status: int, body: Any = None, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.Response(
        status, headers={name.replace("_", "-"): said for name, said in headers.items()}, content=content
    )


ENVELOPE = {"error": {"message": "No such size.", "type": "invalid_request_error", "param": "size", "code": None}}


@pytest.mark.parametrize("status", [200, 201, 202])
def test_accepted_with_an_id(status: int) -> None:
    assert exchange.created(answered(status, {"id": "v1"}), "") == providers.Accepted("v1")
    assert exchange.created(answered(status, {"id": 17}), "") == providers.Accepted("17")


@pytest.mark.parametrize("status", [400, 402, 403, 404, 413, 422])
@pytest.mark.parametrize(
    "body",
    [
        ENVELOPE,
        [ENVELOPE],
        {"error": "No such size."},
        {"error": {"code": "No such size."}},
        {"detail": "No such size."},
        {"detail": [{"loc": ["body", "size"], "msg": "No such size."}]},
    ],
)
def test_rejected_in_an_envelope(status: int, body: Any) -> None:
    passing = status not in (400, 413, 422)  # those are about the order itself
    assert exchange.created(answered(status, body), "") == providers.Rejected("No such size.", passing=passing)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429])
@pytest.mark.parametrize(
    "body", [b"<html>Firewall</html>", b"", b"\xff", None, [], {}, {"error": {}}, {"message": "no"}]
)
def test_unknown_without_an_envelope(status: int, body: Any) -> None:
    assert isinstance(exchange.created(answered(status, body), ""), providers.Unknown)


@pytest.mark.parametrize("status", [301, 302, 307, 408, 409, 418, 425, 500, 502, 503, 504, 529])
def test_unknown_whatever_it_says(status: int) -> None:
    assert isinstance(exchange.created(answered(status, ENVELOPE), ""), providers.Unknown)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{", b"[" * 100_000, {}, {"id": ""}, {"id": " "}, {"id": "a\0"}, {"id": None}, [1]]
)
def test_unknown_without_an_id(body: Any) -> None:
    assert isinstance(exchange.created(answered(200, body), ""), providers.Unknown)


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"retry-after": "7"}, None, 7),
        ({"retry-after": "0"}, None, 1),
        ({"retry-after": "86400"}, None, 600),
        ({"retry-after": "9" * 400}, None, 600),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"} | DATE, None, 30),
        ({"retry-after": "Sat, 21 Nov 2026 09:00:00 GMT"} | DATE, None, 1),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, None, None),
        ({"retry-after": "soon"} | DATE, None, None),
        ({"retry-after": "-5"}, None, None),
        ({"retry-after-ms": "2500"}, None, 2.5),
        ({}, [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}], 34),
        ({}, [{"retryDelay": "9223372036854775807s"}], 600),
        ({}, ["nonsense", {"retryDelay": 5}], None),
        ({}, None, None),
    ],
)
def test_busy_says_when(headers: dict[str, str], details: Any, seconds: float | None) -> None:
    body = {"error": {"code": 429, "message": "Slow down.", "details": details}}
    outcome = exchange.created(httpx2.Response(429, headers=headers, json=body), "")
    assert outcome == providers.Rejected("Slow down.", retryable=True, retry_after_s=seconds, passing=True)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (httpx2.ConnectError("refused"), providers.NotSent),
        (httpx2.ConnectTimeout(""), providers.NotSent),
        (httpx2.PoolTimeout(""), providers.NotSent),
        (httpx2.ReadTimeout(""), providers.Unknown),
        (httpx2.WriteError(""), providers.Unknown),
        (httpx2.RemoteProtocolError(""), providers.Unknown),
        (TimeoutError(), providers.Unknown),
        (RuntimeError("https://films.example/?key=1"), providers.Unknown),
    ],
)
def test_lost(fault: Exception, outcome: type) -> None:
    wrapped = RuntimeError("wrapped by an SDK")
    wrapped.__cause__ = fault
    lost = exchange.lost(wrapped, "")
    assert isinstance(lost, outcome)
    assert exchange.lost(fault, "") == exchange.lost(fault, "")
    assert "films.example" not in lost.why


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bad key secret-key-1!", "Bad key …!"),
        ("Key sk-ab12****wxyz is wrong", "Key … is wrong"),
        ("see https://films.example/?sig=1 now", "see … now"),
        ("token eyJhbGciOiJIUzI1NiIsInR5cCI6 refused", "token … refused"),
        ("missing_required_parameter: size", "missing_required_parameter: size"),
        ("two\n\x1b[31m lines\ud800", "two [31m lines"),
        ("x " * 500, ("x " * 150).strip()),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert exchange.plain(text, ENDPOINT.key).strip() == shown


def read(job: dict[str, Any]) -> providers.PollOutcome:
    return openai_videos.read({"id": "job-1", **job}, ENDPOINT, HOME, 2.0)


@pytest.mark.parametrize(
    "status", ["queued", "pending", "submitted", "in_progress", "processing", "RUNNING", "new one", None]
)
def test_pending(status: str | None) -> None:
    assert read({"status": status}) == providers.Pending(2.0)


@pytest.mark.parametrize("status", ["completed", "succeeded", "success", "done"])
def test_done_is_fetched_with_the_key_at_home_only(status: str) -> None:
    bearer = {"Authorization": "Bearer secret-key-1"}
    assert read({"status": status}) == providers.Done(f"{HOME}/content", bearer)
    assert read({"status": status, "url": "/relative", "urls": []}) == providers.Done(f"{HOME}/content", bearer)
    assert read({"status": status, "url": "https://cdn.example/a.mp4"}) == providers.Done(
        "https://cdn.example/a.mp4", {}
    )
    assert read({"status": status, "urls": ["https://cdn.example/b"]}) == providers.Done("https://cdn.example/b", {})
    at_home = read({"status": status, "url": "https://films.example:443/c"})
    assert isinstance(at_home, providers.Done)
    assert at_home.headers == bearer
    for url in ["http://films.example/c", "https://films.example@evil.example/", "https://films.example.evil/"]:
        assert read({"status": status, "url": url}) == providers.Done(url, {})


@pytest.mark.parametrize(
    "expires_at", [1795255200, "1795255200", 1795255200.0, 1795255200000, "2026-11-21T10:00:00Z", "2026-11-21T10:00:00"]
)
def test_expires_at(expires_at: Any) -> None:
    done = read({"status": "completed", "expires_at": expires_at})
    assert isinstance(done, providers.Done)
    assert done.expires_at == datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)


@pytest.mark.parametrize("expires_at", [None, 0, -1, "tomorrow", [], 10**400, float("nan"), True and {}])
def test_no_usable_expires_at(expires_at: Any) -> None:
    done = read({"status": "completed", "expires_at": expires_at})
    assert isinstance(done, providers.Done)
    assert done.expires_at is None


@pytest.mark.parametrize(
    ("error", "message", "retryable"),
    [
        ({"code": "moderation_blocked", "message": "Not this."}, "Not this.", False),
        ({"code": "server_error", "message": "Try again."}, "Try again.", True),
        ({"code": 500, "message": "Out of memory."}, "Out of memory.", True),
        ({"code": 400}, "400", False),
        ({"code": ["odd"]}, "['odd']", False),
        ("Just words.", "Just words.", False),
        (None, "The provider does not say why.", False),
    ],
)
def test_failed(error: Any, message: str, retryable: bool) -> None:
    assert read({"status": "failed", "error": error}) == providers.Failed(message, retryable)


@pytest.mark.parametrize("status", ["cancelled", "canceled", "expired", "deleted"])
def test_ended(status: str) -> None:
    assert read({"status": status}) == providers.Failed(f"The provider ended the job as {status}.")


@pytest.mark.parametrize(("status", "outcome"), [(404, providers.Missing()), (429, providers.Pending(5.0))])
def test_poll_without_a_job(status: int, outcome: providers.PollOutcome) -> None:
    assert exchange.unread(answered(status, ENVELOPE, retry_after="5"), ENVELOPE, "") == outcome


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 500, 503])
def test_poll_without_an_answer(status: int) -> None:
    with pytest.raises(providers.ProviderAway):
        exchange.unread(answered(status, b"<html>"), None, "")


def order(**changes: Any) -> providers.Order:
    facts: dict[str, Any] = {
        "submission_id": "sub_01JD", "wire_model": "m", "prompt": "p", "negative_prompt": "",
        "seconds": 5, "width": 1280, "height": 720, "seed": None, "audio": True,
    }  # fmt: skip
    return providers.Order(**facts | changes)


def test_openai_form_holds_only_what_was_asked_for() -> None:
    assert openai_videos.fields(order()) == {"model": "m", "prompt": "p", "seconds": "5", "size": "1280x720"}
    more = openai_videos.fields(order(negative_prompt="rain", seed=0, audio=False))
    assert {name: more[name] for name in ("negative_prompt", "seed", "generate_sound")} == {
        "negative_prompt": "rain",
        "seed": "0",
        "generate_sound": "false",
    }


@pytest.mark.parametrize(
    ("width", "height", "aspect", "resolution"),
    [(640, 360, "16:9", "360p"), (720, 1280, "9:16", "720p"), (3840, 2160, "16:9", "4k"), (720, 720, "1:1", "720p")],
)
def test_google_body_names_shape_and_side(width: int, height: int, aspect: str, resolution: str) -> None:
    form = google.fields(order(width=width, height=height), None)["response_format"]
    assert (form["aspect_ratio"], form["resolution"], form["duration"]) == (aspect, resolution, "5s")
    assert form["delivery"] == "uri"


def interaction(status: str, *contents: Any, **more: Any) -> providers.PollOutcome:
    steps = [{"type": "user_input"}, "odd", {"type": "model_output", "content": list(contents)}]
    return google.read({"id": "v1_x", "status": status, "steps": steps, **more}, ENDPOINT, 2.0)


LINK = {"type": "video", "uri": "https://films.example/v1beta/files/x:download?alt=media", "mime_type": "video/mp4"}


def test_interaction() -> None:
    key = {"x-goog-api-key": "secret-key-1"}
    assert interaction("completed", {"type": "text", "text": "Here."}, LINK) == providers.Done(LINK["uri"], key)
    elsewhere = {"type": "video", "uri": "https://storage.example/x"}
    assert interaction("incomplete", elsewhere) == providers.Done("https://storage.example/x", {})
    for status in ("queued", "in_progress", "requires_action", "something new"):
        assert interaction(status) == providers.Pending(2.0)


def test_interaction_that_was_filtered() -> None:
    filtered = interaction("completed", {"type": "text", "text": "I cannot."})
    assert isinstance(filtered, providers.Failed)
    assert "filtered" in filtered.message
    assert filtered.charged is None


def test_interaction_with_the_clip_inside() -> None:
    inline = interaction("completed", {"type": "video", "data": "AAAA"})
    assert isinstance(inline, providers.Failed)
    assert inline.charged is True


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({"errors": [{"code": "internal", "message": "It broke."}]}, providers.Failed("It broke.", retryable=True)),
        ({"error": {"code": "blocked", "message": "Not this."}}, providers.Failed("Not this.")),
        ({"errors": "odd"}, providers.Failed("The provider ended the job as failed.")),
    ],
)
def test_interaction_that_failed(more: Any, failed: providers.Failed) -> None:
    assert interaction("failed", **more) == failed
