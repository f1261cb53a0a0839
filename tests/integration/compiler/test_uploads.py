"""Sounds come in pieces over real gRPC, and are kept in a real store."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from libs import blobs
from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import compiler_service_pb2_grpc as pb_grpc
from tests.integration.compiler.conftest import Compiler
from tests.integration.compiler.test_api import refused

WAV = b"RIFF\x24\x10\0\0WAVE" + bytes(4000)


def pieces(data: bytes, size: int = 1000, **facts: Any) -> Iterator[pb.UploadSoundRequest]:
    said = {"content_type": "audio/wav", "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    yield pb.UploadSoundRequest(facts=pb.UploadSoundRequest.Facts(**said | facts))
    for start in range(0, len(data), size):
        yield pb.UploadSoundRequest(data=data[start : start + size])


async def upload(compiler: Compiler, requests: Iterator[pb.UploadSoundRequest], tenant: str = "acme") -> Any:
    stub = pb_grpc.CompilerServiceStub(compiler.door.channel)
    return (await stub.UploadSound(requests, metadata=compiler.issuer.bearer(tenant), timeout=10)).sound


async def test_a_sound_is_kept_whole_under_its_digest(compiler: Compiler, tmp_path: Path) -> None:
    sound = await upload(compiler, pieces(WAV))
    digest = hashlib.sha256(WAV).hexdigest()
    assert (sound.key, sound.content_type) == (f"t/acme/sounds/{digest}.wav", "audio/wav")
    assert (sound.size_bytes, sound.sha256) == (len(WAV), digest)
    await compiler.files.get_file(sound.key, tmp_path / "sound")
    assert (tmp_path / "sound").read_bytes() == WAV


async def test_what_is_kept_is_not_sent_again(compiler: Compiler) -> None:
    first = await upload(compiler, pieces(WAV))
    facts_alone = iter([next(pieces(WAV))])
    assert await upload(compiler, facts_alone) == first
    assert await upload(compiler, pieces(WAV)) == first
    another = await refused(
        upload(compiler, iter([next(pieces(WAV))]), "other"),
        grpc.StatusCode.INVALID_ARGUMENT,
        error_details_pb2.BadRequest,
    )
    assert "short" in another.field_violations[0].description, "what one tenant has is nothing to another"


@pytest.mark.parametrize(
    ("requests", "field", "wrong"),
    [
        (lambda: pieces(b"<svg>" * 100), "data", "no audio/wav"),
        (lambda: pieces(WAV, content_type="audio/flac"), "data", "no audio/flac"),
        (lambda: pieces(WAV, sha256="0" * 64), "data", "sha256"),
        (lambda: pieces(WAV, size_bytes=len(WAV) + 1), "data", "1 bytes short"),
        (lambda: pieces(WAV, size_bytes=len(WAV) - 1), "data", "size_bytes in all"),
        (lambda: pieces(WAV + bytes(1_100_000), size=1_000_001), "data", "1000000 bytes a piece"),
        (lambda: pieces(WAV, size_bytes=200_000_001), "facts.size_bytes", "200000000"),
        (lambda: pieces(WAV, content_type="video/mp4"), "facts.content_type", "audio/ogg"),
        (lambda: pieces(WAV, sha256="A"), "facts.sha256", "64"),
        (lambda: iter([pb.UploadSoundRequest(data=WAV)]), "facts", "first"),
        (lambda: iter([]), "facts", "first"),
    ],
)
async def test_what_is_not_taken_is_told_and_not_kept(
    compiler: Compiler, requests: Any, field: str, wrong: str
) -> None:
    call = upload(compiler, requests())
    found = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, error_details_pb2.BadRequest)
    assert wrong in {one.field: one.description for one in found.field_violations}[field]
    with pytest.raises(blobs.BlobMissing):
        await compiler.files.stat(f"t/acme/sounds/{hashlib.sha256(WAV).hexdigest()}.wav")
