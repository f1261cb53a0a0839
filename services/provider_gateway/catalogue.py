"""What can be bought: models with their limits, prices, births and deaths, read from one reviewed file."""

import difflib
import pathlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import yaml

from libs import errors
from services.provider_gateway import providers

Dialect = Literal["openai_videos", "google_interactions"]
State = Literal["available", "deprecated", "retired", "unconfigured"]

_WARNING_DAYS = 30
_LONGEST_PROMPT = 32_000
_PLAY_MONEY = "XTS"
"""ISO 4217 keeps it for testing."""


class CatalogueInvalid(errors.Invalid):
    """The catalogue {path} cannot be used as it is."""


class ModelNotFound(errors.NotFound):
    """The catalogue has no model {model}; did you mean {nearest}?"""


class ModelRetired(errors.Conflict):
    """The model {model} was switched off on {retired}; use {replacement} instead."""


class ModelUnconfigured(errors.Conflict):
    """The model {model} is sold at the endpoint {endpoint}, which has no key here; the operator can add one.

    Endpoints are installed in the file that RUSHES_ENDPOINTS_FILE names.
    """


class Size(NamedTuple):
    """A picture's size in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        """Such as `1280x720`."""
        return f"{self.width}x{self.height}"


def _size(text: object) -> object:
    width, times, height = str(text).partition("x")
    if not (times and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ValueError("should be a size such as 1280x720")
    return Size(int(width), int(height))


def _durations(given: object) -> object:
    if isinstance(given, dict):
        span = _Span.model_validate(given)
        return tuple(range(span.min, span.max + 1, span.step))
    return given


PictureSize = Annotated[Size, pydantic.PlainValidator(_size)]
Micros = Annotated[int, pydantic.Field(ge=0, strict=True)]
Seconds = Annotated[int, pydantic.Field(ge=1, le=3600, strict=True)]


class _Read(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class _Span(_Read):
    min: Seconds
    max: Seconds
    step: Seconds = 1


class Endpoint(_Read):
    """A place to buy, as everyone knows it; the key, and the address of one's own, come from the installation."""

    dialect: Dialect
    capabilities: providers.Capabilities = providers.Capabilities()
    base_url: str | None = None


class Model(_Read):
    """What one model makes at one endpoint, and what it asks for it. `retires` in the past means retired."""

    id: str = pydantic.Field(pattern=r"^[a-z0-9-]+/[a-z0-9.-]+$")
    title: str
    endpoint: str
    wire_model: str
    durations: Annotated[
        tuple[Seconds, ...],
        pydantic.BeforeValidator(_durations),
        pydantic.AfterValidator(lambda some: tuple(sorted(some))),
    ] = pydantic.Field(min_length=1)
    """Seconds, ascending; in the file a list, or `{min, max, step}`."""
    sizes: tuple[PictureSize, ...] = pydantic.Field(min_length=1)
    audio: bool
    """Can make sound."""
    silent: bool
    """Can leave the sound out."""
    first_frame: bool
    last_frame: bool
    seed: bool
    negative_prompt: bool
    currency: str = pydantic.Field(pattern=r"^[A-Z]{3}$")
    micros_per_second: Micros | dict[PictureSize, Micros]
    """One price, or one for each size."""
    released: date | None = None
    retires: date | None = None
    replacement: str | None = None
    source: str
    checked_at: date

    @property
    def play_money(self) -> bool:
        """Whether its price is pretended."""
        return self.currency == _PLAY_MONEY

    def is_retired(self, today: date) -> bool:
        """Whether the provider has switched it off."""
        return self.retires is not None and self.retires <= today


class Catalogue(_Read):
    """The whole offer, in the order of the file."""

    default_model: str
    endpoints: dict[str, Endpoint]
    models: tuple[Model, ...]

    def find(self, model_id: str) -> Model:
        """The model of that id, usable or not. Raises ModelNotFound."""
        found = next((model for model in self.models if model.id == model_id), None)
        if found is None:
            known = [model.id for model in self.models]
            nearest = difflib.get_close_matches(model_id, known, n=1, cutoff=0.4) or [self.default_model]
            raise ModelNotFound(model=model_id[:100], nearest=nearest[0])
        return found

    def usable(self, model_id: str, configured: Collection[str], today: date) -> Model:
        """The model of that id, when it can be bought here today.

        `configured` names the endpoints that have a key here. Raises ModelNotFound, ModelRetired, ModelUnconfigured.
        """
        model = self.find(model_id)
        if model.is_retired(today):
            raise ModelRetired(model=model.id, retired=model.retires, replacement=model.replacement)
        if model.endpoint not in configured:
            raise ModelUnconfigured(model=model.id, endpoint=model.endpoint)
        return model

    def warnings(self, model: Model, today: date) -> list[str]:
        """What a buyer should know: that the model has 30 days left, or fewer."""
        left = (model.retires - today).days if model.retires else _WARNING_DAYS + 1
        if not 0 < left <= _WARNING_DAYS:
            return []
        return [f"{model.id} is switched off on {model.retires}, {left} days from now; use {model.replacement} then"]


def load(path: pathlib.Path) -> Catalogue:
    """The catalogue in a YAML file. Raises CatalogueInvalid, with every fault; OSError."""
    try:
        read = Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as fault:
        raise CatalogueInvalid([errors.Violation("yaml", " ".join(str(fault).split()))], path=path) from None
    except pydantic.ValidationError as faults:
        found = [errors.Violation(_place(fault["loc"]), fault["msg"]) for fault in faults.errors(include_url=False)]
        raise CatalogueInvalid(found, path=path) from None
    if loose := list(_loose_ends(read)):
        raise CatalogueInvalid(loose, path=path)
    return read


def _place(location: Iterable[int | str]) -> str:
    return ".".join(str(part) for part in location)


def _loose_ends(read: Catalogue) -> Iterator[errors.Violation]:
    """What one entry says of others."""
    ids = [model.id for model in read.models]
    if read.default_model not in ids:
        yield errors.Violation("default_model", f"there is no model {read.default_model}")
    for model in read.models:
        if ids.count(model.id) > 1:
            yield errors.Violation(model.id, "is there twice")
        if model.endpoint not in read.endpoints:
            yield errors.Violation(f"{model.id}.endpoint", f"there is no endpoint {model.endpoint}")
        if model.retires and model.replacement not in ids:
            yield errors.Violation(f"{model.id}.replacement", "a model that retires needs one that is in the catalogue")
        if isinstance(model.micros_per_second, dict) and set(model.micros_per_second) != set(model.sizes):
            yield errors.Violation(f"{model.id}.micros_per_second", "should have a price for every size, and no other")
        if not (model.audio or model.silent):
            yield errors.Violation(f"{model.id}.silent", "a model without sound is silent")


def state(model: Model, configured: Collection[str], today: date) -> State:
    """Where the model stands in its life, here and today; `configured` names the endpoints that have a key here."""
    if model.is_retired(today):
        return "retired"
    if model.endpoint not in configured:
        return "unconfigured"
    return "deprecated" if model.retires else "available"


def most_micros(model: Model, seconds: int, width: int, height: int) -> tuple[int, str]:
    """The most a clip can cost, in micros of a currency."""
    prices = model.micros_per_second
    if isinstance(prices, dict):
        return seconds * prices.get(Size(width, height), max(prices.values())), model.currency
    return seconds * prices, model.currency


def violations(
    model: Model,
    *,
    prompt: str,
    negative_prompt: str,
    seconds: int,
    width: int,
    height: int,
    seed: int | None,
    audio: bool,
    first_frame: bool,
    last_frame: bool,
    references: int,
) -> list[tuple[str, str]]:
    """Every field the model cannot do, and what it can: `("duration", "45 s; this model makes 1 to 20 s")`."""
    size = Size(width, height)
    makes, takes = "this model makes", "this model takes no"
    rules = [
        (bool(prompt.strip()), "prompt", "empty; say what the clip shows"),
        (len(prompt) <= _LONGEST_PROMPT, "prompt", f"{len(prompt)} characters; at most {_LONGEST_PROMPT}"),
        (model.negative_prompt or not negative_prompt, "negative_prompt", f"{takes} negative prompt; leave it empty"),
        (seconds in model.durations, "duration", f"{seconds} s; {makes} {_lengths(model.durations)} s"),
        (size in model.sizes, "size", f"{size}; {makes} {_either(model.sizes)}"),
        (model.seed or seed is None, "seed", f"{seed}; {takes} seed, leave it out"),
        (model.audio or not audio, "audio", f"true; {makes} no sound, only false is possible"),
        (model.silent or audio, "audio", "false; this model always makes sound, only true is possible"),
        (model.first_frame or not first_frame, "first_frame", f"{takes} first frame; leave it out"),
        (model.last_frame or not last_frame, "last_frame", f"{takes} last frame; leave it out"),
        (not references, "references", f"{references}; {takes} reference images, leave them out"),
    ]
    return [(field, sentence) for kept, field, sentence in rules if not kept]


def _lengths(durations: Sequence[int]) -> str:
    first, last = durations[0], durations[-1]
    if len(durations) > 2 and list(durations) == list(range(first, last + 1)):
        return f"{first} to {last}"
    return _either(durations)


def _either(values: Iterable[Any]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last
