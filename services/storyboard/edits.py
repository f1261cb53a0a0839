"""What can be done to one scene among others: pure."""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from services.storyboard import domain

Shown = TypeVar("Shown", domain.Character, domain.Location)


def with_scene(content: domain.Content, scene: domain.Scene, before_id: str, storyboard_id: str) -> domain.Content:
    """The scene put in before another, or at the end; as it is when it is there. Raises SceneNotFound."""
    if any(it.id == scene.id for it in content.scenes):
        return content
    return _with(content, _inserted(content.scenes, scene, before_id, storyboard_id))


def scene(content: domain.Content, scene_id: str, storyboard_id: str) -> domain.Scene:
    """One scene. Raises SceneNotFound."""
    return content.scenes[_place(content.scenes, scene_id, storyboard_id)]


def replaced(content: domain.Content, new: domain.Scene) -> domain.Content:
    """The scene of this id as it is now."""
    return _with(content, [new if it.id == new.id else it for it in content.scenes])


def without_scene(content: domain.Content, scene_id: str) -> domain.Content:
    """The scene taken out, if it is there."""
    return _with(content, [it for it in content.scenes if it.id != scene_id])


def moved(content: domain.Content, scene_id: str, before_id: str, storyboard_id: str) -> domain.Content:
    """The scene put before another, or at the end; before itself is where it is. Raises SceneNotFound."""
    mover = scene(content, scene_id, storyboard_id)
    if before_id == scene_id:
        return content
    rest = [it for it in content.scenes if it.id != scene_id]
    return _with(content, _inserted(rest, mover, before_id, storyboard_id))


def with_reference(content: domain.Content, thing_id: str, still: domain.Blob, storyboard_id: str) -> domain.Content:
    """The still as the newest reference of a character or location. Raises ThingNotFound."""
    if thing_id not in {it.id for it in content.characters} | {it.id for it in content.locations}:
        raise domain.ThingNotFound(storyboard_id=storyboard_id, id=thing_id[:100])
    return dataclasses.replace(
        content,
        characters=tuple(_shown(it, still) if it.id == thing_id else it for it in content.characters),
        locations=tuple(_shown(it, still) if it.id == thing_id else it for it in content.locations),
    )


def copied(content: domain.Content, name: str, new_id: domain.NewId) -> domain.Content:
    """The same under another name; its things have ids of their own, characters keep their tags: so do prompts."""
    return dataclasses.replace(
        content,
        name=name,
        characters=tuple(dataclasses.replace(it, id=new_id("char")) for it in content.characters),
        locations=tuple(dataclasses.replace(it, id=new_id("loc")) for it in content.locations),
        props=tuple(dataclasses.replace(it, id=new_id("prop")) for it in content.props),
        scenes=tuple(dataclasses.replace(it, id=new_id("scene")) for it in content.scenes),
    )


def _shown(thing: Shown, still: domain.Blob) -> Shown:
    return dataclasses.replace(thing, references=(*(it for it in thing.references if it.key != still.key), still))


def _with(content: domain.Content, scenes: Sequence[domain.Scene]) -> domain.Content:
    return dataclasses.replace(content, scenes=tuple(scenes))


def _inserted(
    scenes: Sequence[domain.Scene], new: domain.Scene, before_id: str, storyboard_id: str
) -> list[domain.Scene]:
    place = _place(scenes, before_id, storyboard_id) if before_id else len(scenes)
    return [*scenes[:place], new, *scenes[place:]]


def _place(scenes: Sequence[domain.Scene], scene_id: str, storyboard_id: str) -> int:
    for place, it in enumerate(scenes):
        if it.id == scene_id:
            return place
    raise domain.SceneNotFound(storyboard_id=storyboard_id, scene_id=scene_id[:100])
