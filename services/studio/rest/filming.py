"""Routes that ask twice: a quote of a whole storyboard, and productions of its newest revision."""

from starlette import responses

from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb
from rushes.provider_gateway.v1 import quote_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from services.studio.rest import binding, calls


async def quote(asked: calls.Asked) -> responses.Response:
    """The price of every scene of a revision, made anew."""
    composed = await asked.ask("boards.ComposePrompts", asked.message)
    items = [quote_pb2.QuoteItem(scene_id=it.scene_id, spec=it.spec) for it in composed.prompts]
    request_id = binding.request_id(asked.request)
    wanted = gateway_pb.CreateQuoteRequest(request_id=request_id, items=items)
    made = (await asked.ask("gateway.CreateQuote", wanted)).quote
    return calls.written(made, 201, {"cache-control": "no-store", "location": f"/v1/quotes/{made.id}"})


async def newest(asked: calls.Asked) -> responses.Response:
    """Pass the call on; a revision that is not named is the newest."""
    if not asked.message.revision:
        wanted = boards_pb.GetStoryboardRequest(storyboard_id=asked.message.storyboard_id)
        asked.message.revision = (await asked.ask("boards.GetStoryboard", wanted)).storyboard.revision
    return calls.answer(asked, await asked.ask(asked.route.call, asked.message))
