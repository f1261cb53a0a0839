"""A board as the services' messages, and what the services say back about it as places in the board."""

import re
from collections.abc import Sequence

from google.protobuf import duration_pb2

from rushes.provider_gateway.v1 import quote_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import clip_pb2, media_pb2, money_pb2
from services.cli import board, board_rules

_SEAMS = {
    "cut": clip_pb2.SEAM_CUT,
    "last_frame": clip_pb2.SEAM_LAST_FRAME,
    "shared_keyframe": clip_pb2.SEAM_SHARED_KEYFRAME,
}
_SAME_WORDS = (
    "title", "subject", "action", "setting", "camera", "lighting", "mood", "dialogue",
    "cast", "location", "props", "model", "negative_prompt", "seed", "caption",
)  # fmt: skip
_PLAY_MONEY = "XTS"
_IN_PLAY_MONEY = " in play money"


def storyboard(of: board.Board) -> storyboard_pb2.Storyboard:
    """The board as CreateStoryboard takes it."""
    width, height = of.frame
    return storyboard_pb2.Storyboard(
        name=of.name,
        logline=of.logline,
        preset=of.preset,
        size=media_pb2.FrameSize(width=width, height=height),
        model=of.model,
        silent=of.silent,
        characters=[storyboard_pb2.Character(name=one.name, profile=one.profile) for one in of.characters],
        locations=[storyboard_pb2.Location(name=one.name, description=one.description) for one in of.locations],
        props=[storyboard_pb2.Prop(name=one.name, description=one.description) for one in of.props],
        scenes=[_scene(one) for one in of.scenes],
    )


def items(prompts: Sequence[storyboard_pb2.ComposedPrompt]) -> list[quote_pb2.QuoteItem]:
    """What CreateQuote prices: one clip for each composed prompt."""
    return [quote_pb2.QuoteItem(scene_id=prompt.scene_id, spec=prompt.spec) for prompt in prompts]


def place(field: str) -> board_rules.Loc:
    """Where in the board a request's field is: `storyboard.scenes[2].cast[0]`, or `items[2].spec.duration`."""
    words = re.findall(r"[a-z_]+|\d+", re.sub(r"^items\[", "scenes[", field))
    return tuple(int(word) if word.isdecimal() else word for word in words if word not in ("storyboard", "spec"))


def amount(of: money_pb2.Money) -> str:
    """Money for a person, exact, with two decimals or more."""
    units, micros = divmod(of.micros, 1_000_000)
    number = f"{units}.{f'{micros:06}'.rstrip('0').ljust(2, '0')}"
    if of.currency == _PLAY_MONEY:
        return f"{number}{_IN_PLAY_MONEY}"
    return f"${number}" if of.currency == "USD" else f"{number} {of.currency}"


def spent(cost: money_pb2.Money, most: money_pb2.Money) -> str:
    """What was charged and what can be, the play money named once: it fits beside a title on a narrow terminal."""
    return f"{amount(cost).removesuffix(_IN_PLAY_MONEY)} of up to {amount(most)}"


def _scene(of: board.Scene) -> storyboard_pb2.Scene:
    return storyboard_pb2.Scene(
        **{name: getattr(of, name) for name in _SAME_WORDS},
        duration=duration_pb2.Duration(seconds=of.duration),
        seam=_SEAMS[of.seam],
    )
