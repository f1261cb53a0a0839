"""Links to takes: the job service says what a take is, the compiler takes a picture of it and shows both."""

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf import message
from starlette import responses

from rushes.compiler.v1 import compiler_service_pb2 as compiler_pb
from rushes.compiler.v1 import share_pb2
from rushes.job.v1 import job_service_pb2 as jobs_pb
from services.studio.rest import calls

_POSTER_PIXELS = 1280

Ask = Callable[[str, message.Message], Awaitable[Any]]
"""The answer of a call such as "jobs.GetTake", as whoever shares. Raises AioRpcError."""


async def of_take(asked: calls.Asked) -> responses.Response:
    """Fill the call with the take that the address names, and pass it on."""
    asked.message.take.CopyFrom(await shown(asked.ask, asked.path["take_id"]))
    return calls.answer(asked, await asked.ask(asked.route.call, asked.message))


async def shown(ask: Ask, take_id: str) -> share_pb2.SharedTake:
    """The take as people are to see it, with a picture of it."""
    take = (await ask("jobs.GetTake", jobs_pb.GetTakeRequest(take_id=take_id))).take
    wanted = compiler_pb.ExtractStillRequest(clip=take.clip, longest_side=_POSTER_PIXELS)
    still = (await ask("compiler.ExtractStill", wanted)).still
    title = take.scene_title or f"Scene {take.scene_number}"
    return share_pb2.SharedTake(
        take_id=take.id, clip=take.clip, poster=still, title=title, duration=take.duration, model=take.model
    )
