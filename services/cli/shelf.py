"""Remembers which storyboard a board file has become, so that filming it again changes that one and keeps its takes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import field_mask_pb2

from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from services.cli import board_file, client, exits

_FIELDS = ("name", "logline", "preset", "size", "model", "characters", "locations", "props", "scenes", "silent")
_TRIES = 3
_YAML = storyboard_service_pb2.FILE_FORMAT_YAML


async def storyboard(
    services: client.Client, home: Path, request_id: str, of: board_file.BoardFile
) -> storyboard_pb2.Storyboard:
    """The storyboard of this file, as the file is now. Raises Refused."""
    path = _path(home, of.path)
    for _ in range(_TRIES):
        before = await _known(services, _read(path))
        if before is None:
            break
        try:
            return await _changed(services, before, await _read_by_the_service(services, of))
        except client.Refused as refused:
            if refused.reason != "STORYBOARD_CHANGED":  # by somebody else, between our two calls
                raise
    request = storyboard_service_pb2.ImportStoryboardRequest(request_id=request_id, format=_YAML, data=of.data)
    created: storyboard_pb2.Storyboard = (
        await services.call(services.storyboards.ImportStoryboard, request)
    ).storyboard
    _write(path, created.id)
    return created


def known(home: Path, file: Path) -> str:
    """The id of the storyboard that this file has become here; empty when it was never filmed."""
    return _read(_path(home, file))


def _path(home: Path, file: Path) -> Path:
    return home / "boards" / hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:32]


def _read(path: Path) -> str:
    """Empty when nothing was written down."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _write(path: Path, storyboard_id: str) -> None:
    path.parent.mkdir(exist_ok=True, mode=0o700)
    path.write_text(storyboard_id, encoding="utf-8")


async def _known(services: client.Client, storyboard_id: str) -> storyboard_pb2.Storyboard | None:
    """The storyboard it was; None when it was none, or that is gone."""
    if not storyboard_id:
        return None
    try:
        request = storyboard_service_pb2.GetStoryboardRequest(storyboard_id=storyboard_id)
        found: storyboard_pb2.Storyboard = (await services.call(services.storyboards.GetStoryboard, request)).storyboard
    except client.Refused as refused:
        if refused.code is exits.Code.NOT_FOUND:
            return None
        raise
    return None if found.state == storyboard_pb2.Storyboard.STATE_DELETED else found


async def _read_by_the_service(services: client.Client, of: board_file.BoardFile) -> storyboard_pb2.Storyboard:
    request = storyboard_service_pb2.ImportStoryboardRequest(format=_YAML, data=of.data, validate_only=True)
    read: storyboard_pb2.Storyboard = (await services.call(services.storyboards.ImportStoryboard, request)).storyboard
    return read


async def _changed(
    services: client.Client, known: storyboard_pb2.Storyboard, wanted: storyboard_pb2.Storyboard
) -> storyboard_pb2.Storyboard:
    for name in ("characters", "locations", "props"):
        keep_ids(getattr(known, name), getattr(wanted, name))
    number_scenes(known.scenes, wanted.scenes)
    changed = [name for name in _FIELDS if getattr(known, name) != getattr(wanted, name)]
    if not changed:
        return known
    wanted.id, wanted.etag = known.id, known.etag
    mask = field_mask_pb2.FieldMask(paths=changed)
    request = storyboard_service_pb2.UpdateStoryboardRequest(storyboard=wanted, update_mask=mask)
    updated: storyboard_pb2.Storyboard = (
        await services.call(services.storyboards.UpdateStoryboard, request)
    ).storyboard
    return updated


def keep_ids(known: Sequence[Any], wanted: Sequence[Any]) -> None:
    """What is called the same is the same: its id, its tag and its stills stay."""
    by_name = {one.name: one for one in known}
    for one in wanted:
        if before := by_name.get(one.name):
            one.id = before.id
            for field in ("identity_tag", "references"):
                if field in one.DESCRIPTOR.fields_by_name and not getattr(one, field):
                    one.MergeFrom(type(one)(**{field: getattr(before, field)}))


def number_scenes(known: Sequence[storyboard_pb2.Scene], wanted: Sequence[storyboard_pb2.Scene]) -> None:
    """Give each scene the id of the one it was: of the same words, else of the same title, else at the same place."""
    free = {scene.id: (place, scene) for place, scene in enumerate(known)}

    def like(place: int, scene: storyboard_pb2.Scene, rule: int) -> str:
        for scene_id, (at, before) in free.items():
            same = storyboard_pb2.Scene()
            same.CopyFrom(before)
            same.ClearField("id")
            if (same == scene, bool(scene.title) and before.title == scene.title, at == place)[rule]:
                return scene_id
        return ""

    for rule in range(3):
        for place, scene in enumerate(wanted):
            if not scene.id and (found := like(place, scene, rule)):
                del free[found]
                scene.id = found
