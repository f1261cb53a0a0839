"""Links to takes: the job service says what a take is, the compiler takes a picture of it and shows both."""

from starlette import responses

from rushes.compiler.v1 import compiler_service_pb2 as compiler_pb
from rushes.job.v1 import job_service_pb2 as jobs_pb
from services.studio.rest import calls, refusals

_POSTER_PIXELS = 1280


async def of_take(asked: calls.Asked) -> responses.Response:
    """Fill the call with the take that the address names, and pass it on."""
    if asked.message.HasField("take"):
        raise refusals.bad_request([{"pointer": "/take", "detail": "is not for the body: the address names the take"}])
    take = (await asked.ask("jobs.GetTake", jobs_pb.GetTakeRequest(take_id=asked.path["take_id"]))).take
    wanted = compiler_pb.ExtractStillRequest(clip=take.clip, longest_side=_POSTER_PIXELS)
    still = (await asked.ask("compiler.ExtractStill", wanted)).still
    into = asked.message.take
    into.take_id, into.model = take.id, take.model
    into.title = take.scene_title or f"Scene {take.scene_number}"
    into.clip.CopyFrom(take.clip)
    into.poster.CopyFrom(still)
    into.duration.CopyFrom(take.duration)
    return calls.answer(asked, await asked.ask(asked.route.call, asked.message))
