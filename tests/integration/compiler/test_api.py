"""Every RPC of CompilerService, over real gRPC, on a real PostgreSQL."""

import asyncio
import uuid
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from libs import ids
from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import compiler_service_pb2_grpc as pb_grpc
from rushes.compiler.v1 import events_pb2, film_pb2
from services.compiler import store
from tests.integration.compiler.conftest import Compiler, edit_list

KEY = "t/acme/clips/1.mp4"


async def refused(call: Any, code: grpc.StatusCode, kind: Any = error_details_pb2.ErrorInfo) -> Any:
    """The detail of a call that must fail with this code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is code, caught.value.details()
    found = kind()
    (packed,) = (it for it in rpc_status.from_call(caught.value).details if it.Is(kind.DESCRIPTOR))
    packed.Unpack(found)
    return found


async def test_a_film_is_accepted_at_once(compiler: Compiler) -> None:
    film = await compiler.create(KEY)
    assert ids.valid(film.id, "film")
    assert (film.state, film.production_id, film.HasField("progress")) == (film_pb2.Film.STATE_QUEUED, "", False)
    assert film.edit_list == edit_list(KEY)
    assert (await compiler("GetFilm", film_id=film.id)).film == film


async def test_the_same_request_id_is_the_same_film(compiler: Compiler) -> None:
    request = {"request_id": str(uuid.uuid4()), "edit_list": edit_list(KEY)}
    answers = await asyncio.gather(*(compiler("CreateFilm", **request) for _ in range(5)))
    assert len({answer.film.id for answer in answers}) == 1
    elsewhere = edit_list("t/other/clips/1.mp4")
    other = await compiler("CreateFilm", tenant="other", request_id=request["request_id"], edit_list=elsewhere)
    assert other.film.id != answers[0].film.id
    assert len((await compiler("ListFilms")).films) == 1


async def test_every_violation_is_named(compiler: Compiler) -> None:
    call = compiler("CreateFilm", request_id="no", edit_list=edit_list("t/other/clips/1.mp4", title=""))
    found = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, error_details_pb2.BadRequest)
    fields = [violation.field for violation in found.field_violations]
    assert fields == ["request_id", "edit_list.title", "edit_list.cuts[0].clip.key"]


@pytest.mark.parametrize("verb", ["GetFilm", "CancelFilm"])
async def test_films_of_others_are_not_found(compiler: Compiler, verb: str) -> None:
    film = await compiler.create(KEY)
    for tenant, film_id in (("other", film.id), ("acme", ids.new("film"))):
        info = await refused(compiler(verb, tenant, film_id=film_id), grpc.StatusCode.NOT_FOUND)
        assert (info.reason, info.domain) == ("FILM_NOT_FOUND", "compiler.rushes")
    assert (await compiler("ListFilms", "other")).films == []


async def test_nobody_gets_in_without_a_token(compiler: Compiler) -> None:
    stub = pb_grpc.CompilerServiceStub(compiler.door.channel)
    await refused(stub.ListFilms(pb.ListFilmsRequest(), timeout=10), grpc.StatusCode.UNAUTHENTICATED)


async def test_films_come_in_pages_newest_first(compiler: Compiler) -> None:
    made = [(await compiler.create(KEY)).id for _ in range(5)]
    await compiler.change(made[2], production_id="prod_1")
    first = await compiler("ListFilms", page_size=3)
    second = await compiler("ListFilms", page_size=3, page_token=first.next_page_token)
    assert [film.id for film in (*first.films, *second.films)] == made[::-1]
    assert second.next_page_token == ""
    assert [film.id for film in (await compiler("ListFilms", production_id="prod_1")).films] == [made[2]]
    await refused(
        compiler("ListFilms", production_id="prod_1", page_token=first.next_page_token),
        grpc.StatusCode.INVALID_ARGUMENT,
    )


async def test_the_cuts_of_a_storyboard_are_counted_and_found_whatever_else_is_cut(compiler: Compiler) -> None:
    board, other, request = ids.new("sb"), ids.new("sb"), {"request_id": str(uuid.uuid4())}
    again = [compiler("CreateFilm", **request, edit_list=edit_list(KEY), storyboard_id=board) for _ in range(3)]
    first, *repeats = [answer.film for answer in await asyncio.gather(*again)]
    assert (first.storyboard_id, first.cut_number, *repeats) == (board, 1, first, first)
    await asyncio.gather(compiler.create(KEY), compiler.cut(other, KEY), *(compiler.cut(board, KEY) for _ in range(4)))
    pages = [await compiler("ListFilms", storyboard_id=board, page_size=3)]
    pages.append(await compiler("ListFilms", storyboard_id=board, page_size=3, page_token=pages[0].next_page_token))
    assert sorted(film.cut_number for page in pages for film in page.films) == [1, 2, 3, 4, 5]
    assert [film.cut_number for film in (await compiler("ListFilms", storyboard_id=other)).films] == [1]
    assert not (await compiler("ListFilms", "other", storyboard_id=board)).films
    reused = compiler("CreateFilm", **request, edit_list=edit_list(KEY), storyboard_id=other)
    assert (await refused(reused, grpc.StatusCode.FAILED_PRECONDITION)).reason == "REQUEST_ID_REUSED"
    no_board = compiler.cut("prod_1", KEY)
    found = await refused(no_board, grpc.StatusCode.INVALID_ARGUMENT, error_details_pb2.BadRequest)
    assert [violation.field for violation in found.field_violations] == ["storyboard_id"]


async def test_the_other_cuts_keep_their_numbers_when_one_is_gone(compiler: Compiler) -> None:
    board = ids.new("sb")
    first, second, third = [await compiler.cut(board, KEY) for _ in range(3)]
    async with compiler.database.house() as conn:
        await conn.execute(sa.delete(store.FILMS).where(store.FILMS.c.id == second.id))
    assert (await compiler.cut(board, KEY)).cut_number == 4
    left = (await compiler("ListFilms", storyboard_id=board)).films
    assert [(film.id, film.cut_number) for film in left[1:]] == [(third.id, 3), (first.id, 1)]


async def test_cancelling(compiler: Compiler) -> None:
    film = await compiler.create(KEY)
    canceled = (await compiler("CancelFilm", film_id=film.id)).film
    assert canceled.state == film_pb2.Film.STATE_CANCELED
    assert (await compiler("CancelFilm", film_id=film.id)).film == canceled
    assert await compiler.tick() == 0
    (news,) = await compiler.said()
    assert isinstance(news, events_pb2.FilmFailed)
    assert news.reason == "FILM_CANCELED"


async def test_a_finished_film_cannot_be_cancelled(compiler: Compiler) -> None:
    film = await compiler.create(KEY)
    await compiler.tick()  # the clip does not exist
    info = await refused(compiler("CancelFilm", film_id=film.id), grpc.StatusCode.FAILED_PRECONDITION)
    assert (info.reason, info.metadata["state"]) == ("FILM_ALREADY_FINISHED", "failed")


async def test_watching_a_film_to_its_end(compiler: Compiler) -> None:
    film = await compiler.create(await compiler.clip(), await compiler.clip())
    watch = compiler.watch(film.id)
    seen = [(await anext(aiter(watch))).film]
    await compiler.tick()
    seen += [answer.film async for answer in watch]
    assert seen[0].state == film_pb2.Film.STATE_QUEUED
    assert seen[-1].state == film_pb2.Film.STATE_COMPLETED
    assert seen[-1].video.url.startswith("http://127.0.0.1:1/media/t/acme/films/")
    assert len({film.SerializeToString(deterministic=True) for film in seen}) == len(seen)
    assert not (await compiler("ListFilms")).films[0].HasField("video")


async def test_a_server_that_goes_away_ends_the_watch(compiler: Compiler) -> None:
    film = await compiler.create(KEY)
    watch = compiler.watch(film.id)
    await watch.read()
    compiler.api.draining.set()
    info = await refused(watch.read(), grpc.StatusCode.UNAVAILABLE)
    assert info.reason == "SERVER_DRAINING"
