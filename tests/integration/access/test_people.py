"""People of a tenant: their roles count everywhere, the last owner stays, and who is removed is out."""

import asyncio
import datetime
import uuid

import grpc
import pydantic
import pytest
import sqlalchemy as sa

from libs import api_tokens, audit, auditors, rpc
from rushes.access.v1 import (
    people_service_pb2,
    people_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from rushes.ops.v1 import audit_service_pb2, audit_service_pb2_grpc
from rushes.type.v1 import access_pb2
from services.storyboard import guests
from services.storyboard.api import people, sessions, tokens
from tests.integration import refusals
from tests.integration.access import test_sessions
from tests.integration.access.test_tokens import Clock

VIEWER, EDITOR, OWNER = access_pb2.ROLE_VIEWER, access_pb2.ROLE_EDITOR, access_pb2.ROLE_OWNER
OPERATOR, NONE = access_pb2.ROLE_OPERATOR, access_pb2.ROLE_UNSPECIFIED
UNKNOWN, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
MISSING, WRONG = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
FORBIDDEN, STALE = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED
HOURS = datetime.timedelta(hours=12)
SERVICES = {
    people_service_pb2: people_service_pb2_grpc.PeopleServiceStub,
    session_service_pb2: session_service_pb2_grpc.SessionServiceStub,
    token_service_pb2: token_service_pb2_grpc.TokenServiceStub,
    audit_service_pb2: audit_service_pb2_grpc.AuditServiceStub,
}


class House:
    """The service that knows people, and another that asks it."""

    def __init__(self, place, keeping, listening, issuer, clock):
        self.place, self.issuer, self.clock = place, issuer, clock
        self._keeping, self._listening = keeping, listening
        self.ada = issuer.token("acme", "ada", ["owner"])
        self.bob = issuer.token("acme", "bob", ["editor"])

    async def __call__(self, verb, token=None, **fields):
        (contract,) = [one for one in SERVICES if hasattr(one, f"{verb}Request")]
        request = getattr(contract, f"{verb}Request")(**fields)
        metadata = rpc.bearer(self.ada if token is None else token) if token != "" else ()
        return await getattr(SERVICES[contract](self._keeping.channel), verb)(request, metadata=metadata, timeout=10)

    async def listen(self, method, token):
        return await test_sessions.Sessions.listen(self, method, token)

    async def sign_in(self, token=None, **more):
        return (await self("CreateSession", token, **more)).secret

    async def people(self, **more):
        """By subject."""
        return {one.subject: one for one in (await self("ListPeople", **more)).people}

    async def give(self, subject, role, token=None, etag=None):
        who = (await self.people(show_removed=True))[subject]
        asked = {"id": who.id, "given_role": role, "etag": who.etag if etag is None else etag}
        return (await self("UpdatePerson", token, person=asked, update_mask={"paths": ["given_role"]})).person

    async def remove(self, subject, token=None, **more):
        who = (await self.people(show_removed=True))[subject]
        return (await self("RemovePerson", token, person_id=who.id, **more)).person

    async def invite(self, name="Bea", role=EDITOR, token=None, **more):
        return await self("CreateInvitation", token, invitation={"name": name, "role": role, **more})

    async def redeem(self, ticket):
        return await self("RedeemTicket", "", ticket=ticket, device="Firefox on Linux")

    async def api_token(self, role, token=None):
        asked = {"name": "nightly", "role": role}
        return (await self("CreateApiToken", token, request_id=str(uuid.uuid4()), api_token=asked)).secret

    async def noted(self):
        """Actions of the audit, oldest first."""
        entries = (await self("ListAuditEntries")).audit_entries
        return [one.action for one in reversed(entries)]


@pytest.fixture
async def house(database, serve, issuer):
    place, clock = await database("storyboard"), Clock()
    visitors = guests.Reception(pydantic.SecretStr("g" * 32))
    porter, keeper = sessions.SessionApi(place.database, clock, visitors, HOURS), tokens.TokenApi(place.database, clock)
    roll, audits = people.PeopleApi(place.database, clock), auditors.servicer(place.database)
    # It remembers for half a minute, as the others do: what gives access has to ask all the same.
    known = porter.knowing(keeper.knowing(guests.Verifier(issuer.verifier(), visitors, clock)))
    served = (porter.servicer(), keeper.servicer(), roll.servicer(), audits)
    keeping = await serve("storyboard", *served, verifier=known)
    asking = api_tokens.asking(f"127.0.0.1:{keeping.server.port}")
    believed = api_tokens.Verifier(issuer.verifier(), asking, clock.seconds)
    listening = await serve("test", rpc.Servicer(test_sessions.add, None, test_sessions.NAME), verifier=believed)
    return House(place, keeping, listening, issuer, clock)


async def refused(call, code):
    return (await refusals.refused(call, code)).reason


async def test_whoever_signs_in_belongs_to_the_tenant(house):
    await house.sign_in(house.bob, name="Bob", device="Safari on iPhone")
    house.clock.forward(minutes=5)
    who = await house.people()
    assert list(who) == ["ada", "bob"], "whoever asks with the issuer's token is known too"
    bob = who["bob"]
    assert (bob.name, list(bob.roles), bob.given_role, bob.invited_by) == ("Bob", [EDITOR], NONE, "")
    assert bob.create_time == bob.last_seen_time
    assert (await house("GetPerson", person_id=bob.id)).person == bob
    await house.sign_in(house.issuer.token("acme", "bob", ["viewer", "operator"]))
    again = (await house.people())["bob"]
    assert (again.id, again.name, list(again.roles)) == (bob.id, "Bob", [OPERATOR, VIEWER])
    assert again.last_seen_time.seconds == bob.last_seen_time.seconds + 300
    assert (again.etag, again.create_time) == (bob.etag, bob.create_time)


async def test_a_role_given_here_counts_in_sessions_that_go_on(house):
    session = await house.sign_in(house.issuer.token("acme", "bob", ["editor", "operator"]))
    assert await refused(house.listen("Decide", session), DENIED) == "ROLE_MISSING"
    given = await house.give("bob", OWNER)
    assert list(given.roles) == [OPERATOR, OWNER]
    house.clock.forward(seconds=30)
    assert await house.listen("Decide", session) == "acme/bob"
    await house.give("bob", VIEWER)
    house.clock.forward(seconds=30)
    assert await refused(house.listen("Decide", session), DENIED) == "ROLE_MISSING"
    assert await house.listen("Operate", session) == "acme/bob", "who looks after the house is the issuer's choice"
    assert list((await house.give("bob", NONE)).roles) == [EDITOR, OPERATOR]
    for role in (OPERATOR, access_pb2.ROLE_SERVICE, access_pb2.ROLE_ANYBODY, 77):
        assert await refused(house.give("bob", role), WRONG) == "INVALID"
    assert (await house.noted()).count("person_role_given") == 3


async def test_what_somebody_made_may_no_more_than_they(house):
    secret = await house.api_token(OWNER, house.issuer.token("acme", "eve", ["owner"]))
    await house.sign_in(house.issuer.token("acme", "eve", ["owner"]))
    assert await house.listen("Decide", secret)
    await house.give("eve", VIEWER)
    house.clock.forward(seconds=30)
    assert await refused(house.listen("Decide", secret), DENIED) == "ROLE_MISSING"
    assert await house.listen("Look", secret)
    (listed,) = (await house("ListApiTokens")).api_tokens
    assert listed.role == VIEWER


async def test_who_is_removed_is_out_with_all_that_was_theirs(house):
    eve = house.issuer.token("acme", "eve", ["owner"])
    session, secret = await house.sign_in(eve), await house.api_token(OWNER, eve)
    ticket, invited = (await house("CreateTicket", eve)).ticket, await house.invite(token=eve)
    assert await house.listen("Decide", session)
    assert await house.listen("Decide", secret)
    gone = await house.remove("eve")
    assert gone.HasField("remove_time")
    assert await house.remove("eve") == gone
    for token, ask in ((session, "IdentifySession"), (secret, "IdentifyApiToken")):
        assert await refused(house(ask, secret=token), UNKNOWN) == "TOKEN_INVALID", "at once, where it is kept"
    house.clock.forward(seconds=30)
    for token in (session, secret):
        assert await refused(house.listen("Look", token), UNKNOWN) == "TOKEN_INVALID", "and in half a minute elsewhere"
    for known in (ticket, invited.ticket):
        assert await refused(house.redeem(known), UNKNOWN) == "TICKET_INVALID"
    assert not (await house("ListInvitations")).invitations
    # The issuer's token is the issuer's business: it opens what asks the issuer alone, and nothing that gives access.
    assert await house.listen("Decide", eve) == "acme/eve"
    for verb in ("CreateSession", "CreateTicket", "ListPeople"):
        assert await refused(house(verb, eve), DENIED) == "PERSON_REMOVED"
    for call in (house.api_token(OWNER, eve), house.invite(token=eve), house.remove("ada", eve)):
        assert await refused(call, DENIED) == "PERSON_REMOVED"
    assert "eve" not in await house.people()
    back = (await house("RestorePerson", person_id=gone.id)).person
    assert not back.HasField("remove_time")
    assert await house.sign_in(eve)
    assert await refused(house("IdentifySession", secret=session), UNKNOWN) == "TOKEN_INVALID", "ended stays ended"
    assert (await house.noted())[-3:] == ["person_removed", "person_restored", "session_begun"]


async def test_what_was_known_half_a_minute_ago_gives_no_access(house):
    """The door remembers sessions for 30 seconds: in these, nobody makes what would outlast them."""
    eve = house.issuer.token("acme", "eve", ["owner"])
    removed, demoted, ended = await house.sign_in(eve), await house.sign_in(house.bob), await house.sign_in()
    await house.give("bob", OWNER)
    for session in (removed, demoted, ended):
        assert (await house("GetCaller", session)).caller.subject, "the door knows them from here on"
    await house.remove("eve")
    await house.give("bob", NONE)
    await house("EndSession", session_id=(await house("IdentifySession", secret=ended)).session.id)
    why = {removed: ("PERSON_REMOVED", DENIED), demoted: ("ROLE_MISSING", DENIED), ended: ("TOKEN_INVALID", UNKNOWN)}
    for session, (reason, code) in why.items():
        for call in (house.api_token, house.invite, house.give, house.remove):
            more = {house.api_token: [OWNER], house.invite: ["X", OWNER], house.give: ["bob", OWNER]}
            told = await refused(call(*more.get(call, ["ada"]), token=session), code)
            assert told == reason, (reason, call)


async def test_the_last_owner_stays(house):
    for change in (house.give("ada", EDITOR), house.remove("ada")):
        told = await refusals.refused(change, FORBIDDEN)
        assert (told.reason, bool(told.metadata["person_id"])) == ("LAST_OWNER", True)
    await house.sign_in(house.bob)
    await house.give("bob", OWNER)
    assert list((await house.give("ada", EDITOR)).roles) == [EDITOR]
    assert await refused(house.give("bob", NONE, await house.sign_in(house.bob)), FORBIDDEN) == "LAST_OWNER"
    # What the issuer says is not refused: it can say otherwise again.
    await house.give("ada", NONE, await house.sign_in(house.bob))
    await house.give("bob", NONE)
    assert await house.sign_in(house.issuer.token("acme", "ada", ["viewer"]))


async def test_of_owners_who_remove_each_other_at_once_one_stays(house):
    names = [f"owner{number}" for number in range(6)]
    tokens_of = {name: house.issuer.token("acme", name, ["owner"]) for name in names}
    sessions_of = {name: await house.sign_in(token) for name, token in tokens_of.items()}
    await house.people()
    await house.remove("ada", tokens_of["owner0"])
    who = {one.subject: one.id for one in (await house("ListPeople", tokens_of["owner0"])).people}

    def change(number, name):
        other, by = who[names[(number + 1) % len(names)]], sessions_of[name]
        if number % 2:
            return house("RemovePerson", by, person_id=other)
        asked = {"id": other, "given_role": EDITOR}
        return house("UpdatePerson", by, person=asked, update_mask={"paths": ["given_role"]})

    told = await asyncio.gather(*(change(*one) for one in enumerate(names)), return_exceptions=True)
    codes = {one.code() for one in told if isinstance(one, grpc.aio.AioRpcError)}
    assert codes <= {DENIED, FORBIDDEN}, "who came too late is no owner any more; nothing broke"
    async with house.place.database.house() as conn:
        owners = (await conn.execute(sa.text("SELECT count(*) FROM people WHERE is_owner"))).scalar_one()
        assert owners >= 1
        assert (await audit.verify(conn)).fault == ""


async def test_the_database_itself_keeps_an_owner(house):
    """Whatever a service forgets: transactions that would each leave the other's owner, and take their own."""
    for name in ("one", "two"):
        await house.sign_in(house.issuer.token("else", name, ["owner"]))
    taken = sa.text("UPDATE people SET given = 'viewer' WHERE tenant_id = 'else' AND subject = :subject")

    async def take(subject, first, second):
        async with house.place.database.tenant("else") as conn:
            first.set()
            await second.wait()
            await conn.execute(taken, {"subject": subject})

    a, b = asyncio.Event(), asyncio.Event()
    told = await asyncio.gather(take("one", a, b), take("two", b, a), return_exceptions=True)
    assert [type(one) for one in told if one] == [sa.exc.IntegrityError]


async def test_somebody_else_s_change_is_not_overwritten(house):
    await house.sign_in(house.bob)
    seen = (await house.people())["bob"].etag
    await house.give("bob", VIEWER, etag=seen)
    assert await refused(house.give("bob", OWNER, etag=seen), STALE) == "PERSON_CHANGED"
    assert await refused(house.remove("bob", etag=seen), STALE) == "PERSON_CHANGED"
    assert (await house.give("bob", VIEWER, etag=seen)).given_role == VIEWER, "what is done already is no change"
    told = await refused(house("UpdatePerson", person={"id": "x"}, update_mask={"paths": ["name"]}), WRONG)
    assert told == "INVALID"


async def test_an_invitation_lets_one_person_in_once(house):
    made = await house.invite("Bea", EDITOR)
    assert (len(made.ticket), made.invitation.created_by) == (22, "ada")
    (pending,) = (await house("ListInvitations")).invitations
    assert pending == made.invitation
    came = await asyncio.gather(*(house.redeem(made.ticket) for _ in range(6)), return_exceptions=True)
    (let_in,) = [one for one in came if not isinstance(one, grpc.aio.AioRpcError)]
    assert {one.code() for one in came if isinstance(one, grpc.aio.AioRpcError)} == {UNKNOWN}
    assert not (await house("ListInvitations")).invitations
    said = (await house("GetCaller", let_in.secret)).caller
    assert (said.name, list(said.roles), said.tenant_id) == ("Bea", [EDITOR], "acme")
    assert let_in.session.expire_time.ToDatetime(datetime.UTC) == house.clock.now + datetime.timedelta(days=30)
    bea = (await house.people())[said.subject]
    assert (bea.id, bea.name, bea.given_role, bea.invited_by) == (said.subject, "Bea", EDITOR, "ada")
    assert await refused(house.give(bea.subject, NONE), WRONG) == "INVALID", "no issuer says another role"
    again = await house("CreateInvitation", invitation={"person_id": bea.id})
    assert (again.invitation.name, again.invitation.role) == ("Bea", EDITOR)
    await house.give(bea.subject, VIEWER)
    back = await house.redeem(again.ticket)
    assert (back.session.subject, list(back.session.roles)) == (bea.subject, [VIEWER]), "the role is that of now"
    await house.remove(bea.subject)
    assert await refused(house("CreateInvitation", invitation={"person_id": bea.id}), MISSING) == "PERSON_NOT_FOUND"
    assert (await house.noted())[-1] == "person_removed"


async def test_an_invitation_ends(house):
    early, late, back = await house.invite(), await house.invite(), await house.invite()
    gone = (await house("RevokeInvitation", invitation_id=back.invitation.id)).invitation
    assert (await house("RevokeInvitation", invitation_id=back.invitation.id)).invitation == gone
    assert await refused(house.redeem(back.ticket), UNKNOWN) == "TICKET_INVALID"
    house.clock.forward(days=6)
    assert (await house.redeem(early.ticket)).secret
    house.clock.forward(days=1)
    assert await refused(house.redeem(late.ticket), UNKNOWN) == "TICKET_INVALID"
    told = await refused(house("RevokeInvitation", invitation_id=early.invitation.id), MISSING)
    assert told == "INVITATION_NOT_FOUND"


async def test_nobody_gives_what_is_not_theirs_to_give(house):
    session, secret = await house.sign_in(), await house.api_token(OWNER)
    editor = await house.sign_in(house.bob)
    assert (await house.invite(token=session)).ticket
    assert await refused(house.invite(role=OWNER, token=editor), DENIED) == "ROLE_MISSING"
    assert await refused(house.invite(token=secret), DENIED) == "WHOLE_TOKEN_NEEDED"
    narrow = house.issuer.token("acme", "ada", ["owner"], scope="rushes:access")
    assert await refused(house.give("bob", OWNER, narrow), DENIED) == "WHOLE_TOKEN_NEEDED"
    for role in (OPERATOR, access_pb2.ROLE_SERVICE, NONE, access_pb2.ROLE_ANYBODY, 77):
        assert await refused(house.invite(role=role), WRONG) == "INVALID"
    for wrong in ({"name": ""}, {"name": "x" * 101}, {"expire_time": house.clock.now + datetime.timedelta(days=31)}):
        assert await refused(house.invite(**wrong), WRONG) == "INVALID"
    bob = (await house.people())["bob"].id
    as_bob = house("CreateInvitation", invitation={"person_id": bob})
    assert await refused(as_bob, WRONG) == "INVALID", "nobody signs in as whom the issuer vouches for"
    assert await refused(house("GetCaller", (await house.invite()).ticket), UNKNOWN) == "TOKEN_INVALID"
    # Who lost the role to invite has invited nobody.
    await house.give("bob", OWNER)
    pending = await house.invite(role=OWNER, token=house.issuer.token("acme", "bob", ["owner"]))
    await house.give("bob", NONE)
    assert await refused(house.redeem(pending.ticket), UNKNOWN) == "TICKET_INVALID"
    stranger = house.issuer.token("else", "eve", ["owner"])
    assert [one.subject for one in (await house("ListPeople", stranger)).people] == ["eve"]
    assert not (await house("ListInvitations", stranger)).invitations
    assert await refused(house("RemovePerson", stranger, person_id=bob), MISSING) == "PERSON_NOT_FOUND"


async def test_people_see_their_own_sessions_and_which_is_this_one(house):
    first = await house.sign_in(house.bob, device="Firefox on Linux")
    await house.sign_in(house.bob)
    await house.sign_in()
    house.clock.forward(minutes=2)
    assert (await house("IdentifySession", secret=first)).session.device == "Firefox on Linux"
    listed = list((await house("ListSessions", first)).sessions)
    assert [(one.subject, one.current, one.device) for one in listed] == [
        ("bob", False, ""),
        ("bob", True, "Firefox on Linux"),
    ]
    assert listed[1].last_seen_time.seconds == listed[1].create_time.seconds + 120
    assert (await house.people())["bob"].last_seen_time == listed[1].last_seen_time
    assert len((await house("ListSessions")).sessions) == 3
    assert [one.subject for one in (await house("ListSessions", mine=True)).sessions] == ["ada"]
    assert await refused(house.sign_in(house.bob, device="x" * 101), WRONG) == "INVALID"
