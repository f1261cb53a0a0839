"""Films in other forms, and stills of clips: over real gRPC, made by real workers."""

import hashlib
import io
import json
import uuid
import zipfile
from datetime import timedelta
from fractions import Fraction
from typing import Any

import grpc
import opentimelineio
import pytest
import sqlalchemy as sa
from google.protobuf import duration_pb2
from PIL import Image

from libs import ids
from rushes.compiler.v1 import export_pb2, film_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.compiler import export_store, manifest
from tests.integration.compiler.conftest import Compiler, clock, edit_list
from tests.integration.compiler.test_api import refused
from tests.unit.compiler import footage

Format = export_pb2.Export.Format
MADE_BY = {"provider": "openai", "model": "openai/sora-2", "prompt_sha256": "ab" * 32}


async def stored(compiler: Compiler, media: Any) -> bytes:
    key = media.url.removeprefix("http://127.0.0.1:1/media/").partition("?")[0]
    target = compiler.folder / "downloaded"
    await compiler.files.get_file(key, target)
    content = target.read_bytes()
    assert (media.size_bytes, media.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return content


async def filmed(compiler: Compiler, storyboard_id: str = "") -> Any:
    """A finished film of two scenes, made by known models, with captions; the cut of a storyboard, or of none."""
    edits = edit_list(await compiler.clip(), await compiler.clip(footage.Take(first_number=30)))
    for cut in edits.cuts:
        cut.provenance.CopyFrom(
            edit_list_pb2.Provenance(provider="openai", model="openai/sora-2", prompt_sha256="ab" * 32)
        )
    edits.cuts[0].captions.add(text="Guten Tag", first_frame=2, frames=10)
    edits.captions.language = "de"
    edits.title = "Der Brief"
    asked = {"request_id": str(uuid.uuid4()), "edit_list": edits, "storyboard_id": storyboard_id}
    film = (await compiler("CreateFilm", **asked)).film
    return await finished(compiler, film)


async def finished(compiler: Compiler, film: Any) -> Any:
    """The film once it is over; a woken film may be due a moment after its last piece."""
    while not film.HasField("end_time"):
        await compiler.tick()
        film = (await compiler("GetFilm", film_id=film.id)).film
    return film


async def exported(compiler: Compiler, film: Any, kind: Any) -> Any:
    await compiler("ExportFilm", film_id=film.id, format=kind)
    await compiler.tick()
    return (await compiler("ExportFilm", film_id=film.id, format=kind)).export


async def listed(compiler: Compiler, film_id: str) -> Any:
    return (await compiler("ListExports", film_id=film_id)).exports


async def test_a_finished_film_has_all_that_belongs_to_it(compiler: Compiler) -> None:
    film = await filmed(compiler)
    names = {
        field: getattr(film, field).file_name for field in ("sprite", "sprite_vtt", "captions_vtt", "captions_srt")
    }
    assert names == {
        "sprite": "Der Brief sprite.jpg",
        "sprite_vtt": "Der Brief sprite.vtt",
        "captions_vtt": "Der Brief.vtt",
        "captions_srt": "Der Brief.srt",
    }
    assert (await stored(compiler, film.sprite))[:2] == b"\xff\xd8"
    assert b"Der%20Brief%20sprite.jpg#xywh=0,0," in await stored(compiler, film.sprite_vtt)
    assert b"Guten Tag" in await stored(compiler, film.captions_vtt)
    assert (await stored(compiler, film.captions_srt)).startswith(b"1\n00:00:00,083 --> 00:00:00,500\nGuten Tag")
    told = manifest.read(await stored(compiler, film.manifest))
    assert (told.film_id, told.title, told.frames) == (film.id, "Der Brief", 48)
    assert told.file == manifest.File(film.video.sha256, film.video.size_bytes)
    assert [shot.maker and shot.maker.model for shot in told.shots] == ["openai/sora-2"] * 2


async def test_a_film_tells_what_is_odd_in_it_whenever_it_was_made(compiler: Compiler) -> None:
    odd = await compiler.clip(footage.Take(seconds=Fraction(3), dark=72, layout=""))
    told = [await finished(compiler, await compiler.create(await compiler.clip(), odd)) for _ in range(2)]
    kinds = film_pb2.Notice.Kind
    for film in told:
        black, silent = film.notices
        assert (black.kind, black.start.seconds, black.end.seconds) == (kinds.KIND_BLACK, 1, 4)
        assert (silent.kind, silent.end.seconds) == (kinds.KIND_SILENT, 4)


async def test_a_film_that_was_made_before_has_a_manifest_of_its_own(compiler: Compiler) -> None:
    keys = [await compiler.clip()]
    films = []
    for take in ("take_a", "take_b"):
        edits = edit_list(*keys)
        edits.cuts[0].take_id = take
        film = (await compiler("CreateFilm", request_id=str(uuid.uuid4()), edit_list=edits)).film
        films.append(await finished(compiler, film))
    one, other = films
    assert one.video.sha256 == other.video.sha256
    told = [json.loads(await stored(compiler, film.manifest)) for film in (one, other)]
    assert [each["shots"][0]["take_id"] for each in told] == ["take_a", "take_b"]
    assert [each["film_id"] for each in told] == [one.id, other.id]
    assert [film.chapters[0].take_id for film in films] == ["take_a", "take_b"]
    assert (one.chapters[0].start.ToNanoseconds(), one.chapters[0].end) == (0, one.duration)


@pytest.mark.parametrize(
    ("kind", "name", "start"),
    [
        (Format.FORMAT_EDL, "Der Brief - cut 1 - 96p.edl", b"TITLE: Der Brief\r\n"),
        (Format.FORMAT_FCPXML, "Der Brief - cut 1 - 96p.fcpxml", b"<?xml"),
        (Format.FORMAT_CSV, "Der Brief - cut 1 - 96p.csv", b"\xef\xbb\xbfnumber,title"),
        (Format.FORMAT_OTIO, "Der Brief - cut 1 - 96p.otio", b"{"),
    ],
)
async def test_a_film_as_another_editor_reads_it(compiler: Compiler, kind: Any, name: str, start: bytes) -> None:
    export = await exported(compiler, await filmed(compiler, ids.new("sb")), kind)
    assert [export.media.file_name] == [one.media.file_name for one in await listed(compiler, export.film_id)]
    assert (export.state, export.progress) == (export_pb2.Export.STATE_COMPLETED, 1.0)
    assert export.media.file_name == name
    assert (await stored(compiler, export.media)).startswith(start)


async def test_the_archive_of_scenes_opens_in_an_editor(compiler: Compiler) -> None:
    export = await exported(compiler, await filmed(compiler), Format.FORMAT_SCENES)
    assert export.media.file_name == "Der Brief scenes.zip"
    with zipfile.ZipFile(io.BytesIO(await stored(compiler, export.media))) as packed:
        timeline = opentimelineio.adapters.read_from_string(packed.read("Der Brief.otio").decode(), "otio_json")
        urls = [clip.media_reference.target_url.replace("%20", " ") for clip in timeline.find_clips()]
        assert urls == ["001 Scene no. 0.mp4", "002 Scene no. 1.mp4"]
        for number, url in enumerate(urls):
            assert packed.read(url) == (compiler.folder / f"{number}.mp4").read_bytes()
        assert {"Der Brief.edl", "Der Brief.fcpxml", "Der Brief.csv", "manifest.json"} < set(packed.namelist())


async def test_a_film_for_streaming(compiler: Compiler) -> None:
    export = await exported(compiler, await filmed(compiler), Format.FORMAT_HLS)
    assert export.media.content_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(await stored(compiler, export.media))) as packed:
        assert b"RESOLUTION=80x48" in packed.read("master.m3u8")
    assert compiler.orders() == []


async def test_the_same_export_is_made_once(compiler: Compiler) -> None:
    film = await filmed(compiler)
    first = await exported(compiler, film, Format.FORMAT_EDL)
    again = (await compiler("ExportFilm", film_id=film.id, format=Format.FORMAT_EDL)).export
    assert (again.state, again.create_time) == (export_pb2.Export.STATE_COMPLETED, first.create_time)
    assert await compiler.tick() == 0
    await exported(compiler, film, Format.FORMAT_CSV)
    found = (await compiler("ListExports", film_id=film.id)).exports
    assert [one.format for one in found] == [Format.FORMAT_CSV, Format.FORMAT_EDL]


async def test_what_a_dead_replica_had_is_exported_by_another(compiler: Compiler) -> None:
    film = await filmed(compiler)
    await compiler("ExportFilm", film_id=film.id, format=Format.FORMAT_EDL)
    async with compiler.database.house() as conn:
        await export_store.claim(conn, "dead", 30)
    assert await compiler.tick() == 0
    async with compiler.database.house() as conn:
        ended = {"lease_until": clock() - timedelta(seconds=1)}
        await conn.execute(sa.update(export_store.EXPORTS).values(ended))
    await compiler.tick()
    (export,) = (await compiler("ListExports", film_id=film.id)).exports
    assert export.state == export_pb2.Export.STATE_COMPLETED


async def test_an_export_of_clips_that_are_gone_fails_and_may_be_asked_for_again(compiler: Compiler) -> None:
    film = await filmed(compiler)
    await compiler.files.delete("t/acme/clips/0.mp4")
    await compiler("ExportFilm", film_id=film.id, format=Format.FORMAT_SCENES)
    await compiler.tick()
    (export,) = (await compiler("ListExports", film_id=film.id)).exports
    assert (export.state, export.error.reason) == (export_pb2.Export.STATE_FAILED, "EXPORT_SOURCE_MISSING")
    again = (await compiler("ExportFilm", film_id=film.id, format=Format.FORMAT_SCENES)).export
    assert again.state == export_pb2.Export.STATE_QUEUED
    await compiler.files.put_file("t/acme/clips/0.mp4", compiler.folder / "0.mp4", "video/mp4")
    await compiler.tick()
    (export,) = (await compiler("ListExports", film_id=film.id)).exports
    assert export.state == export_pb2.Export.STATE_COMPLETED


async def test_only_finished_films_are_exported(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip())
    call = compiler("ExportFilm", film_id=film.id, format=Format.FORMAT_EDL)
    info = await refused(call, grpc.StatusCode.FAILED_PRECONDITION)
    assert (info.reason, info.metadata["state"]) == ("FILM_NOT_COMPLETED", "queued")
    for verb, fields in (("ExportFilm", {"format": Format.FORMAT_EDL}), ("ListExports", {})):
        info = await refused(compiler(verb, "other", film_id=film.id, **fields), grpc.StatusCode.NOT_FOUND)
        assert info.reason == "FILM_NOT_FOUND"
    await refused(compiler("ExportFilm", film_id=film.id), grpc.StatusCode.INVALID_ARGUMENT)


async def blob(compiler: Compiler, take: footage.Take | None = None) -> media_pb2.Blob:
    key = await compiler.clip(take)
    content = (compiler.folder / key.rpartition("/")[2]).read_bytes()
    return media_pb2.Blob(key=key, sha256=hashlib.sha256(content).hexdigest())


async def test_a_still_is_taken_once(compiler: Compiler) -> None:
    clip = await blob(compiler)
    first = await compiler("ExtractStill", clip=clip, last_frame=True)
    with Image.open(io.BytesIO(await stored(compiler, first.media))) as picture:
        assert (picture.format, picture.size) == ("PNG", (footage.WIDTH, footage.HEIGHT))
    await compiler.files.delete(clip.key)
    again = await compiler("ExtractStill", clip=clip, last_frame=True)
    assert (again.still, again.still.key.startswith("t/acme/stills/")) == (first.still, True)
    info = await refused(
        compiler("ExtractStill", clip=clip, time=duration_pb2.Duration(nanos=500_000_000)), grpc.StatusCode.NOT_FOUND
    )
    assert (info.reason, info.metadata["key"]) == ("STILL_SOURCE_MISSING", clip.key)


async def test_stills_of_what_is_no_clip_are_refused(compiler: Compiler) -> None:
    clip = await blob(compiler)
    other = media_pb2.Blob(key=clip.key, sha256="0" * 64)
    info = await refused(compiler("ExtractStill", clip=other), grpc.StatusCode.FAILED_PRECONDITION)
    assert info.reason == "STILL_SOURCE_UNREADABLE"
    (compiler.folder / "bad.mp4").write_bytes(b"bad")
    await compiler.files.put_file("t/acme/clips/bad.mp4", compiler.folder / "bad.mp4", "video/mp4")
    bad = media_pb2.Blob(key="t/acme/clips/bad.mp4", sha256=hashlib.sha256(b"bad").hexdigest())
    info = await refused(compiler("ExtractStill", clip=bad), grpc.StatusCode.FAILED_PRECONDITION)
    assert info.metadata["problem"] == "is no MP4 file"
    await refused(compiler("ExtractStill", "other", clip=clip), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(compiler("ExtractStill", clip=clip, longest_side=9), grpc.StatusCode.INVALID_ARGUMENT)
