"""What others see of a house: reflection, health, metrics, the whole line by hand, and errors that say what to do."""

import dataclasses
import datetime
import re
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from services.cli import environment, house
from tests.e2e import outsider

_INFO, _BAD_REQUEST = "google.rpc.ErrorInfo", "google.rpc.BadRequest"
_LISTS = {
    "storyboard": "ListStoryboards",
    "provider_gateway": "ListModels",
    "job": "ListProductions",
    "compiler": "ListFilms",
}
_HTTP_WITHIN_S = 10
_ID = re.compile(r'="[a-z]+_[0-9a-z]{26}"|="[0-9a-f]{8}-[0-9a-f]{4}-|@')


@pytest.fixture
def user(of: house.House, tmp_path: Path) -> outsider.Outsider:
    return outsider.Outsider(of, tmp_path, of.token.read_text().strip())


@pytest.fixture
def stranger(of: house.House, tmp_path: Path) -> outsider.Outsider:
    """Somebody of another tenant, whom the house's own issuer vouches for."""
    key: Any = serialization.load_pem_private_key((of.folder / "issuer.pem").read_bytes(), password=None)
    known = jwt.get_unverified_header(of.token.read_text().strip())["kid"]
    now = datetime.datetime.now(datetime.UTC)
    claims = {"iss": environment.ISSUER, "aud": environment.AUDIENCE, "sub": "bo", "tenant": "others"}
    more = {"roles": ["owner"], "iat": now, "exp": now + datetime.timedelta(minutes=10)}
    token = jwt.encode(claims | more, key, algorithm="EdDSA", headers={"kid": known})
    return outsider.Outsider(of, tmp_path, token)


def fetched(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}", timeout=_HTTP_WITHIN_S) as response:
        text: str = response.read().decode()
    return text


def refused(by: outsider.Outsider, service: str, method: str, /, **request: Any) -> outsider.Refusal:
    with pytest.raises(outsider.Refusal) as caught:
        by.call(service, method, **request)
    return caught.value


def board(**more: Any) -> dict[str, Any]:
    scenes = [{"title": "One", "subject": "A kite", "duration": "1s"}, {"subject": "A dog", "duration": "1s"}]
    return {"name": "By hand", "size": {"width": 640, "height": 360}, "scenes": scenes} | more


def quoted(user: outsider.Outsider, **more: Any) -> tuple[str, dict[str, Any]]:
    """The id of a new storyboard, and the request for its quote."""
    made = user.call("storyboard", "CreateStoryboard", request_id=str(uuid.uuid4()), storyboard=board(**more))
    storyboard_id = made["storyboard"]["id"]
    composed = user.call("storyboard", "ComposePrompts", storyboard_id=storyboard_id)
    items = [{"scene_id": one["sceneId"], "spec": one["spec"]} for one in composed["prompts"]]
    return storyboard_id, {"request_id": str(uuid.uuid4()), "items": items}


@pytest.mark.parametrize(("service", "name"), outsider.GRPC_SERVICES.items())
def test_a_service_shows_itself(of: house.House, user: outsider.Outsider, service: str, name: str) -> None:
    assert {name, "grpc.health.v1.Health"} <= set(user.services(service))
    for part in ("", name):
        assert user.call(service, "grpc.health.v1.Health/Check", service=part) == {"status": "SERVING"}
    refusal = refused(dataclasses.replace(user, token=""), service, _LISTS[service])
    assert (refusal.code, refusal.details[_INFO].reason) == ("unauthenticated", "TOKEN_MISSING")
    user.call(service, _LISTS[service])
    metrics = fetched(f"{of.address(f'{service}_metrics')}/metrics")
    for code in ("OK", "Unauthenticated"):
        labels = f'grpc_code="{code}",grpc_method="{_LISTS[service]}",grpc_service="{name}",grpc_type="unary"'
        assert f"grpc_server_handled_total{{{labels}}} " in metrics


@pytest.mark.parametrize("service", house.SERVICES)
def test_metrics_are_no_more_than_can_be_kept_and_no_label_is_an_id(of: house.House, service: str) -> None:
    shown = fetched(f"{of.address(f'{service}_metrics')}/metrics")
    series = [line for line in shown.splitlines() if line and not line.startswith("#")]
    assert len(series) < 3000
    assert [line for line in series if _ID.search(line)] == []


@pytest.mark.parametrize("service", house.HTTP_SERVICES)
def test_what_speaks_http_shows_itself(of: house.House, service: str) -> None:
    assert fetched(f"{of.address(service)}/healthz")
    assert "rushes_" in fetched(f"{of.address(f'{service}_metrics')}/metrics")


def test_a_production_by_hand(user: outsider.Outsider, stranger: outsider.Outsider) -> None:
    storyboard_id, asked = quoted(user)
    quote = user.call("provider_gateway", "CreateQuote", **asked)["quote"]
    order = {"storyboard_id": storyboard_id, "revision": 1, "quote_id": quote["id"], "request_id": str(uuid.uuid4())}
    production = user.call("job", "CreateProduction", **order)["production"]
    assert user.call("job", "CreateProduction", **order)["production"]["id"] == production["id"]
    news = user.stream("job", "WatchProduction", production_id=production["id"])
    assert news[0]["snapshot"]["id"] == production["id"]
    ended = news[-1].get("production") or news[-1]["snapshot"]
    assert (ended["state"], ended["cost"]) == ("STATE_SUCCEEDED", {"currency": "XTS", "micros": "200000"})
    film = user.call("compiler", "GetFilm", film_id=ended["filmId"])["film"]
    assert (film["state"], film["frames"]) == ("STATE_COMPLETED", "48")

    hidden = [
        ("storyboard", "GetStoryboard", {"storyboard_id": storyboard_id}, "STORYBOARD_NOT_FOUND"),
        ("provider_gateway", "GetQuote", {"quote_id": quote["id"]}, "QUOTE_NOT_FOUND"),
        ("job", "GetProduction", {"production_id": production["id"]}, "PRODUCTION_NOT_FOUND"),
        ("job", "WatchProduction", {"production_id": production["id"]}, "PRODUCTION_NOT_FOUND"),
        ("job", "CreateProduction", order, "QUOTE_NOT_FOUND"),
        ("compiler", "GetFilm", {"film_id": ended["filmId"]}, "FILM_NOT_FOUND"),
    ]
    for service, method, request, reason in hidden:
        refusal = refused(stranger, service, method, **request)
        assert (refusal.code, refusal.details[_INFO].reason) == ("not_found", reason)


def test_a_faulty_request_names_every_field(user: outsider.Outsider) -> None:
    faulty = refused(user, "job", "CreateProduction", request_id="seven", storyboard_id="sb_x")
    assert (faulty.code, faulty.details[_INFO].domain) == ("invalid_argument", "job.rushes")
    fields = {one.field: one.description for one in faulty.details[_BAD_REQUEST].field_violations}
    assert fields.keys() == {"request_id", "revision", "quote_id"}
    assert all(fields.values())


def test_a_model_that_was_switched_off_is_refused_with_its_successor(user: outsider.Outsider) -> None:
    _, asked = quoted(user, model="openai/sora-2")
    refusal = refused(user, "provider_gateway", "CreateQuote", **asked)
    info = refusal.details[_INFO]
    assert (refusal.code, info.reason, info.domain) == (
        "failed_precondition",
        "MODEL_RETIRED",
        "provider_gateway.rushes",
    )
    assert info.metadata["replacement"] == "google/gemini-omni-1.2-flash"
    assert "google/gemini-omni-1.2-flash" in refusal.message
