"""Protobuf to domain and back; a request that breaks rules is refused with every violation at once."""

import contextlib
import dataclasses
import hashlib
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from libs import errors, ids, paging
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from rushes.type.v1 import clip_pb2, media_pb2
from services.storyboard import compose, domain, presets

EDITABLE = (
    "name", "logline", "preset", "size", "model", "characters", "locations", "props", "scenes", "silent"
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_MODEL = 200
_LONGEST_KEY = 1024
_SEAMS = {
    clip_pb2.SEAM_UNSPECIFIED: domain.Seam.CUT,
    clip_pb2.SEAM_CUT: domain.Seam.CUT,
    clip_pb2.SEAM_LAST_FRAME: domain.Seam.LAST_FRAME,
    clip_pb2.SEAM_SHARED_KEYFRAME: domain.Seam.SHARED_KEYFRAME,
}
_TO_SEAM = {seam: value for value, seam in _SEAMS.items()}
_TO_STATE = {domain.State.ACTIVE: pb.Storyboard.STATE_ACTIVE, domain.State.DELETED: pb.Storyboard.STATE_DELETED}
T = TypeVar("T")


class BadRequest(errors.Invalid):
    """The request cannot be accepted as it is; correct these fields."""


@dataclass(slots=True)
class _Faults:
    """Collects what is wrong, so that a person corrects everything in one go."""

    found: list[errors.Violation] = field(default_factory=list)

    def add(self, path: str, description: str) -> None:
        self.found.append(errors.Violation(path, description))

    def check(self, holds: bool, path: str, description: str) -> None:
        if not holds:
            self.add(path, description)

    def text(self, value: str, path: str, most: int, least: int = 0) -> str:
        """The text without blanks around it."""
        value = value.strip()
        if not least <= len(value) <= most:
            limits = f"{least} to {most}" if least else f"at most {most}"
            self.add(path, f"should have {limits} characters, and has {len(value)}")
        self.check(not _CONTROL.search(value), path, "should hold no control characters; remove them")
        return value

    def each(self, values: Sequence[Any], path: str, most: int, read: Callable[[Any, str], T]) -> tuple[T, ...]:
        """Every value read; of a list that is too long, nothing."""
        if len(values) > most:
            self.add(path, f"should have at most {most} entries, and has {len(values)}; remove some")
            return ()
        return tuple(read(value, f"{path}[{index}]") for index, value in enumerate(values))

    def unique(self, values: Iterable[str], path: str, name: str) -> None:
        seen: dict[str, int] = {}
        for index, value in enumerate(values):
            if value and seen.setdefault(value, index) != index:
                self.add(f"{path}[{index}]{name}", f"is also that of {path}[{seen[value]}]; choose another")

    def known(self, values: Sequence[str], path: str, among: Iterable[str], noun: str) -> None:
        names = set(among)
        for index, value in enumerate(values):
            wrong = f"names no {noun} of the storyboard; correct it, or add the {noun}"
            self.check(value in names, f"{path}[{index}]", wrong)
            self.check(value not in values[:index], f"{path}[{index}]", f"names the {noun} twice; remove one")

    def end(self) -> None:
        """Raises Invalid when anything was found."""
        if self.found:
            raise BadRequest(self.found)


@dataclass(frozen=True, slots=True)
class Creation:
    """What CreateStoryboard asks; `digest` tells two bodies of one request_id apart."""

    request_id: str
    digest: str
    content: domain.Content


def creation(request: service_pb.CreateStoryboardRequest) -> Creation:
    """The request as a domain value. Raises Invalid."""
    faults = _Faults()
    request_id = _uuid(request.request_id, faults)
    asked = _content(request.storyboard, faults)
    faults.end()
    written = _of_fields(request.storyboard, EDITABLE)
    digest = hashlib.sha256(written.SerializeToString(deterministic=True)).hexdigest()
    return Creation(request_id, digest, asked)


def change(request: service_pb.UpdateStoryboardRequest, board: domain.Storyboard) -> domain.Content:
    """The board's content with the masked fields of the request. Raises Invalid."""
    paths, faults = list(request.update_mask.paths), _Faults()
    faults.check(bool(paths), "update_mask", f"should name a field to change: {', '.join(EDITABLE)}")
    for path in sorted(set(paths) - set(EDITABLE)):
        faults.add("update_mask", f"names {path!r}, which cannot be changed; name any of {', '.join(EDITABLE)}")
    faults.end()
    merged = _of_fields(from_content(board.content), set(EDITABLE) - set(paths))
    merged.MergeFrom(_of_fields(request.storyboard, paths))
    changed = _content(merged, faults)
    faults.end()
    return changed


def query(request: service_pb.ListStoryboardsRequest) -> str:
    """What to look for in names. Raises Invalid."""
    faults = _Faults()
    asked = faults.text(request.query, "query", 200)
    faults.end()
    return asked


def storyboard_id(text: str) -> str:
    """The id of a storyboard. Raises Invalid when it is empty, StoryboardNotFound when none can have it."""
    if not text:
        raise BadRequest([errors.Violation("storyboard_id", "should be the sb_… of a storyboard")])
    if not ids.valid(text, "sb"):
        raise domain.StoryboardNotFound(storyboard_id=text[:100])
    return text


def place_of_storyboard(token: str, bound: str) -> tuple[datetime, str] | None:
    """Where a page of storyboards goes on: after this time and id; None for the start. Raises Invalid."""
    if not token:
        return None
    with contextlib.suppress(TypeError, ValueError):
        when, id = paging.decode(token, bound)
        if ids.valid(id, "sb"):
            return datetime.fromisoformat(when).replace(tzinfo=UTC), id
    raise _foreign_token()


def place_of_revision(token: str, bound: str) -> int | None:
    """Where a page of the history goes on: below this number; None for the start. Raises Invalid."""
    if not token:
        return None
    match paging.decode(token, bound):
        case (int(below),) if 0 < below < 1 << 31:
            return below
    raise _foreign_token()


def _foreign_token() -> errors.Invalid:
    remedy = "should be the next_page_token of the page before, or empty for the first page"
    return errors.Invalid([errors.Violation("page_token", remedy)])


def _content(board: pb.Storyboard, faults: _Faults, at: str = "storyboard") -> domain.Content:
    """What a person wrote, with whatever is wrong added to `faults`."""
    preset = board.preset.strip()
    keys = ", ".join(presets.BY_KEY)
    faults.check(preset in {"", *presets.BY_KEY}, f"{at}.preset", f"should be one of {keys}")
    read = _Reader(faults)
    result = domain.Content(
        name=faults.text(board.name, f"{at}.name", 200, least=1),
        logline=faults.text(board.logline, f"{at}.logline", 2000),
        preset=preset,
        size=read.size(board.size, f"{at}.size") if board.HasField("size") else None,
        model=faults.text(board.model, f"{at}.model", _LONGEST_MODEL),
        silent=board.silent,
        characters=faults.each(board.characters, f"{at}.characters", 50, read.character),
        locations=faults.each(board.locations, f"{at}.locations", 100, read.location),
        props=faults.each(board.props, f"{at}.props", 200, read.prop),
        scenes=faults.each(board.scenes, f"{at}.scenes", 500, read.scene),
    )
    _check_names(result, faults, at)
    return result


def _check_names(read: domain.Content, faults: _Faults, at: str) -> None:
    named: dict[str, Sequence[domain.Character | domain.Location | domain.Prop]] = {
        "characters": read.characters,
        "locations": read.locations,
        "props": read.props,
    }
    for noun, things in named.items():
        faults.unique((thing.name for thing in things), f"{at}.{noun}", ".name")
        faults.unique((thing.id for thing in things), f"{at}.{noun}", ".id")
    faults.unique((scene.id for scene in read.scenes), f"{at}.scenes", ".id")
    for index, scene in enumerate(read.scenes):
        path = f"{at}.scenes[{index}]"
        faults.known(scene.cast, f"{path}.cast", (c.name for c in read.characters), "character")
        faults.known(scene.props, f"{path}.props", (p.name for p in read.props), "prop")
        places = {"", *(location.name for location in read.locations)}
        wrong = "names no location of the storyboard; correct it, or add the location"
        faults.check(scene.location in places, f"{path}.location", wrong)


@dataclass(frozen=True, slots=True)
class _Reader:
    faults: _Faults

    def character(self, it: pb.Character, at: str) -> domain.Character:
        return domain.Character(
            id=self.id(it.id, f"{at}.id", "char"),
            name=self.faults.text(it.name, f"{at}.name", 100, least=1),
            profile=self.faults.text(it.profile, f"{at}.profile", 2000),
            references=self.faults.each(it.references, f"{at}.references", 20, self.blob),
        )

    def location(self, it: pb.Location, at: str) -> domain.Location:
        return domain.Location(
            id=self.id(it.id, f"{at}.id", "loc"),
            name=self.faults.text(it.name, f"{at}.name", 100, least=1),
            description=self.faults.text(it.description, f"{at}.description", 2000),
            references=self.faults.each(it.references, f"{at}.references", 20, self.blob),
        )

    def prop(self, it: pb.Prop, at: str) -> domain.Prop:
        return domain.Prop(
            id=self.id(it.id, f"{at}.id", "prop"),
            name=self.faults.text(it.name, f"{at}.name", 100, least=1),
            description=self.faults.text(it.description, f"{at}.description", 2000),
        )

    def scene(self, it: pb.Scene, at: str) -> domain.Scene:
        text = self.faults.text
        self.faults.check(it.seam in _SEAMS, f"{at}.seam", "should be a seam this server knows; use SEAM_CUT")
        whole = it.duration.nanos == 0 and 1 <= it.duration.seconds <= 60
        self.faults.check(whole, f"{at}.duration", "should be 1 to 60 whole seconds, such as 4s")
        return domain.Scene(
            id=self.id(it.id, f"{at}.id", "scene"),
            title=text(it.title, f"{at}.title", 200),
            subject=text(it.subject, f"{at}.subject", 2000, least=1),
            action=text(it.action, f"{at}.action", 2000),
            setting=text(it.setting, f"{at}.setting", 2000),
            camera=text(it.camera, f"{at}.camera", 1000),
            lighting=text(it.lighting, f"{at}.lighting", 1000),
            mood=text(it.mood, f"{at}.mood", 1000),
            dialogue=text(it.dialogue, f"{at}.dialogue", 2000),
            seconds=it.duration.seconds,
            seam=_SEAMS.get(it.seam, domain.Seam.CUT),
            cast=self.faults.each(it.cast, f"{at}.cast", 50, _stripped),
            location=it.location.strip(),
            props=self.faults.each(it.props, f"{at}.props", 200, _stripped),
            model=text(it.model, f"{at}.model", _LONGEST_MODEL),
            negative_prompt=text(it.negative_prompt, f"{at}.negative_prompt", 2000),
            seed=it.seed if it.HasField("seed") else None,
            caption=text(it.caption, f"{at}.caption", 500),
        )

    def blob(self, it: media_pb2.Blob, at: str) -> domain.Blob:
        check = self.faults.check
        self.faults.text(it.key, f"{at}.key", _LONGEST_KEY, least=1)
        image = it.content_type.startswith("image/") and not _CONTROL.search(it.content_type)
        check(image, f"{at}.content_type", "should be that of a still, such as image/png")
        check(it.size_bytes > 0, f"{at}.size_bytes", "should be the length of the object, at least 1")
        check(bool(_SHA256.fullmatch(it.sha256)), f"{at}.sha256", "should be 64 lower-case hex digits")
        return domain.Blob(key=it.key, content_type=it.content_type, size_bytes=it.size_bytes, sha256=it.sha256)

    def size(self, it: media_pb2.FrameSize, at: str) -> domain.Size:
        for name, value in (("width", it.width), ("height", it.height)):
            fits = 128 <= value <= 7680 and value % 2 == 0
            self.faults.check(fits, f"{at}.{name}", f"should be even, 128 to 7680, and is {value}")
        return domain.Size(width=it.width, height=it.height)

    def id(self, value: str, at: str, prefix: str) -> str:
        wrong = f"should be the {prefix}_… that the server gave, or empty for a new one"
        self.faults.check(not value or ids.valid(value, prefix), at, wrong)
        return value


def _stripped(name: str, _: str) -> str:
    return name.strip()


def _uuid(text: str, faults: _Faults) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        faults.add("request_id", "should be a UUID that you choose; send the same one to repeat the request")
        return ""


def _of_fields(board: pb.Storyboard, names: Collection[str]) -> pb.Storyboard:
    """A copy that holds these fields only."""
    copy = pb.Storyboard()
    FieldMask(paths=names).MergeMessage(board, copy)
    return copy


def from_storyboard(board: domain.Storyboard) -> pb.Storyboard:
    """The storyboard with its life."""
    it = from_content(board.content)
    it.id, it.state, it.revision, it.etag = board.id, _TO_STATE[board.state], board.revision, board.etag
    it.create_time.FromDatetime(board.created_at)
    it.update_time.FromDatetime(board.updated_at)
    if board.deleted_at:
        it.delete_time.FromDatetime(board.deleted_at)
    return it


def from_revision(revision: domain.Revision, content: domain.Content | None = None) -> pb.Revision:
    """The revision; with content it shows the storyboard as it was."""
    it = pb.Revision(
        storyboard_id=revision.storyboard_id,
        number=revision.number,
        author=revision.author,
        origin=revision.origin,
        name=revision.name,
    )
    it.create_time.FromDatetime(revision.created_at)
    if content:
        it.storyboard.CopyFrom(from_content(content))
        it.storyboard.id, it.storyboard.revision = revision.storyboard_id, revision.number
    return it


def from_preset(preset: presets.Preset) -> pb.Preset:
    """The look."""
    return pb.Preset(**dataclasses.asdict(preset))


def from_prompt(prompt: compose.Prompt) -> pb.ComposedPrompt:
    """The prompt as the request that would reach the provider; its digest tells whether two ask for the same."""
    spec = clip_pb2.ClipSpec(
        model=prompt.model,
        prompt=prompt.text,
        negative_prompt=prompt.negative_prompt,
        duration=Duration(seconds=prompt.scene.seconds),
        size=media_pb2.FrameSize(**dataclasses.asdict(prompt.size)),
        seed=prompt.scene.seed,
        audio=prompt.audio,
        references=[media_pb2.Blob(**dataclasses.asdict(blob)) for blob in prompt.references],
    )
    return pb.ComposedPrompt(
        scene_id=prompt.scene.id,
        scene_number=prompt.number,
        title=prompt.scene.title,
        seam=_TO_SEAM[prompt.seam],
        spec=spec,
        parts=[pb.PromptPart(origin=part.origin, text=part.text) for part in prompt.parts],
        digest=hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest(),
    )


def from_content(content: domain.Content) -> pb.Storyboard:
    """What a person wrote; the domain's words are the contract's."""
    written: dict[str, Any] = dataclasses.asdict(content)
    return pb.Storyboard(**written | {"scenes": map(_from_scene, content.scenes)})


def _from_scene(scene: domain.Scene) -> pb.Scene:
    written: dict[str, Any] = dataclasses.asdict(scene)
    duration = Duration(seconds=written.pop("seconds"))
    return pb.Scene(**written | {"seam": _TO_SEAM[scene.seam], "duration": duration})
