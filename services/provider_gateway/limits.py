"""What a model makes and takes, and every way in which an order asks for something else."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import pydantic

LONGEST_PROMPT = 32_000
"""Characters; the contract takes no longer one."""

ASPECTS = ("21:9", "16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16", "9:21")
"""The shapes that providers have names for."""


class Size(NamedTuple):
    """A picture's size in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        """Such as `1280x720`."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one clip asks of a model; `seconds` long, `references` is how many stills there are of those."""

    prompt: str
    negative_prompt: str
    seconds: int
    size: Size
    seed: int | None
    audio: bool
    first_frame: bool
    last_frame: bool
    references: int

    @property
    def images(self) -> int:
        """How many stills go with the order."""
        return self.first_frame + self.last_frame + self.references


def aspect(size: Size) -> str:
    """The name of a picture's shape: the nearest one, because models round their pictures to whole blocks."""

    def distance(name: str) -> float:
        width, _, height = name.partition(":")
        return abs(math.log(size.width / size.height * int(height) / int(width)))

    return min(ASPECTS, key=distance)


def _size(text: object) -> Size:
    width, times, height = str(text).partition("x")
    if not (times and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ValueError(f"{text} should be a size such as 1280x720")
    return Size(int(width), int(height))


def _usual_name(size: Size) -> str:
    return "4k" if min(size) == 2160 else f"{min(size)}p"


def _sizes(given: object) -> dict[Size, str]:
    """A list of sizes, or lists under the names the provider gives to resolutions."""
    if isinstance(given, dict):
        named = [(_size(one), str(name)) for name, some in given.items() for one in some]
    elif isinstance(given, list):
        named = [(size, _usual_name(size)) for size in map(_size, given)]
    else:
        raise ValueError("should be a list of sizes, or lists of sizes under the names of resolutions")
    found = dict(named)
    if not found or len(found) < len(named):
        raise ValueError("should be sizes, each of them once")
    return found


def _durations(given: object) -> object:
    if isinstance(given, dict):
        span = _Span.model_validate(given)
        return tuple(range(span.min, span.max + 1, span.step))
    return given


def _some(given: object) -> object:
    return given if isinstance(given, list | tuple) else [given]


class Read(pydantic.BaseModel):
    """Reviewed data: it does not change, and it holds nothing that we do not understand."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


Seconds = Annotated[int, pydantic.Field(ge=1, le=3600, strict=True)]
Durations = Annotated[
    tuple[Seconds, ...],
    pydantic.BeforeValidator(_durations),
    pydantic.AfterValidator(lambda some: tuple(sorted(some))),
    pydantic.Field(min_length=1),
]
"""Seconds, ascending; in a file a list, or `{min, max, step}`."""
Sizes = Annotated[dict[Size, str], pydantic.PlainValidator(_sizes)]
"""Size → what the provider calls its resolution; in a file a list, or `{720p: [1280x720, 720x1280]}`."""


class _Span(Read):
    min: Seconds
    max: Seconds
    step: Seconds = 1


class When(Read):
    """Which orders something holds for: those that have all of this; what is left out does not matter."""

    resolution: Annotated[tuple[str, ...], pydantic.BeforeValidator(_some)] = ()
    seconds: Annotated[tuple[Seconds, ...], pydantic.BeforeValidator(_some)] = ()
    audio: bool | None = None
    images: bool | None = None
    """Whether any still goes with the order."""
    last_frame: bool | None = None

    def fits(self, asked: Asked, resolution: str) -> bool:
        """Whether it holds for this order."""
        return (
            (not self.resolution or resolution in self.resolution)
            and (not self.seconds or asked.seconds in self.seconds)
            and self.audio in (None, asked.audio)
            and self.images in (None, asked.images > 0)
            and self.last_frame in (None, asked.last_frame)
        )

    def __str__(self) -> str:
        """Such as `at 1080p or 4k with a last frame`."""
        things = {"sound": self.audio, "images": self.images, "a last frame": self.last_frame}
        said = [f"{'with' if wanted else 'without'} {thing}" for thing, wanted in things.items() if wanted is not None]
        return " ".join([f"at {either(self.resolution)}", *said] if self.resolution else said)


class Rule(Read):
    """Fewer durations than the model has, in one case."""

    when: When
    durations: Durations


class Limits(Read):
    """What a model makes and takes at one endpoint."""

    durations: Durations
    rules: tuple[Rule, ...] = ()
    sizes: Sizes
    audio: bool
    """Can make sound."""
    silent: bool
    """Can leave the sound out."""
    first_frame: bool
    last_frame: bool
    """Can end on a still; only together with one it starts on, which is what every provider demands."""
    references: int = pydantic.Field(default=0, ge=0, strict=True)
    """How many stills of characters and places it takes."""
    seed: bool
    negative_prompt: bool
    prompt_characters: int = pydantic.Field(default=LONGEST_PROMPT, ge=1, le=LONGEST_PROMPT, strict=True)

    def durations_for(self, asked: Asked) -> tuple[int, ...]:
        """The lengths it makes of an order like this, whatever length is asked for."""
        rules = [rule for rule in self.rules if rule.when.fits(asked, self.sizes.get(asked.size, ""))]
        return tuple(some for some in self.durations if all(some in rule.durations for rule in rules))


def contradictions(limits: Limits) -> Iterator[tuple[str, str]]:
    """What these limits say against themselves: the field, and what is wrong with it."""
    if not (limits.audio or limits.silent):
        yield "silent", "a model without sound is silent"
    if limits.last_frame and not limits.first_frame:
        yield "last_frame", "none is taken without a first frame"
    for rule in limits.rules:
        if not set(rule.durations) <= set(limits.durations):
            yield "rules", f"{either(rule.durations)} s should be among the durations"
        yield from strange(limits, rule.when, "rules")


def strange(limits: Limits, when: When, field: str) -> Iterator[tuple[str, str]]:
    """The field, for every resolution in it that the model does not have."""
    for name in when.resolution:
        if name not in limits.sizes.values():
            yield field, f"there is no resolution {name}"


def with_seams(limits: Limits, asked: Asked) -> Iterator[Asked]:
    """The order, and every order that the seams of a storyboard can make of it: they add frames after the quote."""
    first = {asked.first_frame, limits.first_frame}
    last = {asked.last_frame, limits.last_frame}
    for first_frame, last_frame in itertools.product(first, last):
        yield replace(asked, first_frame=first_frame, last_frame=last_frame)


def violations(limits: Limits, asked: Asked) -> list[tuple[str, str]]:
    """Every field the model cannot do, and what it can: `("duration", "45 s; this model makes 1 to 20 s")`."""
    makes, takes = "this model makes", "this model takes no"
    length, most = len(asked.prompt), limits.prompt_characters
    rules = [
        (bool(asked.prompt.strip()), "prompt", "empty; say what the clip shows"),
        (length <= most, "prompt", f"{length} characters; this model takes at most {most}"),
        (
            limits.negative_prompt or not asked.negative_prompt,
            "negative_prompt",
            f"{takes} negative prompt; leave it empty",
        ),
        (
            asked.seconds in limits.durations_for(asked),
            "duration",
            f"{asked.seconds} s; {makes} {_made(limits, asked)}",
        ),
        (asked.size in limits.sizes, "size", f"{asked.size}; {makes} {either(limits.sizes)}"),
        (limits.seed or asked.seed is None, "seed", f"{asked.seed}; {takes} seed, leave it out"),
        (limits.audio or not asked.audio, "audio", f"true; {makes} no sound, only false is possible"),
        (limits.silent or asked.audio, "audio", "false; this model always makes sound, only true is possible"),
        (limits.first_frame or not asked.first_frame, "first_frame", f"{takes} first frame; leave it out"),
        (limits.last_frame or not asked.last_frame, "last_frame", f"{takes} last frame; leave it out"),
        (
            asked.first_frame or not (asked.last_frame and limits.last_frame),
            "last_frame",
            "alone; this model takes one only together with a first frame",
        ),
        (asked.references <= limits.references, "references", f"{asked.references}; {_taken(limits.references)}"),
    ]
    return [(field, sentence) for kept, field, sentence in rules if not kept]


def _made(limits: Limits, asked: Asked) -> str:
    held = [str(rule.when) for rule in limits.rules if rule.when.fits(asked, limits.sizes.get(asked.size, ""))]
    made = limits.durations_for(asked)
    return " ".join([f"{_lengths(made)} s" if made else "nothing", " and ".join(held)]).strip()


def _taken(references: int) -> str:
    return f"this model takes at most {references}" if references else "this model takes no reference images"


def _lengths(durations: Sequence[int]) -> str:
    first, last = durations[0], durations[-1]
    if len(durations) > 2 and list(durations) == list(range(first, last + 1)):
        return f"{first} to {last}"
    return either(durations)


def either(values: Iterable[Any]) -> str:
    """Such as `4, 6 or 8`."""
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last
