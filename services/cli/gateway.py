"""One call to the gateway of the house that runs, and its answer on a screen or as JSON."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import rich.console
from google.protobuf import json_format, message

from services.cli import client, exits, house, state

Answer = TypeVar("Answer", bound=message.Message)


def running(home: Path) -> house.House:
    """The house that runs there. Raises Ended: none is started to be asked, for it would buy what waits there."""
    if not house.is_elsewhere(home) and state.read(home) is None:
        raise exits.Ended(f"No house runs in {home}; `rushes up` starts it.", exits.Code.NOT_FOUND)
    return house.load(home)


def ask(home: Path, kind: type[Answer], request: message.Message) -> Answer:
    """Ask, and return the answer. Raises Ended."""
    of, verb = running(home), kind.DESCRIPTOR.name.removesuffix("Response")

    async def call() -> Answer:
        async with client.connect(of) as services:
            answer: Answer = await services.call(getattr(services.gateway, verb), request)
            return answer

    return asyncio.run(call())


def show(answer: Answer, lines: Callable[[Answer], Iterable[str]], as_json: bool, out: rich.console.Console) -> None:
    """Print an answer: a line for each thing, or one JSON document."""
    if as_json:
        out.print_json(json_format.MessageToJson(answer, preserving_proto_field_name=True))
        return
    for line in lines(answer):
        out.print(line, markup=False)
