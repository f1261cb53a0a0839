"""A film's manifest: its plan and where each part of it comes from, for exports, for people, and for a C2PA claim."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pydantic

from services.compiler import film, marks, recipes
from services.compiler.edit import Card, Join
from services.compiler.recipes import Profile, Subtitle

VERSION = 1
_SOFTWARE = "Rushes"
_C2PA = "c2pa"


@dataclass(frozen=True, slots=True)
class Maker:
    """What a clip was made by; the digest of its prompt in hex, the time as RFC 3339; empty where it is not known."""

    provider: str
    model: str
    prompt_sha256: str
    create_time: str


@dataclass(frozen=True, slots=True)
class Source:
    """A clip: the sha256 of its bytes, how many frames of the film's rate it has, and whether it is heard."""

    sha256: str
    frames: int
    sound: bool


@dataclass(frozen=True, slots=True)
class Shot:
    """One cut: frames `start` up to `start + frames` of the film, from frame `first` of its source on.

    `join` is how it follows the shot before; `lead` and `tail` are how many of its frames its joins take. It has a
    source or a card. `conformed` says why its pictures were made anew.
    """

    number: int
    title: str
    scene_id: str
    take_id: str
    start: int
    frames: int
    first: int
    source: Source | None
    card: Card | None
    join: Join | None
    lead: int
    tail: int
    gain_db: float
    conformed: tuple[str, ...]
    maker: Maker | None

    @property
    def end(self) -> int:
        """The frame of the film after its last."""
        return self.start + self.frames


@dataclass(frozen=True, slots=True)
class File:
    """The finished MP4."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A finished film, to the frame. `music` and `narrations` are the sha256 of their files."""

    version: int
    film_id: str
    title: str
    create_time: str
    software: str
    software_version: str
    file: File
    profile: Profile
    frames: int
    generated: bool
    loudness: float
    language: str
    shots: tuple[Shot, ...]
    ending: Join | None
    captions: tuple[Subtitle, ...]
    music: str | None
    narrations: tuple[str, ...]

    @property
    def clips(self) -> dict[str, Shot]:
        """Every clip once, by its sha256, with the first shot of it."""
        found: dict[str, Shot] = {}
        for shot in self.shots:
            if shot.source:
                found.setdefault(shot.source.sha256, shot)
        return found


def of(
    film_id: str,
    plan: film.Plan,
    makers: Sequence[Maker | None],
    file: File,
    software_version: str,
    now: datetime,
) -> Manifest:
    """The manifest of a film that was made by this plan; `makers` are those of its cuts."""
    made, sound = plan.film, _sound(plan)
    return Manifest(
        version=VERSION,
        film_id=film_id,
        title=made.title,
        create_time=now.isoformat(),
        software=_SOFTWARE,
        software_version=software_version,
        file=file,
        profile=made.profile,
        frames=made.frames,
        generated=made.generated,
        loudness=made.loudness,
        language=made.language,
        shots=tuple(
            _shot(cut, maker, _source(cut, plan.pieces, heard.source is not None))
            for cut, maker, heard in zip(plan.cuts, makers, sound.heard, strict=True)
        ),
        ending=plan.cuts[-1].place.goes,
        captions=made.subtitles,
        music=sound.bed.source if sound.bed else None,
        narrations=tuple(voice.source for voice in sound.voices),
    )


def write(manifest: Manifest) -> str:
    """As JSON; beside it, under `c2pa`, what the C2PA tools sign: the definition of a claim on this file."""
    told = dataclasses.asdict(manifest) | {_C2PA: _claim(manifest)}
    return json.dumps(told, indent=1, ensure_ascii=False, default=str) + "\n"


def read(text: str | bytes) -> Manifest:
    """The manifest of its JSON. Raises ValueError for anything else."""
    told = json.loads(text)
    told.pop(_C2PA, None)
    return pydantic.TypeAdapter(Manifest).validate_python(told)


def _sound(plan: film.Plan) -> recipes.Sound:
    sound = plan.pieces[plan.film.sound]
    assert isinstance(sound, recipes.Sound)
    return sound


def _shot(cut: film.Cut, maker: Maker | None, source: Source | None) -> Shot:
    place, card = cut.place, cut.place.entry.source
    return Shot(
        number=place.number,
        title=place.title,
        scene_id=place.entry.scene.scene_id,
        take_id=place.entry.scene.take_id,
        start=place.start,
        frames=place.frames,
        first=place.first,
        source=source,
        card=card if isinstance(card, Card) else None,
        join=place.comes,
        lead=place.lead,
        tail=place.tail,
        gain_db=place.entry.gain_db,
        conformed=cut.conform,
        maker=maker,
    )


def _source(cut: film.Cut, pieces: Mapping[str, recipes.Recipe], sound: bool) -> Source | None:
    if cut.pictures is None:
        return None
    house = pieces.get(cut.pictures.source)
    digest = house.source if isinstance(house, recipes.House) else cut.pictures.source
    return Source(digest, cut.pictures.frames, sound)


def _claim(manifest: Manifest) -> dict[str, Any]:
    """As c2patool reads it (opensource.contentauthenticity.org/docs/c2patool): actions, and clips as ingredients."""
    ingredients = [
        {"title": shot.title, "format": "video/mp4", "instance_id": _urn(digest), "relationship": "componentOf"}
        for digest, shot in manifest.clips.items()
    ]
    agent = {"name": manifest.software, "version": manifest.software_version}
    created: dict[str, Any] = {"action": "c2pa.created", "when": manifest.create_time, "softwareAgent": agent}
    if manifest.generated:
        created["digitalSourceType"] = marks.SOURCE_TYPE
    placed = [{"action": "c2pa.placed", "parameters": {"ingredientIds": [one["instance_id"]]}} for one in ingredients]
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [created, *placed]}}
    return {
        "claim_generator_info": [agent],
        "title": manifest.title,
        "format": "video/mp4",
        "ingredients": ingredients,
        "assertions": [actions],
    }


def _urn(digest: str) -> str:
    return f"urn:sha256:{digest}"
