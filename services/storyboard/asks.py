"""What callers ask, read and checked: requests to domain values, with every violation told at once."""

import contextlib
import dataclasses
import hashlib
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from libs import errors, ids, paging
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from services.storyboard import domain, edits, files, flaws, proposals, stills, wire

EDITABLE = (
    "name", "logline", "preset", "size", "model", "characters", "locations", "props", "scenes", "silent"
)  # fmt: skip
EDITABLE_OF_SCENE = tuple(field.name for field in pb.Scene.DESCRIPTOR.fields if field.name != "id")
_LONGEST_NAME = 200
_NOTHING = domain.Content()
_SCENES = 30
_FORMATS = {
    service_pb.FILE_FORMAT_YAML: files.Format.YAML,
    service_pb.FILE_FORMAT_JSON: files.Format.JSON,
    service_pb.FILE_FORMAT_FOUNTAIN: files.Format.FOUNTAIN,
    service_pb.FILE_FORMAT_CSV: files.Format.CSV,
    service_pb.FILE_FORMAT_BROWSER_JSON: files.Format.BROWSER_JSON,
    service_pb.FILE_FORMAT_HTML: files.Format.HTML,
}
Whole = TypeVar("Whole", pb.Storyboard, pb.Scene)


@dataclass(frozen=True, slots=True)
class Creation:
    """What CreateStoryboard asks; `digest` tells two bodies of one request_id apart."""

    request_id: str
    digest: str
    content: domain.Content


def creation(request: service_pb.CreateStoryboardRequest, tenant_id: str) -> Creation:
    """The request of this tenant as a domain value. Raises Invalid."""
    faults = wire.Faults()
    request_id = _uuid(request.request_id, faults)
    asked = wire.content(request.storyboard, faults)
    _own(asked, tenant_id, faults, "storyboard.")
    faults.end()
    return Creation(request_id, digest(_of_fields(request.storyboard, EDITABLE)).hex(), asked)


def guest(request: service_pb.CreateGuestStoryboardRequest, tenant_id: str) -> domain.Content:
    """What a guest, who is this tenant, asks to keep. Raises Invalid."""
    faults = wire.Faults()
    asked = wire.content(request.storyboard, faults)
    _own(asked, tenant_id, faults, "storyboard.")
    faults.end()
    return asked


@dataclass(frozen=True, slots=True)
class Copy:
    """What DuplicateStoryboard asks; revision None is the newest, an empty name one made from the original's."""

    request_id: str
    digest: str
    revision: int | None
    name: str


def copy(request: service_pb.DuplicateStoryboardRequest) -> Copy:
    """The request as a domain value. Raises Invalid."""
    faults = wire.Faults()
    request_id = _uuid(request.request_id, faults)
    name = faults.text(request.name, "name", _LONGEST_NAME)
    faults.end()
    body = service_pb.DuplicateStoryboardRequest(
        storyboard_id=request.storyboard_id, revision=request.revision, name=name
    )
    return Copy(request_id, digest(body).hex(), request.revision or None, name)


@dataclass(frozen=True, slots=True)
class Import:
    """What ImportStoryboard asks, but for the file."""

    request_id: str
    format: files.Format
    name: str


def importing(request: service_pb.ImportStoryboardRequest) -> Import:
    """The request as a domain value. Raises Invalid."""
    faults = wire.Faults()
    request_id = "" if request.validate_only else _uuid(request.request_id, faults)
    name = faults.text(request.name, "name", _LONGEST_NAME)
    format = _FORMATS.get(request.format)
    faults.check(format in files.READABLE, "format", "should be a format that can be imported, such as YAML")
    faults.end()
    return Import(request_id, format or files.Format.YAML, name)


def imported(content: domain.Content, tenant_id: str) -> None:
    """See that what a file of this tenant holds is its own. Raises Invalid."""
    faults = wire.Faults()
    _own(content, tenant_id, faults)
    faults.end()


def file_format(asked: service_pb.FileFormat.ValueType) -> files.Format:
    """The format. Raises Invalid."""
    if asked not in _FORMATS:
        known = "should be a format that this server knows, such as FILE_FORMAT_YAML"
        raise wire.BadRequest([errors.Violation("format", known)])
    return _FORMATS[asked]


def script(request: service_pb.ProposeScenesRequest) -> tuple[str, int]:
    """The script, and how many scenes at most. Raises Invalid."""
    faults = wire.Faults()
    text = faults.text(request.script, "script", proposals.LONGEST_SCRIPT, least=1)
    faults.check(0 <= request.most_scenes <= 100, "most_scenes", "should be 1 to 100, or 0 for 30")
    faults.end()
    return text, request.most_scenes or _SCENES


def instruction(request: service_pb.RefineSceneRequest) -> str:
    """What should become better. Raises Invalid."""
    faults = wire.Faults()
    text = faults.text(request.instruction, "instruction", proposals.LONGEST_INSTRUCTION)
    faults.end()
    return text


def name_of_copy(original: str) -> str:
    """The name of a copy that was given none."""
    return f"{original[: _LONGEST_NAME - 7]} (copy)"


def change(request: service_pb.UpdateStoryboardRequest, content: domain.Content, tenant_id: str) -> domain.Content:
    """The content with the masked fields of this tenant's request. Raises Invalid."""
    paths = _masked(request.update_mask, EDITABLE)
    merged = _of_fields(wire.from_content(content), set(EDITABLE) - set(paths))
    merged.MergeFrom(_of_fields(request.storyboard, paths))
    faults = wire.Faults()
    changed = wire.content(merged, faults)
    _own(changed, tenant_id, faults, "storyboard.", content)
    faults.end()
    return changed


def addition(request: service_pb.AddSceneRequest, content: domain.Content) -> tuple[str, domain.Content]:
    """The id of the new scene, the same for the same request_id, and the content with it.

    Raises Invalid or SceneNotFound.
    """
    faults = wire.Faults()
    request_id = _uuid(request.request_id, faults)
    scene = wire.scene(_of_fields(request.scene, EDITABLE_OF_SCENE), faults)
    faults.end()
    seed = f"{request.storyboard_id} {request_id}".encode()
    scene = dataclasses.replace(scene, id=ids.of("scene", hashlib.sha256(seed).digest()))
    changed = edits.with_scene(content, scene, request.before_scene_id, request.storyboard_id)
    _check(changed, scene.id)
    return scene.id, changed


def scene_change(request: service_pb.UpdateSceneRequest, content: domain.Content) -> domain.Content:
    """The content with the masked fields of one scene. Raises Invalid or SceneNotFound."""
    paths = _masked(request.update_mask, EDITABLE_OF_SCENE)
    before = wire.from_scene(edits.scene(content, request.scene.id, request.storyboard_id))
    merged = _of_fields(before, {"id", *EDITABLE_OF_SCENE} - set(paths))
    merged.MergeFrom(_of_fields(request.scene, paths))
    faults = wire.Faults()
    scene = wire.scene(merged, faults)
    faults.end()
    changed = edits.replaced(content, scene)
    _check(changed, scene.id)
    return changed


def upload(request: service_pb.UploadReferenceRequest) -> stills.Upload:
    """What the first message of an upload says. Raises Invalid."""
    it = request.facts
    said = stills.Upload(it.storyboard_id, it.thing_id, it.content_type, it.size_bytes, it.sha256)
    faults = wire.Faults()
    faults.check(request.HasField("facts"), "facts", "should be the first message, before the data")
    for field, wrong in said.wrong() if request.HasField("facts") else ():
        faults.add(f"facts.{field}", wrong)
    faults.end()
    return said


def reference(content: domain.Content, upload: stills.Upload, still: domain.Blob) -> domain.Content:
    """The content with the still as the newest of its thing. Raises Invalid or ThingNotFound."""
    changed = edits.with_reference(content, upload.thing_id, still, upload.storyboard_id)
    faults = wire.Faults()
    counts = {it.id: len(it.references) for it in changed.characters} | {
        it.id: len(it.references) for it in changed.locations
    }
    fits = counts[upload.thing_id] <= stills.MOST
    faults.check(fits, "facts.thing_id", f"has {stills.MOST} references already; remove one")
    faults.end()
    return changed


def revision_name(request: service_pb.NameRevisionRequest) -> str:
    """The name for people. Raises Invalid."""
    faults = wire.Faults()
    name = faults.text(request.name, "name", _LONGEST_NAME)
    faults.end()
    return name


@dataclass(frozen=True, slots=True)
class Listing:
    """Which storyboards ListStoryboards asks for; state None is any."""

    query: str
    state: domain.State | None


def listing(request: service_pb.ListStoryboardsRequest) -> Listing:
    """The request as a domain value. Raises Invalid."""
    faults = wire.Faults()
    asked = faults.text(request.query, "query", 200)
    known = request.state in pb.Storyboard.State.values()
    faults.check(known, "state", "should be a state this server knows, or none")
    faults.end()
    if request.state:
        return Listing(asked, wire.STATES[request.state])
    return Listing(asked, None if request.show_deleted else domain.State.ACTIVE)


def limits(request: service_pb.ComposePromptsRequest) -> Mapping[str, int]:
    """How many characters of prompt each model takes. Raises Invalid."""
    faults = wire.Faults()
    for index, limit in enumerate(request.limits):
        faults.check(limit.characters > 0, f"limits[{index}].characters", "should be at least 1")
        faults.check(bool(limit.model), f"limits[{index}].model", "should be a catalogue id")
    faults.end()
    return {limit.model: limit.characters for limit in request.limits}


def model(request: service_pb.ComposePromptsRequest) -> str:
    """The model to compose for; empty for those that the storyboard names. Raises Invalid."""
    faults = wire.Faults()
    found = faults.text(request.model, "model", wire.LONGEST_MODEL)
    faults.end()
    return found


def storyboard_id(text: str) -> str:
    """The id of a storyboard. Raises Invalid when it is empty, StoryboardNotFound when none can have it."""
    if not text:
        raise wire.BadRequest([errors.Violation("storyboard_id", "should be the sb_… of a storyboard")])
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


def digest(request: Message) -> bytes:
    """Tells requests apart."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def _foreign_token() -> errors.Invalid:
    remedy = "should be the next_page_token of the page before, or empty for the first page"
    return errors.Invalid([errors.Violation("page_token", remedy)])


def _check(content: domain.Content, scene_id: str) -> None:
    """Raises Invalid when the storyboard with this scene does not hold together."""
    faults = wire.Faults()
    for flaw in flaws.between(content):
        if flaw.id == scene_id:
            faults.add(flaw.at.replace(f"scenes[{flaw.index}]", "scene", 1), flaw.wrong)
    for kind, wrong in flaws.too_many(content):
        faults.add(f"storyboard.{kind}", wrong)
    faults.end()


def _own(
    content: domain.Content, tenant_id: str, faults: wire.Faults, at: str = "", before: domain.Content = _NOTHING
) -> None:
    for flaw in flaws.foreign(content, tenant_id, before):
        faults.add(f"{at}{flaw.at}.key", flaw.wrong)


def _masked(mask: FieldMask, editable: Sequence[str]) -> list[str]:
    paths, faults = list(mask.paths), wire.Faults()
    faults.check(bool(paths), "update_mask", f"should name a field to change: {', '.join(editable)}")
    for path in sorted(set(paths) - set(editable)):
        faults.add("update_mask", f"names {path!r}, which cannot be changed; name any of {', '.join(editable)}")
    faults.end()
    return paths


def _uuid(text: str, faults: wire.Faults) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        faults.add("request_id", "should be a UUID that you choose; send the same one to repeat the request")
        return ""


def _of_fields(message: Whole, names: Collection[str]) -> Whole:
    """A copy that holds these fields only."""
    copy = type(message)()
    FieldMask(paths=names).MergeMessage(message, copy)
    return copy
