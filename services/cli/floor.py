"""One call to the job service of the house that runs."""

import asyncio
import uuid
from pathlib import Path
from typing import TypeVar

from google.protobuf import message

from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from services.cli import board_file, client, exits, gateway, shelf

Answer = TypeVar("Answer", bound=message.Message)


def ask(home: Path, kind: type[Answer], request: message.Message) -> Answer:
    """Ask, and return the answer. Raises Ended."""
    of, verb = gateway.running(home), kind.DESCRIPTOR.name.removesuffix("Response")

    async def call() -> Answer:
        async with client.connect(of) as services:
            answer: Answer = await services.call(getattr(services.jobs, verb), request)
            return answer

    return asyncio.run(call())


def storyboard_id(home: Path, told: str) -> str:
    """The id that a person means: as it is written, or of a board file that was filmed here. Raises Ended."""
    if not _is_file(told):
        return told
    found = shelf.known(home, Path(told))
    if not found:
        raise exits.Ended(f"{told} was not filmed here yet; `rushes film {told}` does it.", exits.Code.NOT_FOUND)
    return found


def storyboard(home: Path, told: str) -> storyboard_pb2.Storyboard:
    """The storyboard that a person means, as it is now; what a board file says is brought to it. Raises Ended."""
    of = gateway.running(home)
    file = board_file.read(Path(told)) if _is_file(told) else None
    request = storyboard_service_pb2.GetStoryboardRequest(storyboard_id=told)

    async def call() -> storyboard_pb2.Storyboard:
        async with client.connect(of) as services:
            if file:
                return await shelf.storyboard(services, home, str(uuid.uuid4()), file)
            answer = await services.call(services.storyboards.GetStoryboard, request)
            found: storyboard_pb2.Storyboard = answer.storyboard
            return found

    return asyncio.run(call())


def _is_file(told: str) -> bool:
    return Path(told).is_file() or Path(told).suffix in (".yaml", ".yml")
