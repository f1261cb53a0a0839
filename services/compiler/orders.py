"""What the worker process is told, and what it says: lines of JSON that need no media library to write or read."""

import dataclasses
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pydantic

from services.compiler import domain, film, recipes

FILM, POSTER, CONTACT_SHEET = "film.mp4", "poster.jpg", "contact_sheet.jpg"
SPRITE, SPRITE_VTT, SPRITE_SUFFIX = "sprite.jpg", "sprite.vtt", " sprite.jpg"
CAPTIONS_VTT, CAPTIONS_SRT = "captions.vtt", "captions.srt"
MANIFEST = "manifest.json"
_LONGEST_NAME = 200  # bytes: disks take 255, and there is a suffix
_UNSAFE_IN_NAMES = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]+')


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a film's recipe leaves in the folder under `name`.

    It is kept as `field` of domain.Result and of the Film message; people save it as the film's title and `suffix`.
    """

    field: str
    name: str
    content_type: str
    suffix: str


OUTPUTS = (
    Output("video", FILM, "video/mp4", ".mp4"),
    Output("poster", POSTER, "image/jpeg", " poster.jpg"),
    Output("contact_sheet", CONTACT_SHEET, "image/jpeg", " contact sheet.jpg"),
    Output("sprite", SPRITE, "image/jpeg", SPRITE_SUFFIX),
    Output("sprite_vtt", SPRITE_VTT, "text/vtt", " sprite.vtt"),
    Output("captions_vtt", CAPTIONS_VTT, "text/vtt", ".vtt"),
    Output("captions_srt", CAPTIONS_SRT, "application/x-subrip", ".srt"),
    Output("manifest", MANIFEST, "application/json", " manifest.json"),
)
"""All that may belong to a film. Its recipe leaves what it has in the folder; the manifest is no recipe's."""


@dataclass(frozen=True, slots=True)
class Order:
    """Files to look into, then pieces to make, in order; all lie in `folder` under their digest or address.

    `sounds` are files of which only the sound is wanted.
    """

    folder: Path
    probe: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    make: tuple[recipes.Recipe, ...] = ()


@dataclass(frozen=True, slots=True)
class Unguarded:
    """The worker works, but this system does not let its jail have these walls."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the order is done, 0 to 1."""

    done: float


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found in a file; no facts of a sound."""

    source: str
    facts: film.Facts | None


@dataclass(frozen=True, slots=True)
class Made:
    """A piece is whole, and lies under its address."""

    address: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """The film is as planned, but this is odd."""

    notices: tuple[domain.Notice, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The order is done."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """This file cannot be used; the problem ends the sentence "the clip …"."""

    source: str
    problem: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The worker could not go on for a reason of its own: `cause` for people, `trace` for the log."""

    cause: str
    trace: str


Said = Unguarded | Share | Probed | Made | Noticed | Done | Unusable | domain.FilmNotAsPlanned | Broken
"""How the work goes, then how it ended."""

_SAID: dict[str, pydantic.TypeAdapter[Said]] = {
    kind.__name__: pydantic.TypeAdapter(kind)
    for kind in (Unguarded, Share, Probed, Made, Noticed, Done, Unusable, Broken)
}


def file_name(title: str, suffix: str) -> str:
    """What people save a film's file as: its title, as far as file systems bear it, and the suffix."""
    name = " ".join(_UNSAFE_IN_NAMES.sub(" ", title).split()).strip(".")
    return (name.encode()[:_LONGEST_NAME].decode(errors="ignore").rstrip() or "film") + suffix


def left(folder: Path) -> tuple[Output, ...]:
    """What of it is in the folder."""
    return tuple(output for output in OUTPUTS if (folder / output.name).exists())


def order_line(order: Order) -> bytes:
    """The order as one line."""
    told = {"folder": str(order.folder), "probe": order.probe, "sounds": order.sounds}
    return json.dumps(told | {"make": [recipes.line(recipe) for recipe in order.make]}).encode() + b"\n"


def read_order(line: bytes) -> Order:
    """The order of a line."""
    told = json.loads(line)
    make = tuple(recipes.read(recipe) for recipe in told["make"])
    return Order(Path(told["folder"]), tuple(told["probe"]), tuple(told["sounds"]), make)


def said_line(said: Said) -> str:
    """One thing the worker says, as a line."""
    if isinstance(said, domain.FilmNotAsPlanned):
        return json.dumps({"kind": "FilmNotAsPlanned", **said.facts})
    return json.dumps({"kind": type(said).__name__} | dataclasses.asdict(said), default=_plain)


def read_said(line: str | bytes) -> Said:
    """What a line of the worker says."""
    told: dict[str, Any] = json.loads(line)
    kind = told.pop("kind")
    if kind == "Probed" and told["facts"]:
        told["facts"]["parameters"] = bytes.fromhex(told["facts"]["parameters"])
    return domain.FilmNotAsPlanned(**told) if kind == "FilmNotAsPlanned" else _SAID[kind].validate_python(told)


def _plain(value: Fraction | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
