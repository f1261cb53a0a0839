"""What the gateway's database refuses, whoever asks: the rules of paid calls and of money."""

import itertools
import json

import pytest
import sqlalchemy as sa

from libs import ids
from rushes.job.v1 import events_pb2 as job_pb
from services.provider_gateway import callbacks, domain, evidence
from tests.integration.provider_gateway import conftest as house

S = domain.State


async def run(gateway, statement, tenant=None, **values):
    scope = gateway.database.tenant(tenant) if tenant else gateway.database.house()
    async with scope as conn:
        return (await conn.execute(sa.text(statement), values)).rowcount


async def refused(gateway, statement, match, **values):
    with pytest.raises(sa.exc.IntegrityError, match=match):
        await run(gateway, statement, **values)


@pytest.fixture
async def intents(gateway):
    """Two submissions of two jobs, nothing sent."""
    await gateway.hear(*await gateway.orders(house.spec(), house.spec("Fog.")))
    return await gateway.submissions()


async def test_every_forbidden_transition_is_refused(gateway, intents):
    one = intents[0]
    bend = "ALTER TABLE submissions {} TRIGGER transitions"
    owner = type(gateway.database)(gateway.place.owner_url)
    clip = "clip = '{}', provider_job_id = 'video_1', next_action_at = now()"
    for before, after in itertools.permutations(S, 2):
        async with owner.house() as conn:
            await conn.execute(sa.text(bend.format("DISABLE")))
            await conn.execute(sa.text(f"UPDATE submissions SET state = '{before}', {clip} WHERE id = '{one.id}'"))
            await conn.execute(sa.text(bend.format("ENABLE")))
            step = sa.text(f"UPDATE submissions SET state = '{after}' WHERE id = '{one.id}' RETURNING version")
            savepoint = await conn.begin_nested()
            if (before, after) in domain.TRANSITIONS:
                assert (await conn.execute(step)).rowcount == 1
            else:
                with pytest.raises(sa.exc.IntegrityError, match=f"cannot go from {before} to {after}"):
                    await conn.execute(step)
            await savepoint.rollback()
    await owner.close()


async def test_every_change_of_state_is_logged_for_ever(gateway, intents):
    one = intents[0]
    for state in ("SENDING", "INTENT", "SENDING", "UNKNOWN"):
        await gateway.change(one.id, state=state)
    async with gateway.database.house() as conn:
        log = await conn.execute(sa.text("SELECT version, state FROM submission_log ORDER BY version"))
        assert [tuple(row) for row in log] == [(2, "SENDING"), (3, "INTENT"), (4, "SENDING"), (5, "UNKNOWN")]
    assert (await gateway.submissions())[0].version == 5


async def test_a_job_asks_for_one_clip_at_a_time(gateway, intents):
    first, second = intents
    theft = "UPDATE submissions SET job_id = :job_id, attempt = :attempt WHERE id = :id"
    await refused(gateway, theft, "one_attempt", id=second.id, job_id=first.job_id, attempt=1)
    await refused(gateway, theft, "one_active", id=second.id, job_id=first.job_id, attempt=2)
    await gateway.change(first.id, state="CANCELED_FREE", next_action_at=None)
    assert await run(gateway, theft, id=second.id, job_id=first.job_id, attempt=2) == 1


async def test_what_is_parked_is_as_active_as_what_can_be_sent(gateway, intents):
    first, _ = intents
    park = """
        INSERT INTO submissions
        SELECT (jsonb_populate_record(s, CAST(:changes AS jsonb))).* FROM submissions s WHERE id = :id"""
    changes = {"id": ids.new("sub"), "attempt": 2, "state": "PARKED", "next_action_at": house.NOW.isoformat()}
    await refused(gateway, park, "one_active", id=first.id, changes=json.dumps(changes))
    await gateway.change(first.id, state="CANCELED_FREE", next_action_at=None)
    assert await run(gateway, park, id=first.id, changes=json.dumps(changes)) == 1


async def test_a_final_submission_is_never_touched_again(gateway, intents):
    one = intents[0].id
    await gateway.change(one, state="CANCELED_FREE", next_action_at=None)
    for change in ("tries = 9", "lease_owner = 'me'", "cost_micros = 1", "cancel_wanted_at = now()"):
        await refused(gateway, f"UPDATE submissions SET {change} WHERE id = :id", "does not change", id=one)
    assert await run(gateway, "UPDATE submissions SET tries = tries WHERE id = :id", id=one) == 1, "nothing changed"


async def test_what_was_learned_and_what_was_logged_is_only_ever_added_to(gateway, intents):
    one = intents[0]
    learned = domain.Evidence(domain.Learned.PERSON, house.NOW, "video_1", "I saw it.")
    async with gateway.database.house() as conn:
        await evidence.add(conn, [evidence.Piece(one, learned)])
    await gateway.change(one.id, state="SENDING")
    for table in ("evidence", "submission_log", "quotes", "ledger"):
        await refused(gateway, f"DELETE FROM {table}", "only ever added to")
        await refused(gateway, f"UPDATE {table} SET tenant_id = 'other'", "only ever added to")


async def test_a_provider_s_job_belongs_to_one_submission_of_its_account(gateway, intents):
    name = "UPDATE submissions SET provider_job_id = 'video_1' WHERE id = :id"
    await run(gateway, name, id=intents[0].id)
    await refused(gateway, name, "one_provider_id", id=intents[1].id)
    await gateway.change(intents[1].id, account="cred_1")
    assert await run(gateway, name, id=intents[1].id) == 1, "another account's names are its own"
    await refused(gateway, "UPDATE submissions SET provider_job_id = ''", "provider_job_id")


async def test_nothing_that_is_not_over_is_forgotten(gateway, intents):
    await refused(gateway, "UPDATE submissions SET next_action_at = NULL", "never_forgotten")
    sending = "UPDATE submissions SET state = 'SENDING', next_action_at = NULL WHERE id = :id"
    await refused(gateway, sending, "never_forgotten", id=intents[0].id)


async def test_what_is_accepted_has_a_name_and_what_is_stored_has_a_clip(gateway, intents):
    one = intents[0].id
    await gateway.change(one, state="SENDING")
    step = "UPDATE submissions SET state = '{}' WHERE id = :id"
    await refused(gateway, step.format("ACCEPTED"), "accepted_has_id", id=one)
    await gateway.change(one, state="ACCEPTED", provider_job_id="video_1")
    await gateway.change(one, state="PROVIDER_DONE")
    await gateway.change(one, state="FETCHING")
    await refused(gateway, step.format("STORED"), "stored_has_clip", id=one)


async def test_the_ledger_balances_and_settles_once(gateway, intents):
    line = """
        INSERT INTO ledger (id, tenant_id, currency, submission_id, kind, available, reserved, spent, suspense, at)
        VALUES (:id, 'acme', 'XTS', :submission_id, :kind, :available, -100000, 0, 0, now())"""

    def values(kind, available=100_000):
        return {"id": ids.new("entry"), "submission_id": intents[0].id, "kind": kind, "available": available}

    await refused(gateway, line, "balanced", **values("release", 99_999))
    await refused(gateway, line, "kind", **values("gift"))
    assert await run(gateway, line, **values("release")) == 1
    for kind in ("release", "commit"):
        await refused(gateway, line, "resolved_once", **values(kind))
    for account in ("limit", "reserved", "spent", "suspense"):
        await refused(gateway, f"UPDATE budgets SET {account}_micros = -1", f"{account}_micros")


async def test_every_table_that_names_a_tenant_is_guarded(gateway):
    open_ones = """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind = 'r' AND a.attname = 'tenant_id' AND NOT c.relrowsecurity"""
    async with gateway.database.house() as conn:
        assert list((await conn.execute(sa.text(open_ones))).scalars()) == []


async def test_no_tenant_reaches_another_s_rows(gateway, intents):
    one = intents[0]
    learned = domain.Evidence(domain.Learned.PERSON, house.NOW, "video_1", "I saw it.")
    heard = {"account": "a", "event_id": "e", "submission_id": one.id, "heard_at": house.NOW}
    async with gateway.database.house() as conn:
        await evidence.add(conn, [evidence.Piece(one, learned)])
        await conn.execute(sa.insert(callbacks.CALLBACKS).values(tenant_id="acme", **heard))
    await gateway.change(one.id, state="SENDING")
    await gateway.hear(job_pb.CancelRequested(tenant_id="acme", job_id=one.job_id))
    tables = "quotes budgets submissions submission_log ledger evidence callbacks cancellations".split()
    for table in tables:
        count = f"SELECT * FROM {table}"
        assert await run(gateway, count, tenant="other") == 0
        assert await run(gateway, count, tenant="acme") > 0
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        await run(gateway, "UPDATE submissions SET tenant_id = 'other'", tenant="acme")
