"""A board without an account: made, edited, claimed with its history, or forgotten."""

import datetime
import uuid

import grpc
import pydantic
import pytest
import sqlalchemy as sa

from libs import rpc
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from rushes.storyboard.v1 import storyboard_service_pb2_grpc as pb_grpc
from services.storyboard import guests, ticks
from tests.integration.refusals import refused, violations
from tests.unit.storyboard import boards

DENIED, MISSING = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND
START = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)


@pytest.fixture
async def welcome(client):
    """A guest's board, and the answer that made it."""
    request = service_pb.CreateGuestStoryboardRequest(storyboard=boards.without_stills())
    return await client.stub.CreateGuestStoryboard(request, timeout=10)


class Guest:
    """Calls with the claim code as the bearer token."""

    def __init__(self, client, code):
        self._stub, self._metadata = pb_grpc.StoryboardServiceStub(client.door.channel), rpc.bearer(code)

    async def __call__(self, verb, **fields):
        request = getattr(service_pb, f"{verb}Request")(**fields)
        return await getattr(self._stub, verb)(request, metadata=self._metadata, timeout=10)


async def test_a_guest_works_as_everybody_does(client, welcome):
    board, guest = welcome.storyboard, Guest(client, welcome.claim_code)
    assert board.expire_time.ToDatetime(datetime.UTC) - START < datetime.timedelta(days=30, minutes=1)
    changed = pb.Storyboard(id=board.id, etag=board.etag, name="The answer")
    await guest("UpdateStoryboard", storyboard=changed, update_mask={"paths": ["name"]})
    assert [it.name for it in (await guest("ListStoryboards", query="lantern")).storyboards] == ["The answer"]
    assert (await guest("ComposePrompts", storyboard_id=board.id)).prompts
    more = await guest("CreateStoryboard", request_id=str(uuid.uuid4()), storyboard=pb.Storyboard(name="More"))
    assert more.storyboard.HasField("expire_time")


async def test_a_guest_has_no_stills(client):
    request = service_pb.CreateGuestStoryboardRequest(storyboard=boards.the_letter())
    faulty = client.stub.CreateGuestStoryboard(request, timeout=10)
    assert "storyboard.locations[0].references[0].key" in await violations(faulty, grpc.StatusCode.INVALID_ARGUMENT)


async def test_nobody_else_sees_a_guest_s_board(client, welcome):
    other = await client.stub.CreateGuestStoryboard(
        service_pb.CreateGuestStoryboardRequest(storyboard=pb.Storyboard(name="Other")), timeout=10
    )
    stranger = Guest(client, other.claim_code)
    for call in (
        stranger("GetStoryboard", storyboard_id=welcome.storyboard.id),
        client("GetStoryboard", storyboard_id=welcome.storyboard.id),
    ):
        assert (await refused(call, MISSING)).reason == "STORYBOARD_NOT_FOUND"
    assert [it.name for it in (await stranger("ListStoryboards")).storyboards] == ["Other"]
    assert not (await client("ListStoryboards")).storyboards


async def test_a_claimed_board_comes_with_its_history(client, welcome):
    board, guest = welcome.storyboard, Guest(client, welcome.claim_code)
    await guest("UpdateStoryboard", storyboard=pb.Storyboard(id=board.id, name="Two"), update_mask={"paths": ["name"]})
    claim = {"storyboard_id": board.id, "claim_code": welcome.claim_code}
    claimed, again = [(await client("ClaimStoryboard", subject="bo", **claim)).storyboard for _ in range(2)]
    assert claimed == again
    assert (claimed.name, claimed.revision, claimed.HasField("expire_time")) == ("Two", 2, False)
    assert (await client("Undo", storyboard_id=board.id, etag=claimed.etag)).storyboard.scenes == board.scenes
    history = (await client("ListRevisions", storyboard_id=board.id)).revisions
    assert [(it.author, it.origin) for it in history] == [
        ("ada", "Undo"),
        ("guest", "UpdateStoryboard"),
        ("guest", "CreateGuestStoryboard"),
    ]
    assert [it.id for it in (await client("ListStoryboards", query="lantern")).storyboards] == [board.id]
    assert (await refused(guest("GetStoryboard", storyboard_id=board.id), MISSING)).reason == "STORYBOARD_NOT_FOUND"
    late = client("ClaimStoryboard", tenant="other", **claim)
    assert (await refused(late, MISSING)).reason == "STORYBOARD_NOT_FOUND"
    async with client.place.database.tenant("acme") as conn:
        for table in ("storyboards", "revisions", "parts"):
            owners = (await conn.execute(sa.text(f"SELECT DISTINCT tenant_id FROM {table}"))).scalars().all()
            assert owners == ["acme"]


async def test_only_the_right_code_claims(client, welcome):
    board = welcome.storyboard
    other = await client.stub.CreateGuestStoryboard(
        service_pb.CreateGuestStoryboardRequest(storyboard=pb.Storyboard(name="Other")), timeout=10
    )
    for code, reason in (("", "CLAIM_CODE_INVALID"), (welcome.claim_code[:-1] + "x", "CLAIM_CODE_INVALID")):
        assert (
            await refused(client("ClaimStoryboard", storyboard_id=board.id, claim_code=code), DENIED)
        ).reason == reason
    foreign = client("ClaimStoryboard", storyboard_id=board.id, claim_code=other.claim_code)
    assert (await refused(foreign, MISSING)).reason == "STORYBOARD_NOT_FOUND"
    mine = await client.create(pb.Storyboard(name="Mine"), tenant="third")
    theirs = client("ClaimStoryboard", storyboard_id=mine.id, claim_code=welcome.claim_code)
    assert (await refused(theirs, MISSING)).reason == "STORYBOARD_NOT_FOUND"
    by_guest = Guest(client, other.claim_code)("ClaimStoryboard", storyboard_id=board.id, claim_code=welcome.claim_code)
    assert (await refused(by_guest, DENIED)).reason == "SIGN_IN_FIRST"
    facts = service_pb.UploadReferenceRequest(
        facts={
            "storyboard_id": board.id,
            "thing_id": board.characters[0].id,
            "content_type": "image/png",
            "size_bytes": 9,
            "sha256": "0" * 64,
        }
    )
    upload = client.stub.UploadReference(iter([facts]), metadata=rpc.bearer(welcome.claim_code), timeout=10)
    assert (await refused(upload, DENIED)).reason == "SIGN_IN_FIRST"
    forged = Guest(client, welcome.claim_code[:-1] + "x")("ListStoryboards")
    assert (await refused(forged, DENIED)).reason == "CLAIM_CODE_INVALID"


async def test_what_nobody_claims_is_forgotten(client, welcome):
    kept = await client.create(boards.the_letter())
    for days, gone in ((29, 0), (31, 1), (31, 0)):
        now = START + datetime.timedelta(days=days)
        assert await ticks.forget(client.place.database, lambda now=now: now)() == gone
    assert (await client("GetStoryboard", storyboard_id=kept.id)).storyboard == kept


async def test_no_issuer_makes_guests(client):
    info = await refused(client("ListStoryboards", tenant="guest_" + "0" * 32), grpc.StatusCode.UNAUTHENTICATED)
    assert info.reason == "TOKEN_INVALID"


def test_a_code_is_good_for_thirty_days():
    desk = guests.Reception(pydantic.SecretStr("s" * 32))
    made = desk.welcome(b"\x07" * 16, START)
    assert desk.guest(made.code, made.expires_at - datetime.timedelta(seconds=1)) == made
    for code, now in ((made.code, made.expires_at), (made.code.replace("07", "08", 1), START)):
        with pytest.raises(guests.ClaimCodeInvalid):
            desk.guest(code, now)
    with pytest.raises(guests.ClaimCodeInvalid):
        guests.Reception(pydantic.SecretStr("t" * 32)).guest(made.code, START)
    for call in (
        lambda: guests.Reception(None).welcome(b"", START),
        lambda: guests.Reception(None).guest(made.code, START),
    ):
        with pytest.raises(guests.GuestsOff):
            call()
