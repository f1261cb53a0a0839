"""Pieces of films on a real PostgreSQL: made once, used again, lost, evicted, waited for."""

import asyncio
import contextlib
import dataclasses
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rushes.type.v1 import edit_list_pb2
from services.compiler import clip_store, domain, segment_store, store
from tests.integration.compiler.conftest import Compiler, edit_list
from tests.unit.compiler import footage

OTHER_SIZE = footage.Take(size=(320, 192))
LONGER = footage.Take(seconds=footage.Fraction(3))


def joined(*keys: str) -> list[edit_list_pb2.Cut]:
    """These clips, each with a crossfade from the one before."""
    cuts = list(edit_list(*keys).cuts)
    for cut in cuts[1:]:
        cut.join.CopyFrom(edit_list_pb2.Join(kind=edit_list_pb2.Join.KIND_CROSSFADE, frames=6))
    return cuts


async def completed(compiler: Compiler, *keys: str, **fields: Any) -> Any:
    """A film of these clips, made whole."""
    film = await compiler.create(*keys, **fields)
    await compiler.tick()
    done = (await compiler("GetFilm", film_id=film.id)).film
    assert domain.State(done.State.Name(done.state).removeprefix("STATE_")) is domain.State.COMPLETED
    return done


async def made(compiler: Compiler) -> dict[str, int]:
    """How often each piece was begun."""
    return {row.address: row.attempts for row in await compiler.segments()}


async def test_a_piece_is_made_once_for_all_films(compiler: Compiler) -> None:
    odd, clip = await compiler.clip(OTHER_SIZE), await compiler.clip()
    first = await completed(compiler, clip, clip, odd)
    before = await made(compiler)
    second = await completed(compiler, odd, clip, clip)
    assert (first.copied_frames, first.encoded_frames, first.reused_frames) == (48, 24, 0)
    assert (second.copied_frames, second.encoded_frames, second.reused_frames) == (48, 0, 24)
    after = await made(compiler)
    assert set(after.values()) == {1}
    assert len(after) == len(before) + 2  # another sound, and other joins to look through


async def test_a_changed_scene_costs_that_scene_and_its_joins(compiler: Compiler) -> None:
    clips = [await compiler.clip(dataclasses.replace(LONGER, first_number=number * 30)) for number in range(4)]
    await completed(compiler, cuts=joined(*clips))
    before = await made(compiler)
    clips[0] = await compiler.clip(dataclasses.replace(LONGER, first_number=180))
    changed = await completed(compiler, cuts=joined(*clips))
    new = [row for row in await compiler.segments() if row.address not in before]
    assert sorted(row.kind for row in new) == ["Proof", "Render", "Sound"]
    assert changed.reused_frames == 2 * changed.encoded_frames > 0


async def test_a_film_that_was_made_before_is_that_film(compiler: Compiler) -> None:
    clip = await compiler.clip()
    first = await completed(compiler, clip)
    film = await compiler.create(clip)
    assert await compiler.tick() == 1
    second = (await compiler("GetFilm", film_id=film.id)).film
    assert (second.video.sha256, second.frames) == (first.video.sha256, first.frames)
    assert (second.encoded_frames, second.reused_frames) == (0, 24)
    assert (await compiler.film(film.id)).attempts == 1


async def test_a_film_whose_files_are_gone_is_made_again(compiler: Compiler) -> None:
    clip = await compiler.clip()
    await completed(compiler, clip)
    for path in (compiler.folder / "blobs").rglob("film.mp4"):
        path.unlink()
    again = await completed(compiler, clip)
    assert again.video.size_bytes > 0
    assert len(list((compiler.folder / "blobs").rglob("film.mp4"))) == 1


async def test_another_tenant_has_no_share_in_it(compiler: Compiler) -> None:
    await completed(compiler, await compiler.clip(), await compiler.clip(OTHER_SIZE))
    for tenant, pieces, clips in (("acme", 3, 2), ("other", 0, 0)):
        for table, count in ((segment_store.SEGMENTS, pieces), (clip_store.CLIPS, clips), (store.WANTED, 0)):
            async with compiler.database.tenant(tenant) as conn:
                assert (await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar() == count


async def test_a_clip_is_looked_into_once(compiler: Compiler) -> None:
    clip = await compiler.clip()
    await completed(compiler, clip)
    path = compiler.folder / "blobs" / clip
    path.unlink()
    film = await compiler.create(clip, title="Another title")
    await compiler.tick()
    failed = (await compiler("GetFilm", film_id=film.id)).film
    assert failed.error.reason == "CLIP_MISSING"  # found out when it was to be copied, not before
    assert failed.error.metadata["scene_id"] == "sc_0"


async def test_a_piece_that_is_lost_is_made_again(compiler: Compiler) -> None:
    clips = [await compiler.clip(), await compiler.clip(), await compiler.clip(OTHER_SIZE)]
    await completed(compiler, *clips)
    for path in (compiler.folder / "blobs" / "t" / "acme" / "segments").iterdir():
        path.unlink()
    again = await compiler.create(*clips, title="Another title")
    await compiler.tick()
    await compiler.bend_waiting()  # a proof looks for the copy that it needs, too
    await compiler.tick()
    assert (await compiler.film(again.id)).state is domain.State.COMPLETED
    assert {row.state for row in await compiler.segments()} == {"DONE"}


async def test_a_proof_that_does_not_fit_the_film_any_more_is_made_again(compiler: Compiler) -> None:
    """As it may be of a piece that was made anew by other encoders, or rot where it is kept."""
    clip = await compiler.clip()
    await completed(compiler, clip)
    (address,) = [row.address for row in await compiler.segments() if row.kind == "Proof"]
    for path in compiler.folder.rglob(f"*{address}*"):
        path.write_bytes(b"rotten")
    film = await compiler.create(clip, title="Another title")
    await compiler.tick()
    assert (await compiler.film(film.id)).state is domain.State.QUEUED
    await compiler.change(film.id, next_action_at=sa.func.now())
    await compiler.tick()
    assert (await compiler.film(film.id)).state is domain.State.COMPLETED


async def test_a_house_copy_that_is_lost_is_made_again_for_a_join(compiler: Compiler) -> None:
    clips = [await compiler.clip(LONGER), await compiler.clip(dataclasses.replace(LONGER, size=(320, 192)))]
    await completed(compiler, *clips)
    for path in (compiler.folder / "blobs" / "t" / "acme" / "segments").iterdir():
        path.unlink()
    film = await compiler.create(cuts=joined(*clips))
    await compiler.tick()
    await compiler.bend_waiting()
    await compiler.tick()
    assert (await compiler.film(film.id)).state is domain.State.COMPLETED


async def test_a_piece_that_cannot_be_made_fails_its_film_and_names_the_scene(compiler: Compiler) -> None:
    clips = [await compiler.clip(), await compiler.clip(OTHER_SIZE)]
    film = await compiler.create(*clips)
    worker = compiler.worker()
    await worker.films.tick(compiler.stop)
    await worker.films.idle()
    path = compiler.folder / "blobs" / clips[1]
    path.write_bytes(path.read_bytes()[:1000])
    await compiler.tick()
    failed = await compiler.film(film.id)
    assert failed.fault
    assert (failed.state, failed.fault.reason) == (domain.State.FAILED, "CLIP_UNREADABLE")
    assert failed.fault.metadata["scene_id"] == "sc_1"
    assert [row.state for row in await compiler.segments() if row.kind == "House"] == ["FAILED"]


async def test_a_full_disk_is_waited_for(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip())
    full = compiler.worker()
    full.shop.shelf._free_share = 7.0  # no disk has that
    await compiler.tick(full)
    waiting = await compiler.film(film.id)
    assert (waiting.state, waiting.attempts, waiting.fault) == (domain.State.QUEUED, 0, None)
    await compiler.change(film.id, next_action_at=sa.func.now())
    await compiler.tick()
    assert (await compiler.film(film.id)).state is domain.State.COMPLETED


async def test_what_nobody_uses_is_evicted(compiler: Compiler) -> None:
    await completed(compiler, await compiler.clip(), await compiler.clip(OTHER_SIZE))
    worker = compiler.worker(segments_kept_s=60)
    assert await worker.evict() == 0
    await compiler.bend(used_at=sa.func.now() - timedelta(seconds=61))
    assert await worker.evict() == 3
    assert await compiler.segments() == []
    assert list((compiler.folder / "blobs" / "t" / "acme" / "segments").iterdir()) == []


async def test_a_tenant_keeps_no_more_than_so_much_the_newest_first(compiler: Compiler) -> None:
    await completed(compiler, await compiler.clip(), await compiler.clip(OTHER_SIZE))
    rows = {row.kind: row for row in await compiler.segments()}
    async with compiler.database.house() as conn:
        old = segment_store.SEGMENTS.c.kind != "House"
        before = {"used_at": sa.func.now() - timedelta(minutes=1)}
        await conn.execute(sa.update(segment_store.SEGMENTS).where(old).values(before))
    assert await compiler.worker(segments_bytes=rows["House"].size_bytes).evict() == 2
    assert [row.kind for row in await compiler.segments()] == ["House"]


async def test_what_a_film_needs_is_never_evicted(compiler: Compiler) -> None:
    clips = [await compiler.clip(), await compiler.clip(), await compiler.clip(OTHER_SIZE)]
    await completed(compiler, *clips)
    await compiler.create(*clips[::-1])  # needs another sound, other joins to look through, and the same copy
    worker = compiler.worker(segments_kept_s=-60, segments_bytes=0)
    await worker.films.tick(compiler.stop)
    await worker.films.idle()
    assert len(await compiler.segments()) == 5
    assert await worker.evict() == 2
    assert sorted((row.kind, row.state) for row in await compiler.segments()) == [
        ("House", "DONE"),
        ("Proof", "WAITING"),
        ("Sound", "WAITING"),
    ]


async def test_the_database_itself_keeps_what_a_film_needs(compiler: Compiler) -> None:
    await compiler.create(await compiler.clip())
    worker = compiler.worker()
    await worker.films.tick(compiler.stop)
    await worker.films.idle()
    with pytest.raises(sa.exc.DBAPIError, match="film_segments"):
        async with compiler.database.house() as conn:
            await conn.execute(sa.delete(segment_store.SEGMENTS))


async def test_a_film_is_cancelled_at_any_moment(compiler: Compiler) -> None:
    """Its pieces stay for others, but nobody works on them for it."""
    film = await compiler.create(*[await compiler.clip(footage.Take(size=(64 * n, 64))) for n in range(1, 5)])
    working = asyncio.create_task(compiler.tick())
    await compiler.encoding()
    await compiler("CancelFilm", film_id=film.id)
    await working
    before = await made(compiler)
    assert await compiler.tick() == 0
    assert await made(compiler) == before
    assert (await compiler.film(film.id)).state is domain.State.CANCELED
    assert compiler.orders() == []


async def test_time_left_is_measured(compiler: Compiler) -> None:
    film = await compiler.create_long()
    working, left = asyncio.create_task(compiler.tick()), []
    while not working.done():
        seen = (await compiler("GetFilm", film_id=film.id)).film
        left += [seen.time_left.ToTimedelta()] if seen.HasField("time_left") else []
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(working), 0.1)
    assert max(left) > timedelta(0)
