"""Whoever may buy gets a provider with the key as it is now, and nobody else does."""

import asyncio
import dataclasses
import datetime

import pytest
import sqlalchemy as sa

from services.provider_gateway import credential_store, credentials, domain, keyring, providers, store, vault
from tests.integration.provider_gateway.credentials import keyhouse


async def test_a_key_is_not_deleted_while_it_is_needed(house: keyhouse.House) -> None:
    made = await house.install()
    submission = keyhouse.bought(made.id, domain.State.INTENT)
    async with house.database.house() as conn:
        await conn.execute(sa.insert(store.SUBMISSIONS).values(submission))
    assert await house.refused("Delete", credential_id=made.id) == ("FAILED_PRECONDITION", "CREDENTIAL_IN_USE")
    async with house.database.house() as conn:
        over = sa.update(store.SUBMISSIONS).values(state=domain.State.CANCELED_FREE)
        await conn.execute(over)
    await house("Delete", credential_id=made.id)


async def test_a_delete_waits_for_the_order_that_chooses_the_key(house: keyhouse.House) -> None:
    made = await house.install()
    async with house.database.house() as conn:
        assert [one.name for one in await house.keyring.accounts(conn, "acme", "openai")] == [made.id]
        deleting = asyncio.create_task(house.refused("Delete", credential_id=made.id))
        done, _ = await asyncio.wait([deleting], timeout=0.3)
        assert not done
        await conn.execute(sa.insert(store.SUBMISSIONS).values(keyhouse.bought(made.id, domain.State.INTENT)))
    assert await deleting == ("FAILED_PRECONDITION", "CREDENTIAL_IN_USE")


async def test_rows_that_were_swapped_open_nothing(house: keyhouse.House) -> None:
    mine, theirs = await house.install(), await house("Create", "others", **keyhouse.wanted(key="canary-of-others"))
    stolen = (await house.row(theirs.id, "others")).sealed
    assert stolen
    await house.bend(mine.id, kek_id=stolen.kek_id, wrapped_key=stolen.wrapped_key, ciphertext=stolen.ciphertext)
    assert (await house.refused("Verify", credential_id=mine.id))[0] == "INTERNAL"
    provider = await house.keyring.provider(mine.id, "acme", buying=True)
    assert isinstance(provider, keyring.Nobody)
    assert isinstance(await provider.create(keyhouse.ORDER), providers.NotSent)
    with pytest.raises(providers.ProviderAway, match="damaged"):
        await provider.poll("job")


async def test_a_tenant_buys_with_its_own_keys_or_with_those_of_the_house(house: keyhouse.House) -> None:
    assert await house.accounts("sandbox-openai") == ["endpoint:sandbox-openai"]
    assert await house.configured() == {"sandbox-openai"}
    assert await house.key_of("endpoint:sandbox-openai") == "of the house"
    first = await house.install(endpoint="sandbox-openai", key="first-canary")
    second = await house.install(endpoint="sandbox-openai", key="second-canary")
    other = await house.install(endpoint="openai")
    assert await house.accounts("sandbox-openai") == [first.id, second.id]
    assert await house.configured() == {"sandbox-openai", "openai"}
    provider = await house.keyring.provider(first.id, "acme", buying=True)
    assert isinstance(provider, keyhouse.Shop)
    assert provider.endpoint.base_url == "http://127.0.0.1:1/v1"
    for one in (first, second, other):
        await house.update("state", id=one.id, state=keyhouse.DISABLED)
    assert await house.accounts("sandbox-openai") == ["endpoint:sandbox-openai"]
    assert await house.accounts("openai") == []
    assert await house.configured() == {"sandbox-openai"}


async def test_what_was_used_last_comes_last_and_what_is_refused_only_when_all_are(house: keyhouse.House) -> None:
    one, two, three = [await house.install() for _ in range(3)]
    assert await house.accounts() == [one.id, two.id, three.id]
    for account in (one.id, two.id, three.id):
        await house.key_of(account)
    async with house.database.house() as conn:
        await house.keyring.used(conn, one.id)
        await house.keyring.judged(conn, two.id, "Revoked.")
    assert await house.accounts() == [three.id, one.id]
    async with house.database.house() as conn:
        await house.keyring.judged(conn, one.id, "Revoked.")
        await house.keyring.judged(conn, three.id, "Revoked.")
    assert await house.accounts() == [two.id, three.id, one.id]
    assert (await house("Get", credential_id=two.id)).refusal == "Revoked."
    async with house.database.house() as conn:
        await house.keyring.judged(conn, two.id)
    shown = await house("Get", credential_id=two.id)
    assert (shown.refusal, shown.verify_time.ToDatetime(datetime.UTC)) == ("", keyhouse.NOW)
    assert shown.etag == two.etag


async def test_a_use_is_written_once_a_minute(house: keyhouse.House) -> None:
    made = await house.install()
    for seconds in (0, 10, 15):
        house.now = keyhouse.NOW + datetime.timedelta(seconds=seconds)
        async with house.database.house() as conn:
            await house.keyring.used(conn, made.id)
            await house.keyring.used(conn, "endpoint:sandbox-openai")
    minute = keyhouse.NOW.replace(second=0)
    assert (await house("Get", credential_id=made.id)).use_time.ToDatetime(datetime.UTC) == minute
    await house.bend(made.id, used_at=None)
    async with house.database.house() as conn:
        await house.keyring.used(conn, made.id)
    assert not (await house("Get", credential_id=made.id)).HasField("use_time")
    house.now = keyhouse.NOW + datetime.timedelta(seconds=30)
    async with house.database.house() as conn:
        await house.keyring.used(conn, made.id)
    assert (await house("Get", credential_id=made.id)).use_time.ToDatetime(datetime.UTC) == house.now


async def test_a_provider_is_kept_until_its_credential_changes(house: keyhouse.House) -> None:
    made = await house.install()
    provider = await house.keyring.provider(made.id, "acme")
    assert await house.keyring.provider(made.id, "acme", buying=True) is provider
    async with house.database.house() as conn:
        await house.keyring.used(conn, made.id)
    assert await house.keyring.provider(made.id, "acme", buying=True) is provider
    await house("Rotate", credential_id=made.id, key="another-canary-key")
    assert await house.key_of(made.id) == "another-canary-key"
    assert isinstance(provider, keyhouse.Shop)
    assert not provider.closed, "a call may be under way"
    await asyncio.sleep(0.01)
    await house.keyring.tend()
    assert provider.closed
    assert await house.key_of(made.id) == "another-canary-key"


async def test_a_disabled_key_finishes_what_it_has_bought(house: keyhouse.House) -> None:
    made = await house.install()
    assert await house.key_of(made.id) == keyhouse.CANARY
    await house.update("state", id=made.id, state=keyhouse.DISABLED)
    nobody = await house.keyring.provider(made.id, "acme", buying=True)
    assert isinstance(await nobody.create(keyhouse.ORDER), providers.NotSent)
    assert nobody.capabilities == keyhouse.OFFER.endpoints["openai"].capabilities
    assert await house.key_of(made.id, buying=False) == keyhouse.CANARY
    await house("Delete", credential_id=made.id)
    gone = await house.keyring.provider(made.id, "acme", buying=True)
    assert isinstance(await gone.create(keyhouse.ORDER), providers.NotSent)
    for ask in (
        gone.poll("job"),
        gone.check(),
        gone.poll_many(["job"]),
        gone.find(keyhouse.ORDER, keyhouse.NOW, keyhouse.NOW),
        gone.cancel("job"),
    ):
        with pytest.raises(providers.ProviderAway, match="deleted"):
            await ask
    with pytest.raises(providers.HintInvalid):
        await gone.hint({}, b"", keyhouse.NOW)


async def test_among_strangers_no_key_goes_to_a_private_address(opened: keyhouse.Open) -> None:
    friends = await opened(keyhouse.OLD)
    made = await friends.install(base_url="http://127.0.0.1:8000/v1")
    strangers = await opened(keyhouse.OLD, private=False)
    asked = keyhouse.wanted(base_url="http://127.0.0.1:8000/v1")
    assert await strangers.refused("Create", **asked) == ("INVALID_ARGUMENT", "BAD_REQUEST")
    assert await strangers.accounts() == []
    assert await strangers.key_of(made.id) is None
    assert await friends.accounts() == [made.id]


async def test_what_an_old_outer_key_wraps_is_wrapped_anew(opened: keyhouse.Open) -> None:
    old = await opened(keyhouse.OLD)
    made = [await old.install() for _ in range(3)]
    damaged = made[0]
    await old.bend(damaged.id, wrapped_key=b"x" * 60)
    both = await opened(keyhouse.OLD | keyhouse.NEW, "new")
    renamed, rotated = await both.row(made[1].id), await both.row(made[2].id)
    assert await both.keyring.tend() == 0
    again = vault.Secrets(vault.Secret("another-canary-key"), vault.Secret(""))
    async with both.database.tenant("acme") as conn:  # what was read before that is changed after it
        await credential_store.save(conn, renamed, dataclasses.replace(renamed, name="renamed"))
        after = credentials.sealed(credentials.rotated(rotated, keyhouse.NOW), again, old.vault)
        await credential_store.save(conn, rotated, after)
    async with both.database.house() as conn:
        assert await credential_store.count_by_kek(conn) == {"old": 2, "new": 1}
    assert await both.keyring.tend() == 0
    new = await opened(keyhouse.NEW)
    assert [await new.key_of(one.id) for one in made] == [None, keyhouse.CANARY, "another-canary-key"]
