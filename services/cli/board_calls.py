"""Asks the storyboard service about boards, and edits them by the paths a person types."""

import asyncio
import getpass
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from google.protobuf import field_mask_pb2, message

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.cli import board_fields, board_file, client, exits, gateway

Answer = TypeVar("Answer", bound=message.Message)
_MOST_BYTES = 4096
_STATES = {
    "active": storyboard_pb2.Storyboard.STATE_ACTIVE,
    "archived": storyboard_pb2.Storyboard.STATE_ARCHIVED,
    "deleted": storyboard_pb2.Storyboard.STATE_DELETED,
    "all": storyboard_pb2.Storyboard.STATE_UNSPECIFIED,
}


def ask(home: Path, kind: type[Answer], request: message.Message, name: str = "cli") -> Answer:
    """Ask as a client of this name, and return the answer. Raises Ended, which names what clashes and with whom."""
    of, verb = gateway.running(home), kind.DESCRIPTOR.name.removesuffix("Response")

    async def call() -> Answer:
        async with client.connect(of, name) as services:
            answer: Answer = await services.call(getattr(services.storyboards, verb), request)
            return answer

    try:
        return asyncio.run(call())
    except client.Refused as refused:
        clashes = [f"{field} {wrong}." for field, wrong in refused.violations if refused.code == exits.Code.CONFLICT]
        raise exits.Ended("\n".join([str(refused), *clashes]), refused.code) from None


def new(home: Path, file: Path | None, name: str) -> storyboard_pb2.Storyboard:
    """A board from a file, or an empty one of this name. Raises Ended or yaml_file.Faulty."""
    if (file is None) == (not name):
        raise exits.Ended("Give a board file, or --name for an empty board.", exits.Code.USAGE)
    request_id = str(uuid.uuid4())
    if file:
        data = board_file.read(file).data
        brought = pb.ImportStoryboardRequest(request_id=request_id, format=pb.FILE_FORMAT_YAML, data=data)
        return ask(home, pb.ImportStoryboardResponse, brought).storyboard
    empty = pb.CreateStoryboardRequest(request_id=request_id, storyboard=storyboard_pb2.Storyboard(name=name))
    return ask(home, pb.CreateStoryboardResponse, empty).storyboard


def get(home: Path, board_id: str, revision: int = 0) -> storyboard_pb2.Storyboard:
    """A board as it is, or as it was."""
    if revision:
        asked = pb.GetRevisionRequest(storyboard_id=board_id, number=revision)
        return ask(home, pb.GetRevisionResponse, asked).revision.storyboard
    return ask(home, pb.GetStoryboardResponse, pb.GetStoryboardRequest(storyboard_id=board_id)).storyboard


def page(home: Path, query: str, state: str, count: int) -> pb.ListStoryboardsResponse:
    """The boards last updated. Raises Ended with USAGE."""
    if state not in _STATES:
        raise exits.Ended(f"--state {state}: write one of {', '.join(_STATES)}.", exits.Code.USAGE)
    request = pb.ListStoryboardsRequest(query=query, page_size=count, state=_STATES[state], show_deleted=True)
    return ask(home, pb.ListStoryboardsResponse, request)


def edit(home: Path, board_id: str, path: str, value: str, etag: str) -> storyboard_pb2.Storyboard:
    """Set one field; who is renamed keeps their scenes. Raises Ended."""
    kind, which, field = board_fields.split(path)
    board = get(home, board_id)
    etag = etag or board.etag
    if kind == "scenes":
        scene = storyboard_pb2.Scene(id=board_fields.find(board, kind, which).id)
        return _edit_scene(home, board_id, etag, scene, {field: value})
    changed = storyboard_pb2.Storyboard(id=board_id, etag=etag)
    if kind:
        thing = board_fields.find(board, kind, which)
        before = thing.name
        board_fields.put(thing, field, value)
        board_fields.rename(board.scenes, kind, before, thing.name)
        getattr(changed, kind).extend(getattr(board, kind))
        changed.scenes.extend(board.scenes)
    else:
        board_fields.put(changed, field, value)
    paths = [kind, "scenes"] if kind and field == "name" else [kind or field]
    request = pb.UpdateStoryboardRequest(storyboard=changed, update_mask=field_mask_pb2.FieldMask(paths=paths))
    return ask(home, pb.UpdateStoryboardResponse, request).storyboard


def _edit_scene(
    home: Path, board_id: str, etag: str, scene: storyboard_pb2.Scene, values: Mapping[str, str]
) -> storyboard_pb2.Storyboard:
    for field, value in values.items():
        board_fields.put(scene, field, value)
    mask = field_mask_pb2.FieldMask(paths=list(values))
    request = pb.UpdateSceneRequest(storyboard_id=board_id, etag=etag, scene=scene, update_mask=mask)
    return ask(home, pb.UpdateSceneResponse, request).storyboard


def add_scene(home: Path, board_id: str, template: str, words: list[str], before: str) -> pb.AddSceneResponse:
    """A scene of `field=value` words, on top of a template. Raises Ended."""
    scene = _template(home, template) if template else storyboard_pb2.Scene()
    for word in words:
        field, equals, value = word.partition("=")
        board_fields.split(f"scenes[new].{field}")
        if not equals:
            raise exits.Ended(f"{word}: write a field and a value, such as action=runs.", exits.Code.USAGE)
        board_fields.put(scene, field, value)
    before_id = board_fields.find(get(home, board_id), "scenes", before).id if before else ""
    request = pb.AddSceneRequest(
        request_id=str(uuid.uuid4()), storyboard_id=board_id, scene=scene, before_scene_id=before_id
    )
    return ask(home, pb.AddSceneResponse, request)


def _template(home: Path, key: str) -> storyboard_pb2.Scene:
    answer = ask(home, pb.ListSceneTemplatesResponse, pb.ListSceneTemplatesRequest())
    known = {one.key: one.scene for one in answer.templates}
    if key not in known:
        raise exits.Ended(f"--template {key}: write one of {', '.join(known)}.", exits.Code.USAGE)
    return known[key]


def move_scene(home: Path, board_id: str, which: str, before: str) -> storyboard_pb2.Storyboard:
    """Put a scene before another, or at the end. Raises Ended."""
    board = get(home, board_id)
    request = pb.MoveSceneRequest(
        storyboard_id=board_id,
        etag=board.etag,
        scene_id=board_fields.find(board, "scenes", which).id,
        before_scene_id=board_fields.find(board, "scenes", before).id if before else "",
    )
    return ask(home, pb.MoveSceneResponse, request).storyboard


def remove_scene(home: Path, board_id: str, which: str) -> storyboard_pb2.Storyboard:
    """Take a scene out. Raises Ended."""
    board = get(home, board_id)
    scene_id = board_fields.find(board, "scenes", which).id
    request = pb.RemoveSceneRequest(storyboard_id=board_id, etag=board.etag, scene_id=scene_id)
    return ask(home, pb.RemoveSceneResponse, request).storyboard


def claim(home: Path, board_id: str) -> storyboard_pb2.Storyboard:
    """Claim a guest's board; the code is read where no process list shows it. Raises Ended."""
    typed = getpass.getpass("Claim code: ") if sys.stdin.isatty() else sys.stdin.read(_MOST_BYTES)
    request = pb.ClaimStoryboardRequest(storyboard_id=board_id, claim_code=typed.strip())
    return ask(home, pb.ClaimStoryboardResponse, request).storyboard
