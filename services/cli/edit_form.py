"""An edit list as a person writes it in a YAML file: takes and cards in order, how they are joined, what is heard."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

_WRITTEN_BY_HAND = pydantic.ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

Frames = Annotated[int, Field(ge=0, le=5_184_000)]
Gain = Annotated[float, Field(ge=-60, le=24)]
Fit = Literal["pad", "crop", "blur"]
Colour = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
Name = Annotated[str, Field(max_length=200)]
Key = Annotated[str, Field(max_length=1024)]
Join = Annotated[
    str,
    Field(pattern=r"^(cut|(crossfade|dip to (black|white)|wipe (left|right|up|down)) [1-9]\d{0,2})$"),
]
Rate = Annotated[
    str,
    Field(pattern=r"^\d{1,3}(\.\d{1,3})?$"),
    pydantic.WithJsonSchema({"type": "number", "minimum": 1, "maximum": 120}),
]
_A_COLOUR = ["six hex digits in quotes, such as '#1a2b3c'"]


class Group(pydantic.BaseModel):
    """Fields that belong together."""

    model_config = _WRITTEN_BY_HAND


class Profile(Group):
    """The picture of the film; what is not told is as most of the clips have it."""

    size: Annotated[str, Field(pattern=r"^(720p|1080p|4k|[1-9]\d{2,3}x[1-9]\d{2,3})$")] = Field(
        "",
        description="720p, 1080p or 4k by its shorter side, or width x height in pixels.",
        examples=["720p, 1080p, 4k", "width x height in pixels, such as 1920x800"],
    )
    aspect: Literal["16:9", "9:16", "1:1"] | None = Field(None, description="The shape of a named size; 16:9 without.")
    fps: Rate = Field(
        "", description="Frames a second: 24, 25, 30, 23.976, 29.97 or the like.", examples=["24", "23.976"]
    )
    fit: Fit | None = Field(None, description="How a clip of another shape fills the picture; pad without.")


class Card(Group):
    """Words on one colour."""

    text: Annotated[str, Field(max_length=200)] = Field("", description="Large letters; lines are kept.")
    subtext: Annotated[str, Field(max_length=1000)] = Field("", description="Small letters beneath.")
    frames: Annotated[int, Field(ge=1, le=14400)] = Field(description="How long it is shown.")
    background: Colour = Field("#000000", description="Black without.", examples=_A_COLOUR)
    ink: Colour = Field("#ffffff", description="The colour of the letters; white without.", examples=_A_COLOUR)


class Caption(Group):
    """A line under the picture."""

    text: Annotated[str, Field(min_length=1, max_length=500)] = Field(description="What is shown; lines are kept.")
    at: Frames = Field(0, description="The frame of the cut it is first shown on, counted from 0.")
    frames: Annotated[Frames, Field(ge=1)] | None = Field(None, description="How long; to the cut's end without.")


class CaptionTrack(Group):
    """How captions are shown."""

    language: Annotated[str, Field(max_length=35)] = Field("", description="A BCP 47 tag such as en.")
    burnt: bool = Field(False, description="Drawn into the picture; else a track that players switch on.")


class Sound(Group):
    """A file with sound: on this disk, or kept in the house already."""

    file: str = Field("", description="MP3, WAV, FLAC, M4A or OGG, seen from the edit file; it is uploaded once.")
    key: Key = Field("", description="Where it is kept, t/…, instead of a file.")
    gain: Gain = Field(0, description="Louder or softer, in dB.")


class Music(Sound):
    """One piece under the whole film, again from its start when it is shorter."""

    fade_in: Frames = Field(0, description="Frames it takes to come up.")
    fade_out: Frames = Field(0, description="Frames it takes to go down.")
    duck: Annotated[float, Field(ge=0, le=40)] = Field(0, description="How far it steps back for other sounds, in dB.")


class Narration(Sound):
    """A voice over the film."""

    at: Frames = Field(0, description="The frame of the film it starts on, counted from 0.")


class Cut(Group):
    """A take's place in the film, or a card's."""

    take: Name = Field("", description="The take_… that is shown, as `rushes take list` names it.")
    clip: Key = Field("", description="Its stored clip, t/…, with `scene`; found by the take without.")
    scene: Name = Field("", description="The scene that the clip fills; found by the take without.")
    card: Card | None = Field(None, description="Shown instead of a take.")
    title: Name = Field("", description="Names the chapter; the scene's title without.")
    trim: Annotated[str, Field(pattern=r"^\d{1,7}\.\.(\d{1,7})?$")] = Field(
        "",
        description="The frames that are used: 10..80 is from frame 10 up to, not with, frame 80.",
        examples=["first..end in frames, such as 10..80", "10.. for all that follow"],
    )
    join: Join = Field(
        "cut",
        description="How it follows the cut before, and in how many frames.",
        examples=["a kind and its frames, such as crossfade 12, dip to black 24, wipe left 12", "cut"],
    )
    gain: Gain = Field(0, description="Its sound louder or softer, in dB; -60 is silence.")
    fit: Fit | None = Field(None, description="How the clip fills a picture of another shape; as the profile without.")
    captions: Annotated[list[Caption], Field(max_length=100)] = []


class Edit(Group):
    """A film as an editor writes it down. All lengths are frames of the film."""

    model_config = pydantic.ConfigDict(**_WRITTEN_BY_HAND, title="Rushes edit list")

    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="The title of the film.")
    profile: Profile | None = None
    loudness: Annotated[float, Field(ge=-40, le=-5)] = Field(-14, description="In LUFS, by EBU R128.")
    captions: CaptionTrack | None = None
    music: Music | None = None
    narrations: Annotated[list[Narration], Field(max_length=1000)] = []
    ending: Join = Field(
        "cut",
        description="How the film ends: a dip and its frames, or a cut.",
        examples=["dip to black and its frames, such as dip to black 24", "cut"],
    )
    cuts: Annotated[list[Cut], Field(min_length=1, max_length=1000)]


def schema() -> dict[str, Any]:
    """The JSON Schema of an edit file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Edit.model_json_schema()}
