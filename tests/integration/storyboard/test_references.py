"""Reference images: taken in pieces, looked into, kept once, and shown to models."""

import hashlib
import io
import struct

import av
import grpc
import numpy
import pytest

from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import stills
from tests.integration.refusals import refused, violations
from tests.unit.storyboard import boards

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def drawn(codec, form, width=96, height=64):
    """A real image of noise."""
    picture = av.VideoFrame.from_ndarray(numpy.random.default_rng(7).integers(0, 255, (height, width, 3), "uint8"))
    out = io.BytesIO()
    with av.open(out, "w", format=form) as file:
        stream = file.add_stream(codec, rate=1)
        stream.width, stream.height = width, height
        stream.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p", "libwebp": "yuv420p"}[codec]
        file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return out.getvalue()


PNG = drawn("png", "image2pipe")
IMAGES = {"image/png": PNG, "image/jpeg": drawn("mjpeg", "image2pipe"), "image/webp": drawn("libwebp", "webp")}


@pytest.mark.parametrize("content_type", IMAGES)
def test_an_image_says_what_it_is(content_type):
    assert stills.measured(io.BytesIO(IMAGES[content_type])) == (content_type, 96, 64)


WEBP = b"RIFF\x00\x00\x00\x00WEBP"


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (
            WEBP + b"VP8L\x00\x00\x00\x00\x2f" + struct.pack("<I", (299 << 14) | 399) + bytes(8),
            ("image/webp", 400, 300),
        ),
        (WEBP + b"VP8X" + bytes(8) + b"\x8f\x01\x00\x2b\x01\x00", ("image/webp", 400, 300)),
        (WEBP + b"VP9 " + bytes(16), None),
        (b"\xff\xd8\xff\xe0\x00\x04ab" + b"\xff\xc2\x00\x11\x08\x01\x2c\x01\x90" + bytes(8), ("image/jpeg", 400, 300)),
        (b"\xff\xd8\xff\xe0\x00\x00", None),
        (b"\xff\xd8\xff", None),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00", None),
        (b"GIF89a" + bytes(30), None),
        (b"", None),
    ],
)
def test_headers_are_read_and_never_trusted(head, found):
    assert stills.measured(io.BytesIO(head)) == found


@pytest.fixture
async def board(client):
    return await client.create(boards.the_letter())


def pieces(board, data, thing_id=None, size=1000, **facts):
    said = {
        "storyboard_id": board.id,
        "thing_id": thing_id or board.characters[1].id,
        "content_type": "image/png",
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    yield pb.UploadReferenceRequest(facts=pb.UploadReferenceRequest.Facts(**said | facts))
    for start in range(0, len(data), size):
        yield pb.UploadReferenceRequest(data=data[start : start + size])


async def upload(client, requests, **who):
    return (
        await client.stub.UploadReference(iter([*requests]), metadata=client.issuer.bearer(**who), timeout=10)
    ).storyboard


async def test_a_still_is_kept_and_shown_to_models(client, board, tmp_path):
    after = await upload(client, pieces(board, PNG))
    (still,) = after.characters[1].references
    assert (still.size_bytes, still.content_type) == (len(PNG), "image/png")
    await client.media.get_file(still.key, tmp_path / "still")
    assert (tmp_path / "still").read_bytes() == PNG
    prompts = (await client("ComposePrompts", storyboard_id=board.id)).prompts
    assert still in prompts[2].unused_references, "no model takes any yet"
    again = await upload(client, pieces(board, PNG))
    assert again == after, "the same bytes are kept once"
    room = await upload(client, pieces(board, IMAGES["image/webp"], board.locations[0].id, content_type="image/webp"))
    assert room.locations[0].references[0].key == "t/acme/stills/room"
    assert room.locations[0].references[-1].content_type == "image/webp"
    origins = [it.origin for it in (await client("ListRevisions", storyboard_id=board.id)).revisions]
    assert origins == ["UploadReference", "UploadReference", "CreateStoryboard"]


async def test_what_is_no_such_image_is_refused(client, board):
    text = b"<svg>" * 100
    small = drawn("png", "image2pipe", 32, 32)
    for requests, field, wrong in (
        (pieces(board, text), "data", "no image/png"),
        (pieces(board, IMAGES["image/jpeg"]), "data", "no image/png"),
        (pieces(board, small), "data", "32x32"),
        (pieces(board, PNG, sha256="0" * 64), "data", "sha256"),
        (pieces(board, PNG, size_bytes=len(PNG) + 1), "data", "short"),
        (pieces(board, PNG, size_bytes=len(PNG) - 1), "data", "size_bytes"),
        (pieces(board, PNG, size_bytes=10_000_001), "facts.size_bytes", "10000000"),
        (pieces(board, PNG, content_type="image/gif"), "facts.content_type", "image/webp"),
        (pieces(board, PNG, sha256="A"), "facts.sha256", "64"),
        ([pb.UploadReferenceRequest(data=PNG)], "facts", "first"),
        ([], "facts", "first"),
    ):
        assert wrong in (await violations(upload(client, requests), INVALID))[field]
    assert (await client("GetStoryboard", storyboard_id=board.id)).storyboard == board


async def test_stills_belong_to_somebody_who_is_there(client, board):
    info = await refused(upload(client, pieces(board, PNG, board.props[0].id)), grpc.StatusCode.NOT_FOUND)
    assert (info.reason, info.metadata["id"]) == ("THING_NOT_FOUND", board.props[0].id)
    info = await refused(upload(client, pieces(board, PNG), tenant="other"), grpc.StatusCode.NOT_FOUND)
    assert info.reason == "STORYBOARD_NOT_FOUND"


async def test_there_is_room_for_twenty(client, board):
    full = [boards.still(f"t/acme/stills/{n}") for n in range(20)]
    changed = type(board)(id=board.id, characters=board.characters)
    changed.characters[1].references.extend(full)
    await client("UpdateStoryboard", storyboard=changed, update_mask={"paths": ["characters"]})
    assert "20 references" in (await violations(upload(client, pieces(board, PNG)), INVALID))["facts.thing_id"]
