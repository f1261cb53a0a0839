"""What was decided stays as it was written down, or it is said where it did not."""

import hashlib

import grpc
import pytest
import sqlalchemy as sa

from libs import audit, auditors, auth, db, paging, rpc
from rushes.ops.v1 import audit_service_pb2 as pb
from rushes.ops.v1 import audit_service_pb2_grpc as pb_grpc
from tests.integration import refusals


class Books:
    """A service's audit: written by anybody, read by callers, and spoilt by an administrator of the database."""

    def __init__(self, place, door, issuer):
        self.place, self._issuer = place, issuer
        self._stub = pb_grpc.AuditServiceStub(door.channel)

    async def __call__(self, verb, tenant="acme", roles=("owner",), **fields):
        metadata = rpc.bearer(self._issuer.token(tenant, "ada", roles))
        return await getattr(self._stub, verb)(getattr(pb, f"{verb}Request")(**fields), metadata=metadata, timeout=10)

    async def verify(self, **known):
        return await self("VerifyAudit", "ops", ["operator"], **known)

    async def note(self, *targets, tenant="acme", subject="ada"):
        with auth.acting_as(auth.Caller(tenant, subject)):
            for target in targets:
                async with self.place.database.tenant(tenant) as conn:
                    await audit.note(
                        conn, tenant, "thing_done", target, limit_micros=7, why="ž \N{RIGHTWARDS ARROW} 'x'"
                    )

    async def spoil(self, statement):
        """As an administrator would: with the owner's rights, the triggers off."""
        owner = db.Database(self.place.owner_url)
        async with owner.house() as conn:
            off, on = (f"ALTER TABLE audit {word} TRIGGER USER" for word in ("DISABLE", "ENABLE"))
            for one in (off, *statement.split("; "), on):
                await conn.execute(sa.text(one))
        await owner.close()


@pytest.fixture
async def books(database, serve, issuer):
    place = await database("storyboard")
    return Books(place, await serve("test", auditors.servicer(place.database)), issuer)


async def test_an_entry_says_who_did_what_and_the_chain_holds(books):
    assert await books.verify() == pb.VerifyAuditResponse(last_hash="00" * 32)
    await books.note("one", "two")
    await books.note("three", tenant="other", subject="bo")
    newest, *_, oldest = (await books("ListAuditEntries", "ops", ["operator"])).audit_entries
    assert (oldest.position, oldest.tenant_id, oldest.actor, oldest.action) == (1, "acme", "ada", "thing_done")
    assert (newest.position, newest.tenant_id, newest.actor, newest.target) == (3, "other", "bo", "three")
    assert dict(oldest.facts) == {"limit_micros": "7", "why": "ž \N{RIGHTWARDS ARROW} 'x'"}
    verdict = await books.verify()
    assert verdict == pb.VerifyAuditResponse(entries=3, last_hash=newest.hash)
    assert await books.verify(known_position=1, known_hash=oldest.hash) == verdict


async def test_owners_see_their_own_and_only_operators_the_chain(books):
    await books.note("one", "two", "three")
    await books.note("four", tenant="other")
    first = await books("ListAuditEntries", page_size=2)
    rest = await books("ListAuditEntries", page_size=2, page_token=first.next_page_token)
    assert [one.target for page in (first, rest) for one in page.audit_entries] == ["three", "two", "one"]
    assert [one.position for one in (await books("ListAuditEntries", target="two")).audit_entries] == [2]
    assert not (await books("ListAuditEntries", "third")).audit_entries
    for made_up in ("x", ["x"], 1 << 70):
        token = paging.encode([made_up], "audit ")
        assert set(await refusals.violations(books("ListAuditEntries", page_token=token))) == {"page_token"}
    for verb, role in (("VerifyAudit", "owner"), ("ListAuditEntries", "editor")):
        call = books(verb, roles=[role])
        assert (await refusals.refused(call, grpc.StatusCode.PERMISSION_DENIED)).reason == "ROLE_MISSING"


@pytest.mark.parametrize(
    ("statement", "position", "fault"),
    [
        ("UPDATE audit SET facts = '{}' WHERE position = 3", 3, "it was changed"),
        ("UPDATE audit SET actor = 'bo' WHERE position = 1", 1, "it was changed"),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE position = 2", 2, "it was changed"),
        ("UPDATE audit SET tenant_id = 'a', actor = 'cmeada' WHERE position = 2", 2, "it was changed"),
        ("DELETE FROM audit WHERE position = 2", 2, "the next entry that is there is 3"),
        ("DELETE FROM audit WHERE position = 1", 1, "the next entry that is there is 2"),
        ("UPDATE audit SET previous = sha256(hash) WHERE position = 4", 4, "it does not follow the entry before it"),
        (
            "DELETE FROM audit WHERE position = 2; UPDATE audit SET position = 2 WHERE position = 3; "
            "UPDATE audit SET position = 3 WHERE position = 4; UPDATE audit SET position = 4 WHERE position = 5",
            2,
            "it does not follow the entry before it",
        ),
    ],
)
async def test_whoever_changes_or_removes_an_entry_is_found_with_its_position(books, statement, position, fault):
    await books.note(*"abcde")
    await books.spoil(statement)
    verdict = await books.verify()
    assert (verdict.broken_position, verdict.fault, verdict.entries) == (position, fault, position - 1)


async def test_a_chain_that_is_shorter_or_another_is_found_by_what_was_seen_before(books, caplog):
    with caplog.at_level("INFO"):
        await books.note(*"abcde")
    seen = {record.position: record.hash for record in caplog.records if record.message == "audited"}
    await books.spoil("DELETE FROM audit WHERE position > 3")
    assert not (await books.verify()).fault
    verdict = await books.verify(known_position=5, known_hash=seen[5])
    assert (verdict.broken_position, verdict.fault) == (4, "the end of the chain is missing")
    await books.note("other d", "other e")
    verdict = await books.verify(known_position=5, known_hash=seen[5])
    assert (verdict.broken_position, verdict.fault) == (5, "it is not the entry that was seen here before")
    wrong = await refusals.violations(books.verify(known_position=-1, known_hash="0g"))
    assert set(wrong) == {"known_position", "known_hash"}


@pytest.mark.parametrize("role", ["url", "owner_url"])
async def test_the_database_takes_nothing_back(books, role):
    await books.note("one")
    spoiler = db.Database(getattr(books.place, role))
    for statement in ("UPDATE audit SET actor = 'bo'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(sa.exc.DBAPIError, match=r"stays|denied"):
            async with spoiler.house() as conn:
                await conn.execute(sa.text(statement))
    await spoiler.close()
    assert (await books.verify()).entries == 1


async def test_a_service_cannot_write_its_own_chain(books):
    async with books.place.database.house() as conn:
        row = {"position": 99, "tenant_id": "acme", "at": sa.func.now(), "actor": "bo", "action": "thing_done"}
        row |= {"target": "x", "facts": "{}", "previous": b"x", "hash": hashlib.sha256(b"x").digest()}
        await conn.execute(sa.insert(audit.AUDIT).values(row))
    assert (await books.verify()).entries == 1


async def test_what_is_undone_is_not_written_down_and_leaves_no_gap(books):
    await books.note("one")
    with auth.acting_as(auth.Caller("acme", "ada")):
        async with books.place.database.tenant("acme") as conn:
            await audit.note(conn, "acme", "thing_done", "undone")
            await conn.get_transaction().rollback()
    await books.note("two")
    assert [one.target for one in (await books("ListAuditEntries")).audit_entries] == ["two", "one"]
    assert (await books.verify()).entries == 2
