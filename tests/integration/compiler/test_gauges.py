"""Films as metrics tell them: how many wait, how old the oldest is, and what their pictures cost."""

import prometheus_client

from services.compiler import domain, gauges
from tests.integration.compiler.conftest import Compiler


def value(name: str, **labels: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value(f"rushes_{name}", labels) or 0


async def test_a_film_is_seen_while_it_waits_and_when_it_is_made(compiler: Compiler) -> None:
    seen = gauges.Gauges(compiler.database)
    film = await compiler.create(await compiler.clip())
    await seen.look()
    assert value("films_open", state="QUEUED") == 1
    assert value("film_oldest_age_seconds", state="QUEUED") > 0
    made, pictures = value("films_total", state="COMPLETED"), value("film_frames_total", how="copied")
    await compiler.tick()
    await seen.look()
    assert (await compiler.film(film.id)).state is domain.State.COMPLETED
    assert value("films_open", state="QUEUED") == 0
    assert value("films_total", state="COMPLETED") == made + 1
    assert value("film_duration_seconds_count", state="COMPLETED") >= 1
    assert value("film_frames_total", how="copied") > pictures
