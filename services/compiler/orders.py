"""What the worker process is told, and what it says: lines of JSON that need no media library to write or read."""

import dataclasses
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from services.compiler import domain, film

FILM, POSTER, CONTACT_SHEET = "film.mp4", "poster.jpg", "contact_sheet.jpg"
"""What the folder holds when the work is done."""

_REFUSALS = {kind.reason: kind for kind in (domain.ClipUnreadable, domain.FilmNotAsPlanned)}


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of the edit list, its clip on this disk."""

    scene: film.Scene
    path: Path


@dataclass(frozen=True, slots=True)
class Order:
    """A film to cut, and the folder to leave it in."""

    title: str
    sources: tuple[Source, ...]
    wish: film.Wish
    folder: Path


@dataclass(frozen=True, slots=True)
class Made:
    """The facts of a film that is cut and verified; `fps` is exact."""

    frames: int
    width: int
    height: int
    fps: Fraction
    copied: int
    conformed: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The worker could not go on for a reason of its own: `cause` for people, `trace` for the log."""

    cause: str
    trace: str


Said = float | Made | domain.ClipUnreadable | domain.FilmNotAsPlanned | Broken
"""The share done, then how it ended."""


def order_line(order: Order) -> bytes:
    """The order as one line."""
    wish = {"size": order.wish.size, "fps": str(order.wish.fps) if order.wish.fps else None}
    sources = [dataclasses.asdict(source.scene) | {"path": str(source.path)} for source in order.sources]
    told = {"title": order.title, "sources": sources, "wish": wish, "folder": str(order.folder)}
    return json.dumps(told).encode() + b"\n"


def read_order(line: bytes) -> Order:
    """The order of a line."""
    told = json.loads(line)
    size, fps = told["wish"]["size"], told["wish"]["fps"]
    sources = [Source(film.Scene(s["scene_id"], s["take_id"], s["title"]), Path(s["path"])) for s in told["sources"]]
    wish = film.Wish(tuple(size) if size else None, Fraction(fps) if fps else None)
    return Order(told["title"], tuple(sources), wish, Path(told["folder"]))


def made(plan: film.Plan) -> Made:
    """What is to be said of a film cut by this plan."""
    conformed = sum(bool(cut.conform) for cut in plan.cuts)
    picture = plan.profile
    return Made(plan.frames, picture.width, picture.height, picture.fps, len(plan.cuts) - conformed, conformed)


def said_line(said: Said) -> str:
    """One thing the worker says, as a line."""
    match said:
        case float():
            return json.dumps({"progress": said})
        case Made():
            return json.dumps({"made": dataclasses.asdict(said) | {"fps": str(said.fps)}})
        case Broken():
            return json.dumps({"broken": dataclasses.asdict(said)})
        case refusal:
            return json.dumps({"refused": refusal.reason, "facts": refusal.facts})


def read_said(line: bytes) -> Said:
    """What a line of the worker says."""
    told: dict[str, Any] = json.loads(line)
    if "progress" in told:
        return float(told["progress"])
    if "made" in told:
        return Made(**told["made"] | {"fps": Fraction(told["made"]["fps"])})
    if "broken" in told:
        return Broken(**told["broken"])
    return _REFUSALS[told["refused"]](**told["facts"])
