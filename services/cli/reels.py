"""Asks the compiler about films, follows their cutting, and shows what it says to a person."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import rich.console
import rich.live
import rich.text
from google.protobuf import message

from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import film_pb2
from services.cli import client, exits, gateway, wire

Answer = TypeVar("Answer", bound=message.Message)

_SAID = {
    film_pb2.Film.STATE_QUEUED: "waits to be cut",
    film_pb2.Film.STATE_RUNNING: "cutting the film",
    film_pb2.Film.STATE_COMPLETED: "done",
    film_pb2.Film.STATE_FAILED: "failed",
    film_pb2.Film.STATE_CANCELED: "cancelled",
}


def ask(home: Path, kind: type[Answer], request: message.Message) -> Answer:
    """Ask, and return the answer. Raises Ended."""
    of, verb = gateway.running(home), kind.DESCRIPTOR.name.removesuffix("Response")

    async def call() -> Answer:
        async with client.connect(of) as services:
            answer: Answer = await services.call(getattr(services.films, verb), request)
            return answer

    return asyncio.run(call())


def list_all(
    home: Path, production: str, storyboard: str, count: int, as_json: bool, out: rich.console.Console
) -> None:
    """Print films."""
    request = pb.ListFilmsRequest(production_id=production, storyboard_id=storyboard, page_size=count)
    gateway.show(ask(home, pb.ListFilmsResponse, request), lambda one: map(line, one.films), as_json, out)


def cancel(home: Path, film_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Stop the cutting of one."""
    answer = ask(home, pb.CancelFilmResponse, pb.CancelFilmRequest(film_id=film_id))
    gateway.show(answer, lambda one: [line(one.film)], as_json, out)


def watch(home: Path, film_id: str, err: rich.console.Console) -> None:
    """Follow one to its end. Raises Ended when it was not made."""
    of = gateway.running(home)

    async def follow() -> None:
        async with client.connect(of) as services:
            judge(await followed(services, film_id, err))

    asyncio.run(follow())


async def followed(services: client.Client, film_id: str, err: rich.console.Console) -> film_pb2.Film:
    """Show the cutting of a film to its end: one line on a terminal, one for each change in a pipe. Raises Refused."""
    film, is_away = film_pb2.Film(), False

    def away(gone: bool) -> None:
        nonlocal is_away
        is_away = gone

    with _showing(lambda: _headline(film, is_away), err) as tell:
        async with contextlib.aclosing(services.watch_film(film_id, away)) as changes:
            async for news in changes:
                before, film = film, news.film if news.HasField("film") else film
                if film.state != before.state:
                    tell(_SAID.get(film.state, "?"))
    return film


def judge(film: film_pb2.Film) -> None:
    """Raises Ended when the film was not made, with what is wrong."""
    if film.state == film_pb2.Film.STATE_CANCELED:
        raise exits.Ended("The film was cancelled.", exits.Code.SCENES_FAILED)
    if film.state == film_pb2.Film.STATE_FAILED:
        raise exits.Ended(f"The film could not be made: {film.error.message}")


def line(of: film_pb2.Film) -> str:
    """A film in one line."""
    parts = [f"{of.id} {of.edit_list.title}", _SAID.get(of.state, "?")]
    if of.state == film_pb2.Film.STATE_RUNNING and of.HasField("progress"):
        parts[-1] += f" {of.progress:.0%}"
    if of.state == film_pb2.Film.STATE_COMPLETED:
        picture = f"{of.profile.size.width}x{of.profile.size.height}"
        parts.append(f"{of.duration.ToNanoseconds() / 1e9:.2f} s, {picture}")
    if of.error.message:
        parts.append(of.error.message.rstrip("."))
    if of.cut_number:
        parts.append(f"cut {of.cut_number} of {of.storyboard_id}")
    if of.production_id:
        parts.append(of.production_id)
    return "; ".join([*parts, f"asked for {wire.clock(of.create_time)}"])


def _headline(of: film_pb2.Film, is_away: bool) -> str:
    measured = f" {of.progress:.0%}" if of.progress else ""
    parts = [of.edit_list.title, f"{_SAID.get(of.state, 'asking')}{measured}"]
    return " · ".join([*parts, "the compiler is away, asking again"] if is_away else parts)


@contextlib.contextmanager
def _showing(headline: Callable[[], str], console: rich.console.Console) -> Iterator[Callable[[str], None]]:
    if console.is_terminal:
        with rich.live.Live(
            console=console, refresh_per_second=4, get_renderable=lambda: rich.text.Text(headline(), "bold")
        ):
            yield lambda said: None
    else:
        yield lambda said: console.print(said, markup=False)
