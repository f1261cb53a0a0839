"""With which models, and at which resolutions, a project can be filmed otherwise than it says."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from starlette import requests

from libs import sizes
from rushes.provider_gateway.v1 import model_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb
from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import media_pb2
from services.studio.pages import site

_SIZE = sizes.Size(1280, 720)
"""That of a project that names none."""


class Offer(NamedTuple):
    """What there is to choose from, in words; `model` and `resolution` say what the project itself has chosen."""

    models: Mapping[str, str]
    resolutions: Mapping[str, str]
    model: str
    resolution: str


async def found(of: site.Site, request: requests.Request, board: storyboard_pb2.Storyboard, model: str) -> Offer:
    """What can be bought here; the resolutions are those of this model, or without one of the project's own."""
    told = await of.ask(request, "gateway.ListModels", gateway_pb.ListModelsRequest(usable_only=True))
    return read(told, board, model)


def read(told: gateway_pb.ListModelsResponse, board: storyboard_pb2.Storyboard, model: str) -> Offer:
    """The same, of what the gateway says."""
    usable = {it.id: it for it in told.models}
    named = list(dict.fromkeys(scene.model or board.model or told.default_model for scene in board.scenes))
    makers = [usable[it] for it in ([model] if model else named) if it in usable]
    size = _size(board.size) if board.size.width else _SIZE
    titles = [usable[it].title if it in usable else it for it in named]
    return Offer(
        {it.id: it.title for it in sorted(told.models, key=lambda it: it.title)},
        {name: name for name in _resolutions(makers, size)},
        titles[0] if len(titles) == 1 else f"{len(titles)} models",
        _name(makers, size),
    )


def _resolutions(makers: Sequence[model_pb2.Model], size: sizes.Size) -> list[str]:
    """Those that all of them make in pictures of this shape, but for the one that this size is."""
    made = [sizes.alike(size, (sizes.Shape(_size(it.size), it.resolution) for it in maker.shapes)) for maker in makers]
    shared = [name for name in (made[0] if made else ()) if all(name in one for one in made)]
    return [name for name in shared if any(one[name] != size for one in made)]


def _name(makers: Sequence[model_pb2.Model], size: sizes.Size) -> str:
    names = (it.resolution for maker in makers for it in maker.shapes if _size(it.size) == size)
    return next(names, f"{size.width} \u00d7 {size.height}")


def _size(of: media_pb2.FrameSize) -> sizes.Size:
    return sizes.Size(of.width, of.height)
