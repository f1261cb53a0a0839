"""Brings a finished film to this disk: the film, its poster and its contact sheet."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import rich.console

from rushes.compiler.v1 import compiler_service_pb2, film_pb2
from rushes.type.v1 import money_pb2
from services.cli import client, download, progress


async def deliver(
    services: client.Client,
    told: progress.Production,
    output: Path,
    as_json: bool,
    out: rich.console.Console,
    say: Callable[[str], None],
) -> None:
    """Write the film of a production; its path, or the JSON document, goes to `out`. Raises Refused or Ended."""
    await bring(services, told.told.film_id, output, as_json, out, say, _production(told))


async def bring(
    services: client.Client,
    film_id: str,
    output: Path,
    as_json: bool,
    out: rich.console.Console,
    say: Callable[[str], None],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write the three files; the path of the film, or the JSON document, goes to `out`. Raises Refused or Ended."""
    request = compiler_service_pb2.GetFilmRequest(film_id=film_id)
    film: film_pb2.Film = (await services.call(services.films.GetFilm, request)).film
    paths = _paths(output)
    for media, path in zip((film.video, film.poster, film.contact_sheet), paths, strict=True):
        await download.fetch(media, path)
    if as_json:
        out.print_json(json.dumps(_document(film, paths) | dict(more)))
    else:
        seconds = film.duration.ToNanoseconds() / 1e9
        say(f"{seconds:.2f} s, {film.profile.size.width}x{film.profile.size.height}, with {paths[1]} and {paths[2]}")
        out.print(str(paths[0]), markup=False)


def _paths(film: Path) -> Sequence[Path]:
    return film, film.with_suffix(".poster.jpg"), film.with_suffix(".contact.jpg")


def _document(film: film_pb2.Film, paths: Sequence[Path]) -> dict[str, Any]:
    return {
        "film": str(paths[0]),
        "poster": str(paths[1]),
        "contact_sheet": str(paths[2]),
        "duration_seconds": film.duration.ToNanoseconds() / 1e9,
        "frames": film.frames,
        "film_id": film.id,
        "copied_cuts": film.copied_cuts,
        "conformed_cuts": film.conformed_cuts,
    }


def _production(told: progress.Production) -> dict[str, Any]:
    return {
        "production_id": told.told.id,
        "storyboard_id": told.told.storyboard_id,
        "revision": told.told.revision,
        "most_you_can_pay": _money(told.told.most_you_can_pay),
        "cost": _money(told.told.cost),
        "scenes": [
            {"number": job.scene_number, "title": job.scene_title, "job_id": job.id, "state": progress.state(job)}
            for job in told.lines()
        ],
    }


def _money(of: money_pb2.Money) -> dict[str, str | int]:
    return {"currency": of.currency, "micros": of.micros}
