"""What the compiler does about FilmRequested."""

from rushes.compiler.v1 import events_pb2
from rushes.job.v1.events_pb2 import FilmRequested
from services.compiler import domain, events
from tests.integration.compiler.conftest import Compiler, edit_list


async def hear(compiler: Compiler, event: FilmRequested) -> None:
    async with compiler.database.house() as conn:
        await events.HANDLERS[FilmRequested](conn, event)


async def test_a_request_is_one_film_however_often_it_comes(compiler: Compiler) -> None:
    key = await compiler.clip()
    whose = {"tenant_id": "acme", "production_id": "prod_1", "storyboard_id": "sb_1"}
    event = FilmRequested(**whose, request_id="prod_1", edit_list=edit_list(key))
    for _ in range(3):
        await hear(compiler, event)
    (film,) = (await compiler("ListFilms", production_id="prod_1")).films
    assert (film.storyboard_id, film.cut_number) == ("sb_1", 1)
    await compiler.tick()
    *_, news = await compiler.said()
    assert isinstance(news, events_pb2.FilmCompleted)
    assert (news.production_id, news.film_id) == ("prod_1", film.id)


async def test_a_list_that_nobody_can_cut_has_failed_from_the_start(compiler: Compiler) -> None:
    event = FilmRequested(
        tenant_id="acme", production_id="prod_1", request_id="prod_1", edit_list=edit_list("t/other/clips/1.mp4")
    )
    for _ in range(2):
        await hear(compiler, event)
    (news,) = await compiler.said()
    assert isinstance(news, events_pb2.FilmFailed)
    assert (news.production_id, news.reason) == ("prod_1", "BAD_REQUEST")
    assert "edit_list.cuts[0].clip.key" in news.message
    assert (await compiler.film(news.film_id)).state is domain.State.FAILED
    assert await compiler.tick() == 0
