"""Storyboards as a film person thinks of them: what they hold, and what may follow what."""

import dataclasses
import enum
import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from libs import errors

KEPT_AFTER_DELETION = timedelta(days=30)

NewId = Callable[[str], str]
"""Makes an id of a prefix: "scene" -> "scene_01jd8x…"."""


class StoryboardNotFound(errors.NotFound):
    """There is no storyboard {storyboard_id}; list the storyboards to see their ids."""


class RevisionNotFound(errors.NotFound):
    """The storyboard {storyboard_id} has no revision {revision}; list its revisions to see their numbers."""


class StoryboardChanged(errors.Stale):
    """The storyboard {storyboard_id} has changed since it was read; read it again and repeat the change.

    The violations name what somebody else changed too, by whom and when.
    """


class StoryboardEmpty(errors.Conflict):
    """Revision {revision} of the storyboard {storyboard_id} has no scenes; add at least one."""


class StoryboardDeleted(errors.Conflict):
    """The storyboard {storyboard_id} is deleted; undelete it first."""


class RequestIdReused(errors.Conflict):
    """The request_id {request_id} was used before with another storyboard; send a new UUID."""


class SceneNotFound(errors.NotFound):
    """The storyboard {storyboard_id} has no scene {scene_id}; get the storyboard to see its scenes."""


class ThingNotFound(errors.NotFound):
    """The storyboard {storyboard_id} has no character or location {id}; get the storyboard to see them."""


class NothingToUndo(errors.Conflict):
    """Nothing of the storyboard {storyboard_id} is left to undo."""


class NothingToRedo(errors.Conflict):
    """Nothing of the storyboard {storyboard_id} was undone since its last change."""


class State(enum.StrEnum):
    """Whether a storyboard is in use; a deleted one is kept for 30 days, an archived one only out of sight."""

    ACTIVE = "active"
    DELETED = "deleted"
    ARCHIVED = "archived"


class Seam(enum.StrEnum):
    """How a scene joins the one before it."""

    CUT = "cut"
    LAST_FRAME = "last_frame"
    SHARED_KEYFRAME = "shared_keyframe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Stored bytes by name: a still of a character or a place."""

    key: str
    content_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Width and height of the picture in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """A person of the film; the identity tag outlives every change of name."""

    id: str = ""
    name: str = ""
    profile: str = ""
    identity_tag: str = ""
    references: tuple[Blob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place of the film."""

    id: str = ""
    name: str = ""
    description: str = ""
    references: tuple[Blob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prop:
    """A thing that must look the same wherever it is seen."""

    id: str = ""
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One shot: `cast`, `location` and `props` are names; `seconds` is its length."""

    id: str = ""
    title: str = ""
    subject: str = ""
    action: str = ""
    setting: str = ""
    camera: str = ""
    lighting: str = ""
    mood: str = ""
    dialogue: str = ""
    seconds: int = 0
    seam: Seam = Seam.CUT
    cast: tuple[str, ...] = ()
    location: str = ""
    props: tuple[str, ...] = ()
    model: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a person writes: all that a revision keeps. Empty `preset`, `model` and `size` mean the defaults."""

    name: str = ""
    logline: str = ""
    preset: str = ""
    size: Size | None = None
    model: str = ""
    silent: bool = False
    characters: tuple[Character, ...] = ()
    locations: tuple[Location, ...] = ()
    props: tuple[Prop, ...] = ()
    scenes: tuple[Scene, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storyboard:
    """A storyboard as it stands: the content of its newest revision, and its life."""

    id: str
    tenant_id: str
    content: Content
    state: State
    revision: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def etag(self) -> str:
        """Opaque, and another one after every change."""
        return etag(self.id, self.revision, self.updated_at, self.deleted_at)


def etag(storyboard_id: str, revision: int, updated_at: datetime, deleted_at: datetime | None = None) -> str:
    """Names a version of a storyboard; the time tells apart histories, as after a restored backup."""
    times = [when and when.timestamp() for when in (updated_at, deleted_at)]
    facts = f"{storyboard_id} {times}"
    return f"{revision}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def revision_of(etag: str) -> int | None:
    """The number of the revision that an etag may be of; None when it can be of none."""
    number = etag.partition("-")[0]
    return int(number) if re.fullmatch("[1-9][0-9]{0,8}", number) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What the history tells of an immutable version: who made it, when, by which verb, and by which program.

    `same_as` is the older one that Undo or Redo brought back by it.
    """

    storyboard_id: str
    number: int
    author: str
    origin: str
    name: str
    created_at: datetime
    same_as: int | None = None

    @property
    def verb(self) -> str:
        """The verb that made it."""
        return self.origin.partition(" ")[0]

    @property
    def client(self) -> str:
        """The program it came by; empty where that was not told yet."""
        return self.origin.partition(" ")[2]


def origin(verb: str, client: str) -> str:
    """Where a revision is from, as it is kept: its verb, and the program."""
    return f"{verb} {client}"


def created(
    content: Content, tenant_id: str, new_id: NewId, now: datetime, expires_at: datetime | None = None
) -> Storyboard:
    """A new storyboard, in its revision 1; a guest's expires."""
    return Storyboard(
        id=new_id("sb"),
        tenant_id=tenant_id,
        content=identified(content, Content(), new_id),
        state=State.ACTIVE,
        revision=1,
        created_at=now,
        updated_at=now,
        expires_at=expires_at,
    )


def check_seen(board: Storyboard, etag: str) -> None:
    """Raises StoryboardChanged when the etag is of another version; an empty one fits them all."""
    if etag and etag != board.etag:
        raise StoryboardChanged(storyboard_id=board.id, etag=etag)


def check_active(board: Storyboard) -> None:
    """Raises StoryboardDeleted."""
    if board.state is State.DELETED:
        raise StoryboardDeleted(storyboard_id=board.id)


def revised(board: Storyboard, content: Content, now: datetime) -> Storyboard:
    """The storyboard with this content as its next revision; the same object when that changes nothing.

    Raises StoryboardDeleted.
    """
    check_active(board)
    if content == board.content:
        return board
    return dataclasses.replace(board, content=content, revision=board.revision + 1, updated_at=now)


def check_filmable(revision: Revision, content: Content) -> None:
    """Raises StoryboardEmpty when there are no scenes."""
    if not content.scenes:
        raise StoryboardEmpty(storyboard_id=revision.storyboard_id, revision=revision.number)


def deleted(board: Storyboard, etag: str, now: datetime) -> Storyboard:
    """The storyboard marked deleted; the same object when it is. Raises StoryboardChanged."""
    if board.state is State.DELETED:
        return board
    check_seen(board, etag)
    return dataclasses.replace(board, state=State.DELETED, deleted_at=now)


def undeleted(board: Storyboard) -> Storyboard:
    """The storyboard in use again; the same object when it is."""
    if board.state is not State.DELETED:
        return board
    return dataclasses.replace(board, state=State.ACTIVE, deleted_at=None)


def archived(board: Storyboard) -> Storyboard:
    """The storyboard out of sight; the same object when it is. Raises StoryboardDeleted."""
    check_active(board)
    return board if board.state is State.ARCHIVED else dataclasses.replace(board, state=State.ARCHIVED)


def unarchived(board: Storyboard) -> Storyboard:
    """The storyboard among the others again; the same object when it is. Raises StoryboardDeleted."""
    check_active(board)
    return board if board.state is State.ACTIVE else dataclasses.replace(board, state=State.ACTIVE)


Named = TypeVar("Named", Character, Location, Prop, Scene)


def identified(content: Content, before: Content, new_id: NewId) -> Content:
    """The content with an id for everything new, and each character's tag: as before, as it came, or made now."""
    tags = {character.id: character.identity_tag for character in before.characters}
    characters = _with_ids(content.characters, "char", new_id)
    return dataclasses.replace(
        content,
        characters=tuple(
            dataclasses.replace(
                someone, identity_tag=tags.get(someone.id) or someone.identity_tag or identity_tag(someone)
            )
            for someone in characters
        ),
        locations=_with_ids(content.locations, "loc", new_id),
        props=_with_ids(content.props, "prop", new_id),
        scenes=_with_ids(content.scenes, "scene", new_id),
    )


def identity_tag(character: Character) -> str:
    """`character:sarah-chen_id:1f0a99c2` for Sarah Chen: the name for people, the digits for two of one name."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", character.name) if not unicodedata.combining(c))
    slug = re.sub(r"[\W_]+", "-", plain.casefold()).strip("-") or "unnamed"
    return f"character:{slug}_id:{hashlib.sha256(character.id.encode()).hexdigest()[:8]}"


def _with_ids(things: tuple[Named, ...], prefix: str, new_id: NewId) -> tuple[Named, ...]:
    return tuple(thing if thing.id else dataclasses.replace(thing, id=new_id(prefix)) for thing in things)
