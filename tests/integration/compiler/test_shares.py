"""Links: made by people of a tenant, opened by whoever has one, until they end."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from libs import audit, auth, db, ids
from rushes.compiler.v1 import share_service_pb2 as pb
from rushes.compiler.v1 import share_service_pb2_grpc as pb_grpc
from services.compiler import share_store
from tests.integration import refusals
from tests.integration.compiler.conftest import Compiler
from tests.integration.compiler.test_exports import filmed

CODE = grpc.StatusCode
WORDS = "rain on the pier"


async def refusal(call: Any, code: grpc.StatusCode, reason: str) -> dict[str, str]:
    """The facts of a call that must fail so."""
    told = await refusals.refused(call, code)
    assert told.reason == reason
    return dict(told.metadata)


class Links:
    """The links of one compiler, for callers and for strangers."""

    def __init__(self, compiler: Compiler) -> None:
        self.compiler = compiler
        self._stub = pb_grpc.ShareServiceStub(compiler.door.channel)

    async def __call__(self, verb: str, tenant: str = "acme", **fields: Any) -> Any:
        """A call, as somebody of a tenant."""
        request = getattr(pb, f"{verb}Request")(**fields)
        return await getattr(self._stub, verb)(request, metadata=self.compiler.issuer.bearer(tenant), timeout=30)

    async def open(self, secret: str, **fields: Any) -> Any:
        """A call, as nobody."""
        return await self._stub.OpenShare(pb.OpenShareRequest(secret=secret, **fields), timeout=30)

    async def take(self, tenant: str = "acme", **fields: Any) -> Any:
        """A link to a take, and its secret."""
        (path := self.compiler.folder / "clip").write_bytes(b"a clip")
        await self.compiler.files.put_file(f"t/{tenant}/clips/a.mp4", path, "video/mp4")
        said = {"take_id": "take_1", "clip": {"key": f"t/{tenant}/clips/a.mp4"}, "title": "Kites: one"}
        said |= {"duration": {"seconds": 4}, "model": "sandbox/reel-1"}
        return await self("CreateShare", tenant, **{"request_id": str(uuid.uuid4()), "take": said} | fields)

    async def get(self, share: Any) -> Any:
        return (await self("GetShare", share_id=share.id)).share

    async def age(self, share: Any, **by: float) -> None:
        """Let time pass for one: an administrator of the database can do that, and nobody else."""
        owner = db.Database(self.compiler.place.owner_url)
        async with owner.house() as conn:
            await conn.execute(sa.text("ALTER TABLE shares DISABLE TRIGGER stays"))
            table = share_store.SHARES
            moved = {name: table.c[name] - timedelta(**by) for name in ("created_at", "expires_at")}
            await conn.execute(sa.update(table).where(table.c.id == share.id).values(moved))
            await conn.execute(sa.text("ALTER TABLE shares ENABLE TRIGGER stays"))
        await owner.close()


@pytest.fixture
def links(compiler: Compiler) -> Links:
    return Links(compiler)


async def test_a_film_is_shown_to_whoever_has_the_link(links: Links) -> None:
    film = await filmed(links.compiler, ids.new("sb"))
    made = await links("CreateShare", request_id=str(uuid.uuid4()), film_id=film.id)
    assert made.secret.startswith("rushes_share_")
    assert len(made.secret.removeprefix("rushes_share_")) == 32
    assert made.share.hint == made.secret.removeprefix("rushes_share_")[:4]
    assert made.share.expire_time.ToDatetime(UTC) - made.share.create_time.ToDatetime(UTC) == timedelta(days=7)
    view = (await links.open(made.secret)).view
    assert (view.title, view.duration.ToMilliseconds(), view.is_generated) == ("Der Brief", 2000, True)
    assert [(one.title, one.start.ToMilliseconds()) for one in view.chapters] == [
        ("Scene no. 0", 0),
        ("Scene no. 1", 1000),
    ]
    assert list(view.models) == ["openai/sora-2"]
    assert (view.captions_language, view.file_name, view.allow_download) == (
        "de",
        "Der Brief - cut 1 - 96p.mp4",
        False,
    )
    assert view.video.key.endswith("/film.mp4")
    assert (view.video.size_bytes, view.video.sha256) == (film.video.size_bytes, film.video.sha256)
    assert (view.poster.content_type, view.captions.content_type) == ("image/jpeg", "text/vtt")
    assert [one.id for one in (await links("ListShares", film_id=film.id)).shares] == [made.share.id]


async def test_a_film_that_is_not_finished_has_nothing_to_show(links: Links) -> None:
    film = await links.compiler.create(await links.compiler.clip())
    await refusal(
        links("CreateShare", request_id=str(uuid.uuid4()), film_id=film.id),
        CODE.FAILED_PRECONDITION,
        "FILM_NOT_COMPLETED",
    )


async def test_a_take_is_shown_and_every_opening_is_counted_once(links: Links) -> None:
    made = await links.take(allow_download=True)
    first = await links.open(made.secret)
    assert (first.view.title, first.view.file_name) == ("Kites: one", "Kites one.mp4")
    assert (first.view.is_generated, first.view.allow_download) == (True, True)
    again = await links.open(made.secret, ticket=first.ticket)
    assert again == first, "a page that renews its addresses is no second view"
    await links.open(made.secret)
    seen = await links.get(made.share)
    assert (seen.views, seen.HasField("view_time")) == (2, True)


async def test_what_people_see_says_nothing_of_who_made_it(links: Links) -> None:
    made = await links.take()
    view = (await links.open(made.secret)).view
    view.ClearField("video")
    for word in ("acme", "ada", "take_1", made.share.id):
        assert word not in str(view)


async def test_a_link_is_taken_back(links: Links) -> None:
    made = await links.take()
    ticket = (await links.open(made.secret)).ticket
    gone = (await links("RevokeShare", share_id=made.share.id)).share
    for how in ({}, {"ticket": ticket}):
        told = await refusal(links.open(made.secret, **how), CODE.FAILED_PRECONDITION, "SHARE_ENDED")
        assert datetime.fromisoformat(told["end_time"]) == gone.revoke_time.ToDatetime(UTC).replace(microsecond=0)
    assert (await links("RevokeShare", share_id=made.share.id)).share == gone


async def test_a_link_ends_by_itself(links: Links) -> None:
    made = await links.take()
    await links.open(made.secret)
    await links.age(made.share, days=7)
    await refusal(links.open(made.secret), CODE.FAILED_PRECONDITION, "SHARE_ENDED")
    assert (await links.get(made.share)).views == 1


async def test_a_passphrase_is_asked_for(links: Links) -> None:
    made = await links.take(passphrase=WORDS)
    assert made.share.has_passphrase
    await refusal(links.open(made.secret), CODE.PERMISSION_DENIED, "PASSPHRASE_NEEDED")
    await refusal(links.open(made.secret, passphrase="rain on the beach"), CODE.PERMISSION_DENIED, "PASSPHRASE_WRONG")
    await refusal(
        links.open(made.secret, ticket=(await links.open((await links.take()).secret)).ticket),
        CODE.PERMISSION_DENIED,
        "TICKET_INVALID",
    )
    opened = await links.open(made.secret, passphrase=f" {WORDS} ")
    assert (await links.open(made.secret, ticket=opened.ticket)).view == opened.view
    assert (await links.get(made.share)).views == 1, "who did not get in has seen nothing"


async def test_tickets_cannot_be_made(links: Links) -> None:
    made = await links.take()
    for ticket in ("1", ".", "9" * 20 + ".ab", "x.y", "\N{SUPERSCRIPT TWO}." + "a" * 64):
        await refusal(links.open(made.secret, ticket=ticket), CODE.PERMISSION_DENIED, "TICKET_INVALID")


async def test_a_passphrase_is_not_guessed(links: Links) -> None:
    made = await links.take(passphrase=WORDS)

    async def guess(number: int) -> str:
        try:
            await links.open(made.secret, passphrase=f"a guess, no. {number}")
        except grpc.aio.AioRpcError as fault:
            return fault.code().name
        return "OPEN"

    told = await asyncio.gather(*map(guess, range(16)))
    assert "OPEN" not in told
    assert told.count("RESOURCE_EXHAUSTED") >= 3, "ten, and what comes back meanwhile"


async def test_whoever_knows_the_passphrase_is_not_counted_as_guessing(links: Links) -> None:
    made = await links.take(passphrase=WORDS)
    for _ in range(12):
        await links.open(made.secret, passphrase=WORDS)
    assert (await links.get(made.share)).views == 12


async def test_a_secret_is_shown_once_and_not_kept(links: Links) -> None:
    once = str(uuid.uuid4())
    made = await links.take(request_id=once, passphrase=WORDS)
    again = await links.take(request_id=once, passphrase=WORDS)
    assert (again.share.id, again.secret) == (made.share.id, "")
    async with links.compiler.database.house() as conn:
        (row,) = (await conn.execute(sa.select(share_store.SHARES))).all()
    chance = made.secret.removeprefix("rushes_share_")
    assert chance not in str(row)
    assert bytes.fromhex(chance) not in row.sha256
    assert WORDS not in str(row)


async def test_a_request_is_not_used_for_something_else(links: Links) -> None:
    once = str(uuid.uuid4())
    await links.take(request_id=once)
    film = await filmed(links.compiler)
    await refusal(links("CreateShare", request_id=once, film_id=film.id), CODE.FAILED_PRECONDITION, "REQUEST_ID_REUSED")


async def test_shares_are_listed_newest_first_and_to_their_tenant_alone(links: Links) -> None:
    made = [(await links.take()).share.id for _ in range(3)]
    first = await links("ListShares", take_id="take_1", page_size=2)
    rest = await links("ListShares", take_id="take_1", page_size=2, page_token=first.next_page_token)
    assert [one.id for one in (*first.shares, *rest.shares)] == made[::-1]
    assert not (await links("ListShares", take_id="take_2")).shares
    assert not (await links("ListShares", "other")).shares
    for verb in ("GetShare", "RevokeShare"):
        await refusal(links(verb, "other", share_id=made[0]), CODE.NOT_FOUND, "SHARE_NOT_FOUND")


async def test_no_link_is_like_another(links: Links) -> None:
    secret = (await links.take()).secret
    for wrong in ("", secret[:-1], secret.upper(), secret.removeprefix("rushes_share_")):
        await refusal(links.open(wrong), CODE.NOT_FOUND, "SHARE_UNKNOWN")


async def test_what_is_shared_is_the_caller_s_and_there(links: Links) -> None:
    said = {"take_id": "take_1", "title": "Kites", "duration": {"seconds": 4}}
    await refusal(
        links.take("other", take=said | {"clip": {"key": "t/acme/clips/a.mp4"}}), CODE.INVALID_ARGUMENT, "BAD_REQUEST"
    )
    await refusal(links.take(take=said | {"clip": {"key": "t/acme/clips/none.mp4"}}), CODE.NOT_FOUND, "BLOB_MISSING")
    (path := links.compiler.folder / "secrets").write_bytes(b"{}")
    await links.compiler.files.put_file("t/acme/films/manifest.json", path, "application/json")
    await refusal(
        links.take(take=said | {"clip": {"key": "t/acme/films/manifest.json"}}), CODE.INVALID_ARGUMENT, "BAD_REQUEST"
    )


async def test_every_fault_is_told_at_once(links: Links) -> None:
    for wrong in (int(datetime.now(UTC).timestamp()) + 367 * 86400, 0, 10**15):
        ends = {"seconds": wrong}
        told = await refusals.violations(links("CreateShare", request_id="?", passphrase="short", expire_time=ends))
        assert told.keys() == {"request_id", "film_id", "expire_time", "passphrase"}
    take = {"take_id": "t" * 101, "clip": {"key": "t/other/a.mp4"}, "poster": {}, "title": "\0", "model": "a\nb"}
    told = await refusals.violations(links.take(take=take))
    assert told.keys() == {
        f"take.{name}" for name in ("take_id", "clip.key", "poster.key", "title", "duration", "model")
    }
    with pytest.raises(grpc.aio.AioRpcError, match="film_id: should name a film, or else take be there"):
        await links.take(film_id="film_1")


async def test_who_shared_and_who_took_back_is_written_down(links: Links) -> None:
    made = await links.take(passphrase=WORDS)
    await links("RevokeShare", share_id=made.share.id)
    async with links.compiler.database.tenant("acme") as conn:
        rows = (await conn.execute(sa.select(audit.AUDIT).order_by(audit.AUDIT.c.position))).all()
    assert [(row.actor, row.action, row.target) for row in rows] == [
        ("ada", "share_created", made.share.id),
        ("ada", "share_revoked", made.share.id),
    ]
    assert '"passphrase": true' in rows[0].facts
    assert WORDS not in rows[0].facts


async def test_a_share_stays_as_it_was_made(links: Links) -> None:
    made = await links.take()
    await links("RevokeShare", share_id=made.share.id)
    for change in ({"revoked_at": None}, {"expires_at": datetime.now(UTC) + timedelta(days=90)}):
        with pytest.raises(sa.exc.IntegrityError):
            async with links.compiler.database.tenant("acme") as conn:
                await conn.execute(sa.update(share_store.SHARES).values(change))


async def test_nobody_lists_shares_without_a_token(links: Links) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await pb_grpc.ShareServiceStub(links.compiler.door.channel).ListShares(pb.ListSharesRequest(), timeout=10)
    assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(auth.TokenMissing):
        auth.caller()
