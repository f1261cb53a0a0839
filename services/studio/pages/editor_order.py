"""Scenes in another order, twice, or not at all: what is done to some of a storyboard's scenes at once; pure."""

from collections.abc import Callable, Collection, Mapping, Sequence

from rushes.storyboard.v1 import storyboard_pb2

Scenes = Sequence[storyboard_pb2.Scene]


def moved(scenes: Scenes, ids: Collection[str], before_id: str) -> list[storyboard_pb2.Scene]:
    """Those of the ids, in their order, before another scene; at the end when that one is not there."""
    staying = [it for it in scenes if it.id not in ids]
    moving = [it for it in scenes if it.id in ids]
    place = next((place for place, it in enumerate(staying) if it.id == before_id), len(staying))
    return [*staying[:place], *moving, *staying[place:]]


def at(scenes: Scenes, ids: Collection[str], number: int) -> list[storyboard_pb2.Scene]:
    """Those of the ids moved so that the first of them has that number, as near as there are scenes."""
    staying = [it for it in scenes if it.id not in ids]
    place = max(0, min(number - 1, len(staying)))
    return moved(scenes, ids, staying[place].id if place < len(staying) else "")


def higher(scenes: Scenes, ids: Collection[str]) -> list[storyboard_pb2.Scene]:
    """Those of the ids one place nearer to the beginning, together."""
    first = next((place for place, it in enumerate(scenes) if it.id in ids), 0)
    return at(scenes, ids, first)


def lower(scenes: Scenes, ids: Collection[str]) -> list[storyboard_pb2.Scene]:
    """Those of the ids one place nearer to the end, together."""
    first = next((place for place, it in enumerate(scenes) if it.id in ids), 0)
    return at(scenes, ids, first + 2)


def doubled(scenes: Scenes, ids: Collection[str]) -> list[storyboard_pb2.Scene]:
    """Behind each of the ids another one like it, without an id yet."""
    made: list[storyboard_pb2.Scene] = []
    for it in scenes:
        made.append(it)
        if it.id in ids:
            made.append(storyboard_pb2.Scene())
            made[-1].CopyFrom(it)
            made[-1].ClearField("id")
    return made


def without(scenes: Scenes, ids: Collection[str]) -> list[storyboard_pb2.Scene]:
    """All others."""
    return [it for it in scenes if it.id not in ids]


ACTS: Mapping[str, Callable[[Scenes, Collection[str]], list[storyboard_pb2.Scene]]] = {
    "up": higher,
    "down": lower,
    "duplicate": doubled,
    "delete": without,
}
"""What needs nothing but the scenes that it is done to, by the word of the form."""
