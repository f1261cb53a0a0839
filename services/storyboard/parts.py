"""What is written down of a storyboard: JSON in the words of domain.py, in parts that revisions share."""

import dataclasses
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from services.storyboard import diff, domain

COVER = "cover"
"""The part that holds the single fields; all others are one thing each, and their kind is the field they are in."""

T = TypeVar("T", domain.Character, domain.Location)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a storyboard that never changes: another piece has another digest."""

    kind: str
    content: dict[str, Any]

    @property
    def digest(self) -> uuid.UUID:
        """The first half of a sha256: what it names is one storyboard's, written by its own people."""
        text = json.dumps([self.kind, self.content], sort_keys=True, separators=(",", ":"))
        return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def split(content: domain.Content) -> list[Part]:
    """The cover, then every thing in its order: the order is in the list, and in no part."""
    cover = {name: value for name, value in _written(content).items() if name not in diff.KINDS}
    return [Part(COVER, cover)] + [Part(kind, _written(it)) for kind in diff.KINDS for it in getattr(content, kind)]


def joined(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> domain.Content:
    """The content that was split: kind and content of each part, in their order."""
    whole: dict[str, Any] = {kind: [] for kind in diff.KINDS}
    for kind, content in parts:
        if kind == COVER:
            whole |= content
        elif kind in whole:
            whole[kind].append(content)
    return opened(whole)


def _written(thing: Any) -> dict[str, Any]:
    """Fields that say something; an absent one has its default, as one that came later has."""
    return {
        field.name: _plain(value)
        for field in dataclasses.fields(thing)
        if (value := getattr(thing, field.name)) != field.default
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return [_plain(it) for it in value] if isinstance(value, tuple) else value


def opened(content: Mapping[str, Any]) -> domain.Content:
    """Content as it was stored, by this release or an older one; keys of a newer one are passed over."""
    return domain.Content(
        **_known(domain.Content, content)
        | {
            "size": domain.Size(**content["size"]) if content.get("size") else None,
            "characters": tuple(_with_stills(domain.Character, it) for it in content.get("characters", ())),
            "locations": tuple(_with_stills(domain.Location, it) for it in content.get("locations", ())),
            "props": tuple(domain.Prop(**_known(domain.Prop, it)) for it in content.get("props", ())),
            "scenes": tuple(_scene(it) for it in content.get("scenes", ())),
        }
    )


def _scene(it: Mapping[str, Any]) -> domain.Scene:
    names = {"cast": tuple(it.get("cast", ())), "props": tuple(it.get("props", ()))}
    return domain.Scene(**_known(domain.Scene, it) | names | {"seam": domain.Seam(it.get("seam", "cut"))})


def _with_stills(cls: type[T], it: Mapping[str, Any]) -> T:
    stills = tuple(domain.Blob(**_known(domain.Blob, blob)) for blob in it.get("references", ()))
    return cls(**_known(cls, it) | {"references": stills})


def _known(cls: Any, it: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: it[field.name] for field in dataclasses.fields(cls) if field.name in it}
