import datetime
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, service_account, veo
from tests.unit.provider_gateway import desk as desks

NOW = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
SETTINGS = {"project": "films", "location": "us-central1", "bucket": "reels"}
MODEL = "projects/films/locations/us-central1/publishers/google/models/veo-3.1"
JOB = f"{MODEL}/operations/op-1"
CREATE, POLL = f"POST /v1beta1/{MODEL}:predictLongRunning", f"POST /v1beta1/{MODEL}:fetchPredictOperation"
OBJECTS = "GET /storage/v1/b/reels/o"
BEARER = {"Authorization": f"Bearer {desks.KEY}"}
ORDER = desks.order(wire_model="veo-3.1", seconds=8, width=1920, height=1080)

Build = Callable[..., veo.GoogleVeo]


@pytest.fixture
async def desk() -> AsyncIterator[desks.Desk]:
    async with desks.opened() as desk:
        yield desk


@pytest.fixture
async def build(desk: desks.Desk) -> AsyncIterator[Build]:
    made = list[veo.GoogleVeo]()

    def at(key: str = desks.KEY, **settings: str) -> veo.GoogleVeo:
        endpoint = providers.Endpoint("there", f"{desk.url}/", key, settings=SETTINGS | settings)
        made.append(veo.GoogleVeo(endpoint, providers.Capabilities()))
        return made[-1]

    yield at
    for seller in made:
        await seller.close()


async def test_an_order_is_one_post_with_a_folder_of_its_own(desk: desks.Desk, build: Build) -> None:
    desk.says(CREATE, {"name": JOB})
    assert await build().create(ORDER) == providers.Accepted(JOB)
    assert desk.only.headers["authorization"] == BEARER["Authorization"]
    assert desk.only.headers["x-client-request-id"] == "sub_01JD"
    assert desk.only.body == {
        "instances": [{"prompt": "A boat."}],
        "parameters": {
            "sampleCount": 1,
            "storageUri": "gs://reels/submissions/sub_01JD/",
            "durationSeconds": 8,
            "aspectRatio": "16:9",
            "resolution": "1080p",
            "generateAudio": True,
        },
        "labels": {"submission": "sub_01jd"},
    }


def test_a_body_holds_what_was_asked_for(tmp_path: Path) -> None:
    order = desks.order(width=2160, height=3840, seed=0, audio=False, negative_prompt="rain")
    first, last = {"bytesBase64Encoded": "AA==", "mimeType": "image/png"}, {"bytesBase64Encoded": "BB=="}
    body = veo.fields(order, "reels", first, last)
    assert body["instances"] == [{"prompt": "A boat.", "image": first, "lastFrame": last}]
    asked = {name: body["parameters"][name] for name in ("aspectRatio", "resolution", "generateAudio", "seed")}
    assert asked == {"aspectRatio": "9:16", "resolution": "4k", "generateAudio": False, "seed": 0}
    assert body["parameters"]["negativePrompt"] == "rain"
    assert veo.fields(order, "reels", None, last)["instances"] == [{"prompt": "A boat.", "lastFrame": last}]


@pytest.mark.parametrize("name", [None, 5, "", "operations/1", f"{JOB}/more", f"{MODEL}/operations/", "a?b"])
async def test_an_operation_without_a_proper_name_is_unknown(desk: desks.Desk, build: Build, name: Any) -> None:
    desk.says(CREATE, {"name": name})
    assert isinstance(await build().create(ORDER), providers.Unknown)


async def test_an_order_without_its_frame_or_its_settings_is_not_sent(desk: desks.Desk, build: Build) -> None:
    lost = await build().create(desks.order(first_frame=Path("/nowhere.png")))
    assert isinstance(lost, providers.NotSent)
    refused = await build(bucket="").create(ORDER)
    assert isinstance(refused, providers.Rejected)
    assert (refused.account, refused.message) == (True, "This endpoint needs the settings bucket.")
    with pytest.raises(providers.KeyRefused):
        await build(project="", location="").check()
    assert desk.asked == []


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"name": JOB}, providers.Pending()),
        ({"name": JOB, "done": False, "response": {}}, providers.Pending()),
        ({"done": True, "error": {"code": 14, "message": "Later."}}, providers.Failed("Later.", retryable=True)),
        ({"done": True, "error": {"code": 3, "message": "Not this."}}, providers.Failed("Not this.")),
    ],
)
def test_an_operation_goes_on_or_fails(told: dict[str, Any], outcome: providers.PollOutcome) -> None:
    assert veo.read(told, "", None) == outcome


@pytest.mark.parametrize(
    ("response", "charged", "said"),
    [
        ({"videos": [{"bytesBase64Encoded": "AAAA"}]}, True, "inside its answer"),
        (
            {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["You will not be charged."]},
            False,
            "not be charged",
        ),
        ({"raiMediaFilteredReasons": ["Support codes: 58061214"]}, None, "58061214"),
        ({"videos": []}, None, "without a video"),
        ({"videos": ["odd"]}, None, "without a video"),
        ("odd", None, "without a video"),
        (None, None, "without a video"),
    ],
)
def test_an_operation_ends_without_a_link(response: Any, charged: bool | None, said: str) -> None:
    outcome = veo.read({"done": True, "response": response}, "", None)
    assert isinstance(outcome, providers.Failed)
    assert (outcome.charged, outcome.retryable) == (charged, False)
    assert said in outcome.message


async def test_a_clip_is_fetched_from_the_bucket(desk: desks.Desk, build: Build) -> None:
    videos = [{"gcsUri": "gs://reels/submissions/sub_01JD/op 1/sample_0.mp4", "mimeType": "video/mp4"}]
    desk.says(POLL, {"name": JOB, "done": True, "response": {"videos": videos}})
    url = f"{desk.url}/storage/v1/b/reels/o/submissions%2Fsub_01JD%2Fop%201%2Fsample_0.mp4?alt=media"
    assert await build().poll(JOB) == providers.Done(url, BEARER)
    assert desk.only.body == {"operationName": JOB}


async def test_a_job_that_is_not_there_is_missing(desk: desks.Desk, build: Build) -> None:
    seller = build()
    assert await seller.poll(JOB) == providers.Missing()
    assert await seller.poll("operations/1") == providers.Missing()
    assert await seller.poll("gs://reels/submissions/sub_1/sample_0.mp4") == providers.Missing()


async def test_google_s_storage_is_elsewhere() -> None:
    endpoint = providers.Endpoint("there", "https://us-central1-aiplatform.googleapis.com", "key", settings=SETTINGS)
    seller = veo.GoogleVeo(endpoint, providers.Capabilities())
    assert seller.object_url("gs://b/c.mp4") == "https://storage.googleapis.com/storage/v1/b/b/o/c.mp4"
    await seller.close()


async def test_a_lost_order_is_found_by_its_folder(desk: desks.Desk, build: Build) -> None:
    clip = "submissions/sub_01JD/77/sample_0.mp4"
    desk.says(OBJECTS, {"kind": "storage#objects"})
    desk.says(OBJECTS, {"items": [{"name": clip}, {"name": "submissions/sub_01JD/77/notes.txt"}]})
    desk.says(f"GET /storage/v1/b/reels/o/{clip}", {"name": clip})
    seller = build()
    assert await seller.find(ORDER, NOW, NOW) == []
    assert await seller.find(ORDER, NOW, NOW) == [f"gs://reels/{clip}"]
    assert [asked.query for asked in desk.asked] == [{"prefix": "submissions/sub_01JD/"}] * 2
    url = f"{desk.url}/storage/v1/b/reels/o/{urllib.parse.quote(clip, safe='')}?alt=media"
    assert await seller.poll(f"gs://reels/{clip}") == providers.Done(url, BEARER)


@pytest.mark.parametrize(("body", "status"), [(b"<html>", 200), ({"items": [1]}, 200), ({"error": {}}, 403)])
async def test_what_is_no_bucket_proves_nothing(desk: desks.Desk, build: Build, body: Any, status: int) -> None:
    desk.says(OBJECTS, body, status)
    with pytest.raises(providers.ProviderAway):
        await build().find(ORDER, NOW, NOW)


async def test_a_probe_tells_whether_a_model_is_sold(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1beta1/publishers/google/models/veo-3.1", {"name": "publishers/google/models/veo-3.1"})
    desk.says("GET /v1beta1/publishers/google/models/veo-2.0", {"error": {"message": "Not found."}}, 404)
    desk.says("GET /v1beta1/publishers/google/models/veo-4", b"", 503)
    seller = build()
    assert await seller.probe("veo-3.1")
    assert not await seller.probe("veo-2.0")
    with pytest.raises(providers.ProviderAway):
        await seller.probe("veo-4")


async def test_a_check_looks_into_the_bucket(desk: desks.Desk, build: Build) -> None:
    desk.says(OBJECTS, {"kind": "storage#objects"})
    desk.says(OBJECTS, {"error": {"message": "No access."}}, 403)
    desk.says(OBJECTS, {"error": {"message": "No such bucket."}}, 404)
    seller = build()
    await seller.check()
    with pytest.raises(providers.KeyRefused):
        await seller.check()
    with pytest.raises(providers.ProviderAway, match="No such bucket"):
        await seller.check()


PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def account(token_uri: str, **changes: Any) -> str:
    """A service account's key as Google gives it out."""
    pem = PRIVATE.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    facts = {"type": "service_account", "client_email": "films@project.example", "private_key": pem}
    return json.dumps(facts | {"token_uri": token_uri} | changes)


async def test_a_service_account_s_key_is_exchanged_for_a_token(desk: desks.Desk, build: Build) -> None:
    uri = f"{desk.url}/token"
    desk.says("POST /token", {"access_token": "short-lived", "expires_in": 3600, "token_type": "Bearer"})
    desk.says(CREATE, {"name": JOB})
    seller = build(account(uri))
    assert await seller.create(ORDER) == providers.Accepted(JOB)
    assert await seller.create(ORDER) == providers.Accepted(JOB)
    exchanged, *creates = desk.asked
    form = dict(urllib.parse.parse_qsl(exchanged.content.decode()))
    claims = jwt.decode(form["assertion"], PRIVATE.public_key(), algorithms=["RS256"], audience=uri)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (claims["iss"], claims["exp"] - claims["iat"]) == ("films@project.example", 3600)
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert [asked.headers["authorization"] for asked in creates] == ["Bearer short-lived"] * 2


async def test_a_token_is_renewed_before_it_expires(desk: desks.Desk) -> None:
    now = 1_000_000.0
    desk.says("POST /token", {"access_token": "one", "expires_in": 3600})
    desk.says("POST /token", {"access_token": "two", "expires_in": 3600})
    wire = exchange.Wire()
    endpoint = providers.Endpoint("there", desk.url, account(f"{desk.url}/token"))
    tokens = service_account.Tokens(endpoint, wire, lambda: now)
    assert await tokens.headers() == {"Authorization": "Bearer one"}
    now += 3000
    assert await tokens.headers() == {"Authorization": "Bearer one"}
    now += 590
    assert await tokens.headers() == {"Authorization": "Bearer two"}
    await wire.close()


@pytest.mark.parametrize(
    "key",
    [
        "{not json",
        "{}",
        account("http://127.0.0.1:1/elsewhere"),
        account("https://oauth2.googleapis.com.evil.example/token"),
        account("file:///etc/passwd"),
        account("https://oauth2.googleapis.com/token", private_key="not a key"),
    ],
)
async def test_a_bad_service_account_is_told_of_and_nothing_is_sent(desk: desks.Desk, build: Build, key: str) -> None:
    seller = build(key)
    outcome = await seller.create(ORDER)
    assert isinstance(outcome, providers.Rejected)
    assert outcome.account
    with pytest.raises(providers.KeyRefused) as fault:
        await seller.check()
    with pytest.raises(providers.ProviderAway):
        await seller.poll(JOB)
    assert desk.asked == []
    assert "PRIVATE" not in f"{fault.value}{outcome.message}"


@pytest.mark.parametrize(
    ("status", "body", "create", "check"),
    [
        (400, {"error": "invalid_grant"}, providers.Rejected, providers.KeyRefused),
        (503, b"", providers.NotSent, providers.ProviderAway),
        (200, {"access_token": None}, providers.NotSent, providers.ProviderAway),
        (200, {"access_token": "two\nlines"}, providers.NotSent, providers.ProviderAway),
    ],
)
async def test_without_a_token_nothing_is_ordered(
    desk: desks.Desk, build: Build, status: int, body: Any, create: type, check: type[Exception]
) -> None:
    desk.says("POST /token", body, status)
    seller = build(account(f"{desk.url}/token"))
    assert isinstance(await seller.create(ORDER), create)
    with pytest.raises(check):
        await seller.check()
    assert {asked.path for asked in desk.asked} == {"/token"}
