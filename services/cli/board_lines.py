"""Stored boards as lines for a person."""

import json
from collections.abc import Iterable, Iterator

from google.protobuf import json_format, struct_pb2

from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from rushes.type.v1 import clip_pb2
from services.cli import wire


def brief(board: pb.Storyboard) -> str:
    """One board in one line."""
    parts = [f"{board.id} {board.name}", f"revision {board.revision}", f"updated {wire.clock(board.update_time)}"]
    if board.state == pb.Storyboard.STATE_DELETED:
        parts.append(f"deleted {wire.clock(board.delete_time)}")
    return "; ".join(parts)


def whole(board: pb.Storyboard) -> Iterator[str]:
    """Everything of a board that says something, by the paths that `rushes board edit` takes."""
    since = f"; revision {board.revision}" if board.revision else ""
    yield brief(board) if board.etag else f"{board.id} {board.name}{since}".strip()
    yield from _fields("", board, ("logline", "preset", "model", "silent"))
    if board.HasField("size"):
        yield f"size: {board.size.width}x{board.size.height}"
    for kind in ("characters", "locations", "props"):
        for index, thing in enumerate(getattr(board, kind)):
            yield " ".join(filter(None, [f"{kind}[{index}]", thing.id, thing.name]))
            yield from _fields("  ", thing, ("identity_tag", "profile", "description"))
            yield from (f"  reference: {it.key}" for it in getattr(thing, "references", ()))
    for index, scene in enumerate(board.scenes):
        seam = clip_pb2.Seam.Name(scene.seam).removeprefix("SEAM_").lower()
        yield " ".join(filter(None, [f"scenes[{index}]", scene.id, f"{scene.duration.seconds} s, {seam}"]))
        words = [it.name for it in scene.DESCRIPTOR.fields if it.name not in ("id", "duration", "seam")]
        yield from _fields("  ", scene, words)


def _fields(indent: str, thing: object, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value = getattr(thing, name, None)
        if value:
            said = value if isinstance(value, str | int) else ", ".join(value)
            yield f"{indent}{name}: {said}"


def revision(of: pb.Revision) -> str:
    """One revision in one line."""
    same = f", back to {of.same_as}" if of.same_as else ""
    name = f' "{of.name}"' if of.name else ""
    client = f" ({of.client})" if of.client else ""
    return f"{of.number}{name}: {of.origin}{same} by {of.author}{client}, {wire.clock(of.create_time)}"


def changes(answer: service_pb.DiffRevisionsResponse) -> Iterator[str]:
    """What differs, a line for each."""
    if not answer.changes:
        yield f"Revisions {answer.from_number} and {answer.to_number} are the same."
    for one in answer.changes:
        kind = pb.Change.Kind.Name(one.kind).removeprefix("KIND_").lower()
        if kind == "added":
            yield f"{one.path} added: {_value(one.after)}"
        elif kind == "removed":
            yield f"{one.path} removed: {_value(one.before)}"
        else:
            yield f"{one.path} {kind}: {_value(one.before)} -> {_value(one.after)}"


def _value(value: struct_pb2.Value) -> str:
    kind = value.WhichOneof("kind")
    if kind is None:
        return "nothing"
    if kind == "string_value":
        return f'"{value.string_value}"'
    if kind == "number_value":
        return f"{value.number_value:g}"
    told = json_format.MessageToDict(value)
    if isinstance(told, dict):
        told.pop("id", None)  # the path has it
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def prompts(answer: service_pb.ComposePromptsResponse) -> Iterator[str]:
    """Each prompt with the origin of its pieces, and what the model still takes."""
    yield f"{answer.storyboard_name}, revision {answer.revision}, composer {answer.composer_version}"
    for one in answer.prompts:
        left = f", {one.characters_left} left" if one.HasField("characters_left") else ""
        yield f"scene {one.scene_number} {one.title}: {one.spec.model}, {one.characters} characters{left}"
        yield from (f"  {part.origin}: {part.text}" for part in one.parts)
        yield from (f"  not seen, {part.origin}: {part.text}" for part in one.negative_parts)


def templates(answer: service_pb.ListSceneTemplatesResponse) -> Iterator[str]:
    """What there is to begin a scene with."""
    for one in answer.templates:
        yield f"{one.key}: {one.title}. {one.purpose} Fills {', '.join(one.fills)}."


def presets(answer: service_pb.ListPresetsResponse) -> Iterator[str]:
    """The looks and their exact words."""
    for one in answer.presets:
        yield f"{one.key}: {one.title}. {one.words} Not: {one.negative_words}."
