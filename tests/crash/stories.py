"""What is filmed while something breaks: scenes with their disasters, and what leads to each place."""

import dataclasses
import itertools
import uuid
from collections.abc import Sequence
from typing import Any

from rushes.job.v1 import job_service_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from services.cli import wire
from tests.crash import rig as rigs


@dataclasses.dataclass(frozen=True)
class Story:
    """A scene: which model, what goes wrong at its provider, how many seconds are ordered, and its seam."""

    name: str
    model: str
    disaster: str = ""
    seconds: int = 1
    seam: clip_pb2.Seam = clip_pb2.SEAM_UNSPECIFIED


PLAIN = Story("plain", "sandbox/reel-1")
CALLED = Story("called", "sandbox/omni-1", seconds=3)
OWNED = Story("owned", "sandbox/replicate-reel")
NAMELESS = Story("nameless", "sandbox/openrouter-reel", "[[webhook_none]]")
LOST = Story("lost", "sandbox/fal-reel", "[[drop_reply]]")
BOARD = (PLAIN, CALLED, OWNED, NAMELESS, LOST)
"""What is filmed in every round, without a seam: five dialects, of which some know an order again, some have lists,
some call back and one has nothing; one is bought with a key of the tenant's own; one answer is lost."""

LOST_REPLIES = tuple(dataclasses.replace(one, disaster="[[drop_reply]]") for one in BOARD)
"""The board, every answer of which is lost on the wire."""

REFUSED = Story("refused", "sandbox/reel-1", "[[refused]]")
FAILS = Story("fails", "sandbox/reel-1", "[[fails]]")
EXPIRES = Story("expires", "sandbox/reel-1", "[[url_expires(3)]] [[truncated]]")
DRIPS = Story("drips", "sandbox/reel-1", "[[slow_drip(8192)]]")
NEVER_TAKEN = Story("never taken", "sandbox/replicate-reel", "[[busy(1)]]")
LATE = Story("late", "sandbox/fal-reel", "[[drop_reply]] [[list_lag(6)]] [[webhook_none]]")
SLOW = Story("slow", "sandbox/reel-1", "[[slow(2)]]")
STOPPED = Story("stopped", "sandbox/runware-reel")

VANISHED = Story("vanished", "sandbox/omni-1", "[[hidden(21)]] [[webhook_none]]", seconds=3)
CLOSED_AS_CHARGED = Story("closed as charged", "sandbox/fal-reel", "[[busy(1)]]")
CLOSED_AS_FREE = Story("closed as free", "sandbox/fal-reel", "[[busy(1)]]")
CLOSED_BY_TIME = Story("closed by time", "sandbox/fal-reel", "[[busy(1)]]")
SWITCHED_OFF = Story("switched off", "sandbox/reel-1", "[[busy(9)]]")
ASKED_FOR_AGAIN = dataclasses.replace(EXPIRES, name="asked for again")
WAITS_TOO_LONG = Story("waits too long", "sandbox/runware-reel")
NEVER_SENT = Story("never sent", "sandbox/veo-1", seconds=4)
TOUR = (
    *(VANISHED, CLOSED_AS_CHARGED, CLOSED_AS_FREE, CLOSED_BY_TIME, SWITCHED_OFF, ASKED_FOR_AGAIN, WAITS_TOO_LONG),
    *(NEVER_SENT, LATE, REFUSED, FAILS, NEVER_TAKEN),
)
"""Scenes that come to every state on every way, with the help of time and of persons."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a round needs to come to its place: more scenes, and what happens around them.

    `first` is a place of the same service at which something has to die before; `most` is the most often that the
    place is surely reached.
    """

    more: tuple[Story, ...] = ()
    cancelled: tuple[Story, ...] = ()
    """A second production, which is cancelled while the first is filmed."""
    fresh: bool = False
    """The gateways begin anew, with the other key of the vault."""
    away: bool = False
    """The provider is down when the orders are sent."""
    unwanted: bool = False
    """What could not be sent is not wanted any more."""
    first: str = ""
    most: int = 2


NO_PLAN = Plan()

_LEADS_TO = {
    "admit.": Plan((STOPPED, STOPPED), most=1),
    "callback.": Plan((CALLED,)),
    "cancel.": Plan(cancelled=(SLOW,), most=1),
    "claim.FETCHING.": Plan(first="fetch.whole", most=1),
    "claim.SENDING.": Plan(first="order.sent", most=1),
    "claim.UNRESOLVED.": Plan((LATE, LATE)),
    "failed.": Plan((FAILS, FAILS), most=1),
    "key.opened": Plan(fresh=True, most=1),
    "key.rewrapped": Plan(fresh=True, most=1),
    "lease.renew": Plan((DRIPS,)),
    "lookup.done": Plan((LOST,)),
    "production.": Plan(most=1),
    "settle.": Plan(most=1),
    "stored.": Plan(most=1),
    "take.": Plan(most=1),
    "record.ABSENT.": Plan((NEVER_TAKEN, NEVER_TAKEN)),
    "record.CANCELED_FREE.": Plan(away=True, unwanted=True),
    "record.CLIP_EXPIRED.": Plan((EXPIRES, EXPIRES)),
    "record.INTENT.": Plan(away=True),
    "record.PROVIDER_FAILED.": Plan((FAILS, FAILS)),
    "record.REJECTED.": Plan((REFUSED, REFUSED)),
    "record.UNKNOWN.": Plan((LOST,)),
    "record.UNRESOLVED.": Plan((LATE, LATE)),
}

_numbers = itertools.count(1)


def plan(place: str) -> Plan:
    """What leads to a place."""
    name = place.partition(" ")[2]
    return next((found for begins, found in _LEADS_TO.items() if name.startswith(begins)), NO_PLAN)


async def quoted(rig: "rigs.Rig", board: Sequence[Story]) -> tuple[Any, dict[str, Story]]:
    """The request for a production of these scenes, quoted; and each story by its scene's id."""
    number = next(_numbers)
    scenes = [
        storyboard_pb2.Scene(
            title=f"{story.name} {number}.{index}",
            subject=f"A lighthouse, take {number}.{index}. {story.disaster}".strip(),
            duration=rigs.seconds(story.seconds),
            model=story.model,
            seam=story.seam,
        )
        for index, story in enumerate(board)
    ]
    sketch = storyboard_pb2.Storyboard(
        name=f"Round {number}", scenes=scenes, size=media_pb2.FrameSize(width=1280, height=720)
    )
    services = rig.services
    request = storyboard_service_pb2.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=sketch)
    made = (await rig.call(services.storyboards.CreateStoryboard, request)).storyboard
    asked = storyboard_service_pb2.ComposePromptsRequest(storyboard_id=made.id, revision=made.revision)
    composed = await rig.call(services.storyboards.ComposePrompts, asked)
    wanted = gateway_pb2.CreateQuoteRequest(request_id=str(uuid.uuid4()), items=wire.items(composed.prompts))
    quote = (await rig.call(services.gateway.CreateQuote, wanted)).quote
    told = job_service_pb2.CreateProductionRequest(
        request_id=str(uuid.uuid4()), storyboard_id=made.id, revision=made.revision, quote_id=quote.id
    )
    return told, {prompt.scene_id: story for prompt, story in zip(composed.prompts, board, strict=True)}
