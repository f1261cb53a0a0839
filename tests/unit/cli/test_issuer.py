import datetime
import json
from pathlib import Path

import jwt
import pytest

from services.cli import house, issuer

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
YEAR = datetime.timedelta(days=365)


@pytest.fixture
def home(tmp_path: Path) -> house.House:
    of = house.prepare(house.make_folder(tmp_path), print)
    issuer.prepare(of, NOW)
    return of


def test_the_token_says_who_the_person_is(home: house.House) -> None:
    [key] = json.loads((home.folder / "jwks.json").read_text())["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    token = home.token.read_text()
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    claims = jwt.decode(
        token,
        jwt.PyJWK(key),
        algorithms=["EdDSA"],
        audience="rushes",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert {name: claims[name] for name in ("iss", "sub", "tenant", "roles")} == {
        "iss": "rushes-local",
        "sub": "local",
        "tenant": "local",
        "roles": ["owner", "operator"],
    }
    assert claims["exp"] - claims["iat"] == YEAR.total_seconds()
    assert home.token.stat().st_mode & 0o077 == 0


def test_the_key_and_the_token_are_kept(home: house.House) -> None:
    before = home.token.read_text()
    issuer.prepare(home, NOW + datetime.timedelta(days=300))
    assert home.token.read_text() == before


def test_a_token_about_to_expire_is_renewed(home: house.House) -> None:
    before = home.token.read_text()
    issuer.prepare(home, NOW + datetime.timedelta(days=350))
    assert home.token.read_text() != before


@pytest.mark.parametrize(
    ("moment", "fault"),
    [(NOW, None), (NOW + 2 * YEAR, "has expired"), (NOW - YEAR, "clock of this machine went back")],
)
def test_the_token_at_a_moment(home: house.House, moment: datetime.datetime, fault: str | None) -> None:
    found = issuer.fault(home, moment)
    assert found is None if fault is None else found and fault in found


def test_a_foreign_token_is_replaced(home: house.House) -> None:
    home.token.write_text("nonsense")
    assert "does not fit" in (issuer.fault(home, NOW) or "")
    issuer.prepare(home, NOW)
    assert issuer.fault(home, NOW) is None
    home.token.unlink()
    assert "is missing" in (issuer.fault(home, NOW) or "")
