"""Boards go out as files and come back, through the service."""

import uuid
from pathlib import Path

import grpc
import pytest

from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from tests.integration.refusals import refused, violations
from tests.unit.storyboard import boards

INVALID, MISSING, CONFLICT = (
    grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
)  # fmt: skip
READABLE = ("YAML", "JSON", "FOUNTAIN", "CSV", "BROWSER_JSON")
YAML, HTML = service_pb.FILE_FORMAT_YAML, service_pb.FILE_FORMAT_HTML


def format(name):
    return service_pb.FileFormat.Value(f"FILE_FORMAT_{name}")


async def brought(client, data, of=YAML, **more):
    return await client("ImportStoryboard", request_id=str(uuid.uuid4()), data=data, format=of, **more)


def content(board):
    """What is left without ids and life."""
    kept = type(board)()
    kept.CopyFrom(board)
    for field in ("id", "state", "revision", "etag", "create_time", "update_time"):
        kept.ClearField(field)
    for thing in (*kept.characters, *kept.locations, *kept.props, *kept.scenes):
        thing.id = ""
    return kept


@pytest.mark.parametrize("name", READABLE)
async def test_an_export_comes_back_as_it_was(client, name):
    board = await client.create(boards.the_letter())
    file = await client("ExportStoryboard", storyboard_id=board.id, format=format(name))
    assert (file.revision, file.file_name.partition(".")[0]) == (1, "the-letter")
    answer = await brought(client, file.data, format(name))
    back = await client("GetStoryboard", storyboard_id=answer.storyboard.id)
    assert content(back.storyboard) == content(board), "tags and stills too"
    assert back.storyboard.id != board.id
    (revision,) = (await client("ListRevisions", storyboard_id=back.storyboard.id)).revisions
    assert revision.origin == "ImportStoryboard"


async def test_an_old_revision_is_written_as_it_was(client):
    board = await client.create(boards.the_letter())
    board.name = "Another"
    await client("UpdateStoryboard", storyboard=board, update_mask={"paths": ["name"]})
    file = await client("ExportStoryboard", storyboard_id=board.id, format=YAML, revision=1)
    assert file.data.startswith(b"name: The letter\n")
    page = await client("ExportStoryboard", storyboard_id=board.id, format=HTML)
    assert (page.revision, page.content_type) == (2, "text/html; charset=utf-8")
    assert [it.text for it in page.warnings] == ["it is for printing, and cannot be imported"]


async def test_a_faulty_file_makes_nothing_and_every_fault_is_told(client):
    data = b"name: x\nscenes:\n- subject: a\n  duration: 4\n  cast: [Bo]\n- duration: soon\n  seams: cut\n"
    assert await violations(brought(client, data), INVALID) == {
        "scenes[0].cast[0]": "line 5: names no character of the storyboard; correct it, or add the character",
        "scenes[1].duration": "line 6: is 'soon', not a whole number; write digits only, such as 4",
        "scenes[1].subject": "line 6: should have 1 to 2000 characters, and has 0",
        "scenes[1].seams": "line 7: is no field of a board; did you mean seam?",
    }
    assert not (await client("ListStoryboards")).storyboards


async def test_a_file_with_stills_of_somebody_else_makes_nothing(client):
    board = await client.create(boards.the_letter())
    file = await client("ExportStoryboard", storyboard_id=board.id, format=YAML)
    stills = ["characters[0].references[0].key", "characters[0].references[1].key", "locations[0].references[0].key"]
    for request in ({"request_id": str(uuid.uuid4())}, {"validate_only": True}):
        ask = client("ImportStoryboard", tenant="other", data=file.data, format=YAML, **request)
        assert list(await violations(ask, INVALID)) == stills
    assert not (await client("ListStoryboards", tenant="other")).storyboards


async def test_a_check_keeps_nothing_and_a_repeat_makes_one(client):
    request = {"request_id": str(uuid.uuid4()), "data": b"name: x  # note\n", "format": YAML}
    checked = await client("ImportStoryboard", **request, validate_only=True)
    assert (checked.storyboard.name, checked.storyboard.id) == ("x", "")
    assert not (await client("ListStoryboards")).storyboards
    first = await client("ImportStoryboard", **request)
    again = await client("ImportStoryboard", **request | {"data": b"name: x\n"})
    assert again.storyboard.id == first.storyboard.id, "a comment makes no other board"
    info = await refused(client("ImportStoryboard", **request | {"data": b"name: y\n"}), CONFLICT)
    assert info.reason == "REQUEST_ID_REUSED"


async def test_what_cannot_be_asked_is_refused(client):
    board = await client.create(boards.the_letter())
    assert "format" in await violations(brought(client, b"x", HTML), INVALID)
    assert "format" in await violations(brought(client, b"x", 99), INVALID)
    assert "format" in await violations(client("ExportStoryboard", storyboard_id=board.id), INVALID)
    assert "data" in await violations(brought(client, b"x" * 2_000_001), INVALID)
    assert "request_id" in await violations(client("ImportStoryboard", data=b"name: x", format=YAML), INVALID)
    ask = client("ExportStoryboard", tenant="other", storyboard_id=board.id, format=YAML)
    assert (await refused(ask, MISSING)).reason == "STORYBOARD_NOT_FOUND"


async def test_the_examples_are_told_what_was_assumed(client):
    examples = Path(__file__).parents[3] / "docs" / "examples"
    answer = await brought(client, (examples / "letter.fountain").read_bytes(), format("FOUNTAIN"))
    assert [(it.line, it.text) for it in answer.warnings] == [
        (3, "the title page's 'Credit: Written by' has no place in a board"),
        (4, "the title page's 'Author: Rushes' has no place in a board"),
    ]
    answer = await brought(client, (examples / "letter.csv").read_bytes(), format("CSV"))
    assert (answer.storyboard.name, [it.field for it in answer.warnings]) == ("Untitled", ["name"])
