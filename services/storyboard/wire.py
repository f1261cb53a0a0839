"""Storyboards as protobuf and back; what breaks rules is refused with every violation at once."""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value

from libs import errors, ids
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.type.v1 import clip_pb2, media_pb2
from services.storyboard import compose, diff, domain, flaws, presets, templates

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST_MODEL = 200
_LONGEST_KEY = 1024
_SEAMS = {
    clip_pb2.SEAM_UNSPECIFIED: domain.Seam.CUT,
    clip_pb2.SEAM_CUT: domain.Seam.CUT,
    clip_pb2.SEAM_LAST_FRAME: domain.Seam.LAST_FRAME,
    clip_pb2.SEAM_SHARED_KEYFRAME: domain.Seam.SHARED_KEYFRAME,
}
_TO_SEAM = {seam: value for value, seam in _SEAMS.items()}
STATES = {
    pb.Storyboard.STATE_ACTIVE: domain.State.ACTIVE,
    pb.Storyboard.STATE_DELETED: domain.State.DELETED,
    pb.Storyboard.STATE_ARCHIVED: domain.State.ARCHIVED,
}
_TO_STATE = {state: value for value, state in STATES.items()}
T = TypeVar("T")


class BadRequest(errors.Invalid):
    """The request cannot be accepted as it is; correct these fields."""


@dataclass(slots=True)
class Faults:
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

    def end(self) -> None:
        """Raises Invalid when anything was found."""
        if self.found:
            raise BadRequest(self.found)


def content(board: pb.Storyboard, faults: Faults, at: str = "storyboard") -> domain.Content:
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
        model=faults.text(board.model, f"{at}.model", LONGEST_MODEL),
        silent=board.silent,
        characters=faults.each(board.characters, f"{at}.characters", flaws.MOST["characters"], read.character),
        locations=faults.each(board.locations, f"{at}.locations", flaws.MOST["locations"], read.location),
        props=faults.each(board.props, f"{at}.props", flaws.MOST["props"], read.prop),
        scenes=faults.each(board.scenes, f"{at}.scenes", flaws.MOST["scenes"], read.scene),
    )
    for flaw in flaws.between(result):
        faults.add(f"{at}.{flaw.at}", flaw.wrong)
    return result


def scene(it: pb.Scene, faults: Faults, at: str = "scene") -> domain.Scene:
    """One scene, with whatever is wrong with it alone added to `faults`."""
    return _Reader(faults).scene(it, at)


@dataclass(frozen=True, slots=True)
class _Reader:
    faults: Faults

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
            model=text(it.model, f"{at}.model", LONGEST_MODEL),
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


def from_storyboard(board: domain.Storyboard) -> pb.Storyboard:
    """The storyboard with its life."""
    it = from_content(board.content)
    it.id, it.state, it.revision, it.etag = board.id, _TO_STATE[board.state], board.revision, board.etag
    it.create_time.FromDatetime(board.created_at)
    it.update_time.FromDatetime(board.updated_at)
    if board.deleted_at:
        it.delete_time.FromDatetime(board.deleted_at)
    if board.expires_at:
        it.expire_time.FromDatetime(board.expires_at)
    return it


def from_revision(revision: domain.Revision, content: domain.Content | None = None) -> pb.Revision:
    """The revision; with content it shows the storyboard as it was."""
    it = pb.Revision(
        storyboard_id=revision.storyboard_id,
        number=revision.number,
        author=revision.author,
        origin=revision.verb,
        client=revision.client,
        name=revision.name,
        same_as=revision.same_as or 0,
    )
    it.create_time.FromDatetime(revision.created_at)
    if content:
        it.storyboard.CopyFrom(from_content(content))
        it.storyboard.id, it.storyboard.revision = revision.storyboard_id, revision.number
    return it


_OTHER_WORDS = {"seconds": "duration"}
"""Fields that the contract calls otherwise."""


def from_path(path: diff.Path) -> str:
    """As callers name a field: `scenes[scene_…].action`."""
    kind, *rest = path
    return f"{kind}[{rest[0]}]" + "".join(f".{_OTHER_WORDS.get(word, word)}" for word in rest[1:]) if rest else kind


def from_changes(changes: Sequence[diff.Change]) -> Iterator[pb.Change]:
    """The differences; an order as what was moved in it."""
    for change in changes:
        if len(change.path) > 1 or change.path[0] not in diff.KINDS:
            yield _from_change(change)
            continue
        gone = diff.moved(change.before, change.after)
        for id in (it for it in change.after if it in gone):
            places = (change.before.index(id) + 1, change.after.index(id) + 1)
            yield _change(pb.Change.KIND_MOVED, (change.path[0], id), *places)


def _from_change(change: diff.Change) -> pb.Change:
    is_thing = len(change.path) == 2
    if is_thing and change.before is None:
        return _change(pb.Change.KIND_ADDED, change.path, None, change.after)
    if is_thing and change.after is None:
        return _change(pb.Change.KIND_REMOVED, change.path, change.before, None)
    return _change(pb.Change.KIND_CHANGED, change.path, change.before, change.after)


def _change(kind: pb.Change.Kind.ValueType, path: diff.Path, before: Any, after: Any) -> pb.Change:
    return pb.Change(kind=kind, path=from_path(path), before=_value(path, before), after=_value(path, after))


def _value(path: diff.Path, value: Any) -> Value | None:
    """Any value of the domain as JSON in the contract's words."""
    if path[0] == "scenes" and len(path) == 3:
        (field,) = path[2:]
        value = _plain(domain.Scene(**{field: value})).get(_OTHER_WORDS.get(field, field))
    if value is None:
        return None
    told = Value()
    json_format.ParseDict(_plain(value), told)
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, domain.Scene):
        return json_format.MessageToDict(from_scene(value), preserving_proto_field_name=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(it) for name, it in dataclasses.asdict(value).items()}
    return [_plain(it) for it in value] if isinstance(value, list | tuple) else value


def from_preset(preset: presets.Preset) -> pb.Preset:
    """The look."""
    return pb.Preset(**dataclasses.asdict(preset))


def from_template(template: templates.SceneTemplate) -> pb.SceneTemplate:
    """The scene to begin with."""
    return pb.SceneTemplate(
        key=template.key,
        title=template.title,
        purpose=template.purpose,
        scene=from_scene(template.scene),
        fills=[_OTHER_WORDS.get(name, name) for name in template.fills],
    )


def from_prompt(prompt: compose.Prompt, limits: Mapping[str, int]) -> pb.ComposedPrompt:
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
        caption=prompt.scene.caption,
        seam=_TO_SEAM[prompt.seam],
        spec=spec,
        parts=[
            pb.PromptPart(origin=part.origin, text=part.text, characters_left=_left(limits, prompt.model, length))
            for part, length in zip(prompt.parts, prompt.lengths, strict=True)
        ],
        negative_parts=[pb.PromptPart(origin=part.origin, text=part.text) for part in prompt.negative_parts],
        dialect=prompt.dialect,
        unused_references=[media_pb2.Blob(**dataclasses.asdict(blob)) for blob in prompt.unused_references],
        characters=len(prompt.text),
        characters_left=_left(limits, prompt.model, len(prompt.text)),
        digest=hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest(),
    )


def _left(limits: Mapping[str, int], model: str, length: int) -> int | None:
    return limits[model] - length if model in limits else None


def from_content(content: domain.Content) -> pb.Storyboard:
    """What a person wrote; the domain's words are the contract's."""
    written: dict[str, Any] = dataclasses.asdict(content)
    return pb.Storyboard(**written | {"scenes": map(from_scene, content.scenes)})


def from_scene(scene: domain.Scene) -> pb.Scene:
    """One scene."""
    written: dict[str, Any] = dataclasses.asdict(scene)
    duration = Duration(seconds=written.pop("seconds"))
    return pb.Scene(**written | {"seam": _TO_SEAM[scene.seam], "duration": duration})
