"""The keys of a house of containers: made once, and each seen where it is needed."""

import datetime
import json

import pytest

from libs import blobs
from services.cli import gateway, house, issuer, keys

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
SERVICES = ("storyboard", "job", "provider_gateway", "compiler")


@pytest.fixture
def made(tmp_path):
    (tmp_path / "house").mkdir()
    keys.cut(tmp_path, NOW)
    return tmp_path


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_was_made_once_is_not_made_again(made):
    before = files(made)
    keys.cut(made, NOW + datetime.timedelta(days=100))
    assert files(made) == before


def test_a_token_about_to_expire_is_made_anew_by_the_same_key(made):
    before = files(made)
    keys.cut(made, NOW + datetime.timedelta(days=340))
    after = files(made)
    assert {name for name in after if after[name] != before[name]} == {"house/token", "person/token"}


def test_each_secret_is_seen_by_those_who_need_it_alone(made):
    secrets = json.loads((made / "house" / "secrets.json").read_text())
    seen = {
        name: {path.parent.name for path in made.rglob("*") if path.is_file() and secret in path.read_text()}
        - {"house"}
        for name, secret in secrets.items()
    }
    for service in SERVICES:
        assert seen[service] == {service, "migrate"}
        assert seen[f"{service}_owner"] == {"migrate"}
    for user in set(house.NATS_USERS) - {"operator"}:
        assert seen[f"nats_{user}"] == {"nats", user}
    assert (seen["nats_operator"], seen["postgres"]) == ({"nats"}, {"postgres", "migrate"})
    assert seen["callbacks"] == {"provider_gateway"}
    assert seen["webhooks"] == {"job"}
    assert all(seen[name] == {"provider_gateway"} for name in house.SANDBOX)
    assert "job" not in seen["s3"], "it has no business with media"


def test_the_command_finds_a_house_of_containers(made):
    of = gateway.running(made / "person")
    assert of.address("job") == "job:7003"
    assert issuer.fault(of, NOW) == f"{made / 'person' / 'jwks.json'} is missing"
    assert of.token.read_text() == (made / "house" / "token").read_text()


def test_addresses_of_media_are_signed_for_who_is_outside(made):
    store = blobs.open_store((made / "studio" / "blobs_url").read_text())
    assert store.sign("clips/a.mp4", 60, None, NOW).startswith("http://127.0.0.1:8333/rushes/clips/a.mp4?")
