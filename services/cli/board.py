"""A board: a storyboard as a person writes it in a YAML file, the same whatever the provider."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

ASPECTS = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (1080, 1080)}
"""The picture each aspect is made in, width and height in pixels."""

Preset = Literal[
    "cinematic",
    "noir",
    "documentary",
    "golden_hour",
    "neon",
    "pastel",
    "storybook",
    "vintage_16mm",
    "clean_product",
    "moody_thriller",
]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Words = Annotated[str, Field(max_length=2000)]
FewWords = Annotated[str, Field(max_length=1000)]

_WRITTEN_BY_HAND = pydantic.ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Still(pydantic.BaseModel):
    """A reference image as an export names it: it is kept in the house, and not in the file."""

    model_config = _WRITTEN_BY_HAND

    key: Annotated[str, Field(min_length=1, max_length=1024)]
    content_type: str
    size_bytes: Annotated[int, Field(ge=1)]
    sha256: str


Stills = Annotated[list[Still], Field(max_length=20, description="Stills, newest last, as an export names them.")]


class Character(pydantic.BaseModel):
    """A person of the film, kept recognisable from scene to scene."""

    model_config = _WRITTEN_BY_HAND

    name: Name = Field(description="What the scenes' cast calls the person; unique in the board.")
    profile: Words = Field("", description="What the camera sees: age, build, hair, clothes.")
    identity_tag: Annotated[str, Field(max_length=2100)] = Field("", description="Who it stays, as an export tells.")
    references: Stills = []


class Location(pydantic.BaseModel):
    """A place of the film."""

    model_config = _WRITTEN_BY_HAND

    name: Name = Field(description="What a scene's location calls the place; unique in the board.")
    description: Words = Field("", description="What the camera sees there.")
    references: Stills = []


class Prop(pydantic.BaseModel):
    """A thing that must look the same wherever it is seen."""

    model_config = _WRITTEN_BY_HAND

    name: Name = Field(description="What a scene's props call the thing; unique in the board.")
    description: Words = Field("", description="What the camera sees of it.")


class Scene(pydantic.BaseModel):
    """One shot of the film: what is seen, how, and for how long."""

    model_config = _WRITTEN_BY_HAND

    title: Annotated[str, Field(max_length=200)] = Field("", description="Names the chapter of the film.")
    subject: Annotated[Words, Field(min_length=1)] = Field(description="Who or what is seen.")
    action: Words = Field("", description="What happens.")
    setting: Words = Field("", description="Where and when.")
    camera: FewWords = Field("", description="Framing, lens and movement.")
    lighting: FewWords = Field("", description="Where the light comes from, and how it falls.")
    mood: FewWords = Field("", description="What it should feel like.")
    dialogue: Words = Field("", description="Words spoken in the scene.")
    duration: Annotated[int, Field(ge=1, le=60)] = Field(description="Whole seconds; a model may allow fewer lengths.")
    seam: Literal["cut", "last_frame", "shared_keyframe"] = Field(
        "cut",
        description="How the scene joins the one before: a cut; from its last frame; or over one still shared by both.",
    )
    cast: list[str] = Field([], max_length=50, description="Names of the board's characters that are seen.")
    location: str = Field("", description="Name of one of the board's locations.")
    props: list[str] = Field([], max_length=200, description="Names of the board's props that are seen.")
    negative_prompt: Words = Field("", description="What must not be seen.")
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(
        None, description="Makes the clip repeatable where the model allows it."
    )
    model: Annotated[str, Field(max_length=200)] = Field("", description="A catalogue id for this scene alone.")
    caption: Annotated[str, Field(max_length=500)] = Field("", description="Words shown over the scene.")


class Board(pydantic.BaseModel):
    """A film on paper: its look, its people, places and things, and its scenes in order."""

    model_config = pydantic.ConfigDict(**_WRITTEN_BY_HAND, title="Rushes board")

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="The title of the film.")
    logline: Words = Field("", description="The film in a sentence.")
    preset: Preset = Field("cinematic", description="The look: words that are added to every prompt.")
    model: Annotated[str, Field(max_length=200)] = Field(
        "", description="The catalogue id of the model, such as sandbox/reel-1; the installation's default without it."
    )
    aspect: Literal["16:9", "9:16", "1:1"] = Field("16:9", description="The shape of the picture.")
    size: Annotated[str, Field(pattern=r"^[1-9]\d{2,3}x[1-9]\d{2,3}$")] | None = Field(
        None,
        description="The exact picture instead of an aspect, such as 1920x1080; both numbers even.",
        examples=["width x height in pixels, such as 1920x1080"],
    )
    silent: bool = Field(False, description="Makes every clip without sound where the model allows it.")
    characters: list[Character] = Field([], max_length=50)
    locations: list[Location] = Field([], max_length=100)
    props: list[Prop] = Field([], max_length=200)
    scenes: list[Scene] = Field(min_length=1, max_length=500)

    @property
    def scene_count(self) -> str:
        """`1 scene` or `6 scenes`."""
        return f"{len(self.scenes)} scene{'' if len(self.scenes) == 1 else 's'}"

    @property
    def frame(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.size is None:
            return ASPECTS[self.aspect]
        width, height = self.size.split("x")
        return int(width), int(height)


def schema() -> dict[str, Any]:
    """The JSON Schema of a board file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Board.model_json_schema()}
