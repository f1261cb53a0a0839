"""Workers on a real PostgreSQL, with real clips and real processes."""

import asyncio
import dataclasses
import hashlib
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from libs import blobs
from rushes.compiler.v1 import events_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.compiler import domain, segment_store, segments, store, ticks
from tests.integration.compiler.conftest import Compiler, clock
from tests.unit.compiler import footage


async def test_a_film_is_cut_kept_and_told(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip(), await compiler.clip(footage.Take(size=(320, 192))))
    assert await compiler.tick() == 5  # the film, a clip that does not fit, the sound, a proof, the film again
    done = (await compiler("GetFilm", film_id=film.id)).film
    assert (done.frames, done.duration.seconds, done.progress) == (48, 2, 1.0)
    assert (done.copied_cuts, done.conformed_cuts) == (1, 1)
    assert done.profile.size == media_pb2.FrameSize(width=160, height=96)
    assert done.profile.frame_rate == edit_list_pb2.FrameRate(numerator=24, denominator=1)
    for media, magic in ((done.video, b"ftyp"), (done.poster, b"\xff\xd8"), (done.contact_sheet, b"\xff\xd8")):
        content = await stored(compiler, media)
        assert magic in content[:8]
        assert (media.size_bytes, media.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    *_, news = await compiler.said()
    assert isinstance(news, events_pb2.FilmCompleted)
    assert (news.tenant_id, news.film_id, news.frames) == ("acme", film.id, 48)
    assert compiler.orders() == []
    assert await compiler.tick() == 0


async def stored(compiler: Compiler, media: Any) -> bytes:
    key = media.url.removeprefix("http://127.0.0.1:1/media/").partition("?")[0]
    target = compiler.folder / "downloaded"
    await compiler.files.get_file(key, target)
    return target.read_bytes()


async def test_a_missing_clip_is_final(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip(), "t/acme/clips/gone.mp4")
    await compiler.tick()
    failed = (await compiler("GetFilm", film_id=film.id)).film
    assert failed.error.reason == "CLIP_MISSING"
    assert failed.error.message == (
        'The clip of "Scene no. 1" (scene sc_1) is not in the blob store; film the scene again.'
    )
    assert failed.error.metadata["take_id"] == "take_1"
    (news,) = await compiler.said()
    assert isinstance(news, events_pb2.FilmFailed)
    assert (news.reason, news.message) == (failed.error.reason, failed.error.message)


async def test_a_broken_clip_is_final(compiler: Compiler) -> None:
    (compiler.folder / "broken.mp4").write_bytes(b"<html>")
    await compiler.files.put_file("t/acme/clips/broken.mp4", compiler.folder / "broken.mp4", "video/mp4")
    film = await compiler.create("t/acme/clips/broken.mp4")
    await compiler.tick()
    assert (await compiler("GetFilm", film_id=film.id)).film.error.reason == "CLIP_UNREADABLE"
    assert compiler.orders() == []


def away(compiler: Compiler) -> ticks.Compiling:
    """A replica that cannot reach the media store."""
    return compiler.worker(files=blobs.open_store("s3://a:b@127.0.0.1:1/none?secure=false"))


async def test_what_may_pass_is_tried_again_later(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip())
    before = clock()
    await compiler.tick(away(compiler))
    waiting = await compiler.film(film.id)
    assert (waiting.state, waiting.attempts) == (domain.State.QUEUED, 1)
    assert waiting.next_action_at
    assert waiting.next_action_at > before + timedelta(seconds=1)
    assert await compiler.tick() == 0  # not yet
    await compiler.change(film.id, next_action_at=sa.func.now())
    assert await compiler.tick() == 4
    assert (await compiler.film(film.id)).state is domain.State.COMPLETED


async def test_after_many_attempts_it_has_failed(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip())
    await compiler.change(film.id, attempts=domain.MOST_ATTEMPTS - 1)
    await compiler.tick(away(compiler))
    failed = await compiler.film(film.id)
    assert failed.fault
    assert (failed.fault.reason, failed.fault.metadata["attempts"]) == ("COMPILER_EXHAUSTED", "6")


async def test_a_film_that_kills_its_process_each_time_is_given_up(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip())
    await compiler.change(film.id, attempts=domain.MOST_ATTEMPTS)
    await compiler.tick()
    assert (await compiler.film(film.id)).state is domain.State.FAILED


async def test_two_workers_never_have_the_same_film(compiler: Compiler) -> None:
    films = [await compiler.create("t/acme/clips/gone.mp4") for _ in range(6)]
    counts = await asyncio.gather(*(compiler.worker().films.tick(compiler.stop) for _ in range(8)))
    assert sorted(counts) == [0, 0, 1, 1, 1, 1, 1, 1]
    await compiler.idle()
    assert len(await compiler.said()) == len(films)


async def test_a_film_that_is_cancelled_is_dropped(compiler: Compiler) -> None:
    film = await compiler.create_long()
    cutting = asyncio.create_task(compiler.tick())
    await compiler.encoding()
    await compiler("CancelFilm", film_id=film.id)
    await cutting
    assert (await compiler.film(film.id)).state is domain.State.CANCELED
    assert compiler.orders() == []
    assert [type(news) for news in await compiler.said() if not isinstance(news, events_pb2.FilmProgressed)] == [
        events_pb2.FilmFailed
    ]


async def test_a_stopping_replica_hands_back_what_it_has(compiler: Compiler) -> None:
    film = await compiler.create_long()
    cutting = asyncio.create_task(compiler.worker().run(compiler.stop))
    await compiler.encoding()
    compiler.stop.set()
    await cutting
    assert (await compiler.film(film.id)).attempts == 0
    assert {(row.state, row.attempts) for row in await compiler.segments() if row.kind == "House"} == {("WAITING", 0)}
    assert list(compiler.folder.glob("rushes-*")) == []


async def test_a_worker_that_lost_its_lease_changes_nothing(compiler: Compiler) -> None:
    """As after a pause longer than the lease: another has claimed the piece, and decides."""
    await compiler.create_long()
    slow = asyncio.create_task(compiler.tick(compiler.worker(compiler_workers=1)))
    await compiler.encoding()
    await compiler.bend(lease_until=sa.func.now() - timedelta(seconds=1))
    async with compiler.database.house() as conn:
        claimed = await segment_store.claim(conn, "another", 30)
    assert claimed
    await slow
    (row,) = [row for row in await compiler.segments() if row.address == claimed.address]
    assert (row.state, row.lease_epoch, row.lease_owner) == ("RUNNING", claimed.lease_epoch, "another")
    late = segments.put_off(dataclasses.replace(claimed, lease_epoch=1), 0, clock())
    with pytest.raises(store.LeaseLost):
        async with compiler.database.house() as conn:
            await segment_store.save(conn, late)


async def test_a_dead_replicas_film_is_claimed_when_its_lease_runs_out(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip())
    async with compiler.database.house() as conn:
        await store.claim(conn, "dead", 0.0)
    (compiler.folder / "rushes-compiler-dead" / "shelf").mkdir(parents=True)  # what it left
    await compiler.tick()
    done = await compiler.film(film.id)
    assert (done.state, done.lease_epoch) == (domain.State.COMPLETED, 3)
    assert list(compiler.folder.glob("rushes-compiler-dead*")) == []


async def test_renewing_is_no_change_that_can_be_seen(compiler: Compiler) -> None:
    film = await compiler.create("t/acme/clips/gone.mp4")
    async with compiler.database.house() as conn:
        claimed = await store.claim(conn, "one", 30)
    assert claimed
    versions = []
    for progress in (None, None, 0.25, 0.25, 0.5):
        async with compiler.database.house() as conn:
            await store.renew(conn, claimed, 30, progress)
        versions.append((await compiler.film(film.id)).version)
    assert versions == [2, 2, 3, 3, 4]


async def test_the_database_keeps_an_end_an_end(compiler: Compiler) -> None:
    film = await compiler.create("t/acme/clips/gone.mp4")
    await compiler("CancelFilm", film_id=film.id)
    with pytest.raises(sa.exc.DBAPIError, match="is final"):
        await compiler.change(film.id, state="RUNNING", ended_at=None, next_action_at=sa.func.now())


async def test_tenants_cannot_see_each_other_even_in_sql(compiler: Compiler) -> None:
    await compiler.create("t/acme/clips/1.mp4")
    count = sa.select(sa.func.count()).select_from(store.FILMS)
    for tenant, seen in (("acme", 1), ("other", 0)):
        async with compiler.database.tenant(tenant) as conn:
            assert (await conn.execute(count)).scalar() == seen


async def test_progress_is_told_while_it_is_cut(compiler: Compiler) -> None:
    film = await compiler.create_long()
    await compiler.tick()
    *progress, end = await compiler.said()
    assert isinstance(end, events_pb2.FilmCompleted)
    shares = [news.progress for news in progress if isinstance(news, events_pb2.FilmProgressed)]
    assert shares == sorted(set(shares))
    assert len(shares) == len(progress) > 0
    assert {news.film_id for news in progress} == {film.id}
    done = (await compiler("GetFilm", film_id=film.id)).film
    assert (done.encoded_frames, done.copied_frames, done.reused_frames) == (240, 0, 0)
    assert not done.HasField("time_left")
