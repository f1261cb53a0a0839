"""Boards are found by the words of their names and texts, by their state, page by page, in their own tenant."""

import grpc
import pytest
import sqlalchemy as sa

from rushes.storyboard.v1 import storyboard_pb2 as pb
from services.storyboard import words
from tests.integration.refusals import violations
from tests.unit.storyboard import boards

ACTIVE, DELETED = pb.Storyboard.STATE_ACTIVE, pb.Storyboard.STATE_DELETED


async def names(client, **fields):
    return [it.name for it in (await client("ListStoryboards", **fields)).storyboards]


@pytest.fixture
async def shelf(client):
    """Three boards, the first last updated."""
    for board in (
        pb.Storyboard(name="Über Öl 100%", logline="O'Neill's \\ Straße"),
        pb.Storyboard(name="灯塔的信", scenes=[pb.Scene(subject="海鸥 over the harbour", duration={"seconds": 4})]),
        boards.the_letter(),
    ):
        await client.create(board)
    return client


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("LETTER", ["The letter"]),
        ("etter", ["The letter"]),
        ("lighthouse salt", ["The letter"]),
        ("zoe", ["The letter"]),
        ("lighthouse harbour", []),
        ("house", []),
        ("uber", ["Über Öl 100%"]),
        ("ÖL", ["Über Öl 100%"]),
        ("100%", ["Über Öl 100%"]),
        ("%", ["Über Öl 100%"]),
        ("STRASSE", ["Über Öl 100%"]),
        ("o'neill", ["Über Öl 100%"]),
        ("\\", []),
        ("'':* | bx", []),
        ("塔", ["灯塔的信"]),
        ("海鸥", ["灯塔的信"]),
        ("harb", ["灯塔的信"]),
        ("arbour", []),
        (" ", ["The letter", "灯塔的信", "Über Öl 100%"]),
    ],
)
async def test_words_are_found_wherever_they_are_written(shelf, query, found):
    assert await names(shelf, query=query) == found
    assert await names(shelf, query=query, tenant="other") == []


async def test_what_was_changed_is_found_by_its_new_words_alone(client):
    board = await client.create(boards.the_letter())
    changed = pb.Storyboard(id=board.id, name="Beacon")
    await client("UpdateStoryboard", storyboard=changed, update_mask={"paths": ["name"]})
    assert await names(client, query="beac") == ["Beacon"]
    assert await names(client, query="letter") == ["Beacon"], "a prop is called so"
    assert await names(client, query="etter") == []


async def test_states_are_told_apart(client):
    kept, gone = [await client.create(pb.Storyboard(name=name)) for name in ("Kept", "Gone")]
    await client("DeleteStoryboard", storyboard_id=gone.id)
    assert await names(client) == await names(client, state=ACTIVE, show_deleted=True) == ["Kept"]
    assert await names(client, state=DELETED) == await names(client, state=DELETED, query="on") == ["Gone"]
    assert await names(client, show_deleted=True) == ["Gone", "Kept"]
    assert await names(client, query="kept", show_deleted=True) == ["Kept"]
    assert list(await violations(client("ListStoryboards", state=9), grpc.StatusCode.INVALID_ARGUMENT)) == ["state"]
    assert kept.id


async def test_what_is_found_comes_in_pages(client):
    for n in range(7):
        await client.create(pb.Storyboard(name=f"{'Fog' if n % 2 else 'Rain'} {n}"))
    found, token = [], ""
    while True:
        answer = await client("ListStoryboards", query="fog", page_size=2, page_token=token)
        found += [it.name for it in answer.storyboards]
        if not (token := answer.next_page_token):
            break
    assert found == ["Fog 5", "Fog 3", "Fog 1"]


async def test_the_search_sees_the_tenant_of_its_transaction_and_no_other(client):
    await client.create(boards.the_letter())
    query = sa.text("SELECT count(*) FROM boards_with(CAST(:wanted AS tsquery), NULL, NULL, NULL, 10)")
    wanted = {"wanted": words.query("letter", "acme")}
    for scope, count in (("acme", 1), ("other", 0), ("*", 0)):
        async with client.place.database.tenant(scope) as conn:
            assert (await conn.execute(query, wanted)).scalar_one() == count
