"""Keys go in through the contract, and never come out."""

import datetime
import hashlib
import json
import logging

import pytest
import sqlalchemy as sa

from rushes.provider_gateway.v1 import provider_gateway_service_pb2
from services.provider_gateway import credential_store, credentials
from tests.integration.provider_gateway.credentials import keyhouse


async def test_a_key_goes_in_and_never_comes_out(house: keyhouse.House) -> None:
    made = await house.install(webhook_secret="whsec_canary", settings={"project": "film"}, per_minute=5)
    assert (made.endpoint, made.state, made.key_version, made.key_hint) == ("openai", keyhouse.ENABLED, 1, "cdef")
    assert (made.has_webhook_secret, dict(made.settings), made.per_minute) == (True, {"project": "film"}, 5)
    assert await house("Get", credential_id=made.id) == made
    listed = await house("List")
    assert list(listed.credentials) == [made]
    assert "canary" not in f"{made} {listed} {await house.everything()}"
    assert await house.key_of(made.id) == keyhouse.CANARY


async def test_a_list_comes_in_pages_and_by_endpoint(house: keyhouse.House) -> None:
    made = [await house.install(endpoint=endpoint) for endpoint in ("openai", "gemini", "openai")]
    first = await house("List", page_size=2)
    rest = await house("List", page_size=2, page_token=first.next_page_token)
    assert [one.id for one in (*first.credentials, *rest.credentials)] == [one.id for one in reversed(made)]
    of_gemini = await house("List", endpoint="gemini")
    assert [one.id for one in of_gemini.credentials] == [made[1].id]


async def test_a_repeat_returns_the_same_and_another_request_is_refused(house: keyhouse.House) -> None:
    request = keyhouse.wanted(name="main")
    made = await house("Create", **request)
    assert (await house("Create", **request)).id == made.id
    for other in ({"key": "sk-canary-another"}, {"name": "other"}, {"webhook_secret": "whsec_canary"}):
        assert await house.refused("Create", **request | other) == ("FAILED_PRECONDITION", "REQUEST_ID_REUSED")
    said = provider_gateway_service_pb2.CreateCredentialRequest(**request).SerializeToString(deterministic=True)
    assert hashlib.sha256(said).hexdigest() not in await house.everything()
    await house("Delete", credential_id=made.id)
    assert await house.refused("Create", **request) == ("NOT_FOUND", "CREDENTIAL_NOT_FOUND")


async def test_names_are_unique_among_those_that_are_there(house: keyhouse.House) -> None:
    made = await house.install(name="main")
    other = await house.install(name="other")
    taken = ("FAILED_PRECONDITION", "CREDENTIAL_NAME_TAKEN")
    assert await house.refused("Create", **keyhouse.wanted(name="main")) == taken
    change = {"credential": {"id": other.id, "name": "main"}, "update_mask": {"paths": ["name"]}}
    assert await house.refused("Update", **change) == taken
    await house.install(name="main", endpoint="gemini")
    await house("Create", "others", **keyhouse.wanted(name="main"))
    await house("Delete", credential_id=made.id)
    assert (await house.install(name="main")).id != made.id


async def test_the_log_says_who_did_what_to_a_key(house: keyhouse.House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="services.provider_gateway.api.keys"):
        request = keyhouse.wanted(key="refused-canary-key")
        made = await house("Create", **request)
        await house("Create", **request)
        await house("Verify", credential_id=made.id)
        await house("Rotate", credential_id=made.id, key=keyhouse.CANARY)
        await house.update("name", id=made.id, name="b")
        await house("Delete", credential_id=made.id)
    said = [line.getMessage().removeprefix("credential_") for line in caplog.records]
    assert said == ["created", "refused", "rotated", "changed", "destroyed"]
    told = {
        tuple(vars(line)[name] for name in ("credential_id", "endpoint", "tenant_id", "by")) for line in caplog.records
    }
    assert told == {(made.id, "openai", "acme", "ada")}
    assert "canary" not in str([vars(line) for line in caplog.records])


async def test_an_endpoint_that_nobody_knows(house: keyhouse.House) -> None:
    assert await house.refused("Create", **keyhouse.wanted(endpoint="nowhere")) == ("NOT_FOUND", "ENDPOINT_NOT_FOUND")


async def test_a_change_needs_the_present_etag(house: keyhouse.House) -> None:
    made = await house.install()
    changed = await house.update("name", "per_minute", id=made.id, name="b", per_minute=7, etag=made.etag)
    assert (changed.name, changed.per_minute, changed.key_version) == ("b", 7, 1)
    assert changed.etag != made.etag
    mask = {"paths": ["name"]}
    stale = {"credential": {"id": made.id, "name": "c", "etag": made.etag}, "update_mask": mask}
    assert await house.refused("Update", **stale) == ("ABORTED", "CREDENTIAL_STALE")
    assert await house.refused("Rotate", credential_id=made.id, key=keyhouse.CANARY, etag=made.etag) == (
        "ABORTED",
        "CREDENTIAL_STALE",
    )
    assert (await house.update("name", id=made.id, name="c")).name == "c"


async def test_of_two_changes_at_once_one_wins(house: keyhouse.House) -> None:
    made = await house.install()
    before = await house.row(made.id)
    async with house.database.tenant("acme") as conn:
        await credential_store.save(conn, before, credentials.rotated(before, keyhouse.NOW))
    with pytest.raises(credentials.CredentialStale):
        async with house.database.tenant("acme") as conn:
            await credential_store.save(conn, before, credentials.deleted(before, keyhouse.NOW))


async def test_a_key_stays_with_its_server(house: keyhouse.House) -> None:
    made = await house.install(base_url="http://127.0.0.1:8000/v1")
    change = {
        "credential": {"id": made.id, "base_url": "http://127.0.0.1:9/v1"},
        "update_mask": {"paths": ["base_url"]},
    }
    assert await house.refused("Update", **change) == ("INVALID_ARGUMENT", "BAD_REQUEST")
    await house.update("base_url", id=made.id, base_url="http://127.0.0.1:8000/v2")
    provider = await house.keyring.provider(made.id, "acme", buying=True)
    assert isinstance(provider, keyhouse.Shop)
    assert provider.endpoint.base_url == "http://127.0.0.1:8000/v2"


async def test_rotation_keeps_the_id_and_what_is_not_replaced(house: keyhouse.House) -> None:
    made = await house.install(webhook_secret="whsec_canary")
    before = await house.row(made.id)
    house.now += datetime.timedelta(hours=1)
    after = await house("Rotate", credential_id=made.id, key="another-canary-key-wxyz", etag=made.etag)
    assert (after.id, after.key_version, after.key_hint, after.has_webhook_secret) == (made.id, 2, "wxyz", True)
    assert after.rotate_time.ToDatetime(datetime.UTC) == house.now
    row = await house.row(made.id)
    assert before.sealed
    assert row.sealed
    secrets = house.vault.open(row.sealed, row.facts)
    assert (secrets.key.reveal(), secrets.webhook_secret.reveal()) == ("another-canary-key-wxyz", "whsec_canary")
    assert row.sealed.wrapped_key != before.sealed.wrapped_key
    assert await house.key_of(made.id) == "another-canary-key-wxyz"


async def test_a_provider_is_asked_whether_it_takes_a_key(house: keyhouse.House) -> None:
    good, bad, away = [
        await house.install(key=key) for key in (keyhouse.CANARY, "refused-canary-key", "away-canary-key")
    ]
    assert (await house("Verify", credential_id=good.id)).verify_time.ToDatetime(datetime.UTC) == keyhouse.NOW
    refused = await house("Verify", credential_id=bad.id)
    assert (refused.refusal, refused.HasField("verify_time")) == ("No such key.", False)
    assert await house.refused("Verify", credential_id=away.id) == ("FAILED_PRECONDITION", "PROVIDER_UNREACHABLE")
    assert all(shop.closed for shop in house.made if shop.endpoint.key != "of the house")
    rotated = await house("Rotate", credential_id=bad.id, key=keyhouse.CANARY)
    assert rotated.refusal == ""
    assert rotated.etag != bad.etag
    assert good.etag == (await house("Get", credential_id=good.id)).etag


async def test_a_word_about_an_old_key_is_not_held_against_the_new_one(house: keyhouse.House) -> None:
    made = await house.install()
    before = await house.row(made.id)
    await house("Rotate", credential_id=made.id, key="another-canary-key")
    async with house.database.house() as conn:
        await credential_store.note_word(conn, before, "Revoked.", keyhouse.NOW)
    assert (await house("Get", credential_id=made.id)).refusal == ""


async def test_deleting_destroys_the_key_and_keeps_the_row(house: keyhouse.House) -> None:
    made = await house.install(name="main")
    await house("Delete", credential_id=made.id)
    for verb in ("Get", "Verify", "Delete"):
        assert await house.refused(verb, credential_id=made.id) == ("NOT_FOUND", "CREDENTIAL_NOT_FOUND")
    assert not (await house("List")).credentials
    table = credential_store.CREDENTIALS
    async with house.database.house() as conn:
        row = (await conn.execute(sa.select(table).where(table.c.id == made.id))).one()
    assert (row.name, row.state, row.deleted_at) == ("main", "DELETED", keyhouse.NOW)
    assert (row.kek_id, row.wrapped_key, row.ciphertext) == (None, None, None)
    with pytest.raises(sa.exc.IntegrityError):
        await house.bend(made.id, state="ENABLED")


async def test_another_tenant_sees_and_does_nothing(house: keyhouse.House) -> None:
    made = await house.install(name="main")
    missing = ("NOT_FOUND", "CREDENTIAL_NOT_FOUND")
    for verb in ("Get", "Verify", "Delete"):
        assert await house.refused(verb, tenant="others", credential_id=made.id) == missing
    assert await house.refused("Rotate", tenant="others", credential_id=made.id, key="k") == missing
    change = {"credential": {"id": made.id, "name": "a"}, "update_mask": {"paths": ["name"]}}
    assert await house.refused("Update", tenant="others", **change) == missing
    assert not (await house("List", "others")).credentials
    assert await house.accounts(tenant="others") == []
    assert await house.key_of(made.id, tenant="others") is None
    assert await house.key_of(made.id) == keyhouse.CANARY
    assert await house.key_of(made.id, tenant="others", buying=False) is None


async def test_without_its_keys_the_vault_is_locked_and_all_else_works(opened: keyhouse.Open) -> None:
    made = await (await opened(keyhouse.OLD)).install()
    locked = await opened({})
    shut = ("FAILED_PRECONDITION", "VAULT_LOCKED")
    assert await locked.refused("Create", **keyhouse.wanted()) == shut
    assert await locked.refused("Rotate", credential_id=made.id, key=keyhouse.CANARY) == shut
    assert await locked.refused("Verify", credential_id=made.id) == shut
    assert (await locked("Get", credential_id=made.id)).id == made.id
    assert (await locked.update("name", id=made.id, name="b")).name == "b"
    assert await locked.accounts() == []
    assert await locked.key_of(made.id) is None
    assert await locked.keyring.tend() == 0
    assert (await opened(keyhouse.OLD)).vault.kek_ids == {"old"}
    await locked("Delete", credential_id=made.id)


async def test_a_service_account_is_a_key_too(house: keyhouse.House) -> None:
    account = {"type": "service_account", "private_key": "-----BEGIN\ncanary\n"}
    made = await house.install(key=json.dumps(account, indent=2))
    key = await house.key_of(made.id)
    assert key
    assert "\n" not in key
    assert json.loads(key) == account
