"""What can be bought: models with their limits, prices, births and deaths, read from reviewed files."""

import dataclasses
import difflib
import math
import pathlib
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

import pydantic
import yaml

from libs import errors
from services.provider_gateway import limits, prices, providers
from services.provider_gateway.providers import forms

Dialect = Literal["openai_videos", "google_interactions", "google_veo", "fal", "openrouter", "runware", "replicate"]
State = Literal["available", "deprecated", "retired", "unconfigured"]

_WARNING_DAYS = 30
_PLAY_MONEY = "XTS"
"""ISO 4217 keeps it for testing."""
_CAPABILITIES = {field.name for field in dataclasses.fields(providers.Capabilities)}


class CatalogueInvalid(errors.Invalid):
    """The catalogue {path} cannot be used as it is."""


class ClipRefused(errors.Invalid):
    """The model {model} cannot make this clip."""


class ModelNotFound(errors.NotFound):
    """The catalogue has no model {model}; did you mean {nearest}?"""


class ModelRetired(errors.Conflict):
    """The model {model} was switched off on {retired}; use {replacement} instead."""


class ModelUnconfigured(errors.Conflict):
    """The model {model} is sold at {endpoint}, for which there is no key here; `rushes credentials add {endpoint}`.

    The installation's own keys are in the file that RUSHES_ENDPOINTS_FILE names.
    """


def _known(given: object) -> object:
    if isinstance(given, dict) and (strange := set(given) - _CAPABILITIES):
        raise ValueError(f"{', '.join(sorted(strange))}: known are {', '.join(sorted(_CAPABILITIES))}")
    return given


def _form(given: Mapping[str, str]) -> Mapping[str, str]:
    if faults := list(forms.faults(given)):
        raise ValueError("; ".join(faults))
    return given


class Pace(limits.Read):
    """How much one key may ask for; None where the provider names no number, or one that depends on the account."""

    per_minute: int | None = pydantic.Field(default=None, ge=1, strict=True)
    """Orders in a minute."""
    most_at_once: int | None = pydantic.Field(default=None, ge=1, strict=True)
    """Orders under way."""


class Endpoint(limits.Read):
    """A place to buy, as everyone knows it; the key, and the address of one's own, come from the installation."""

    dialect: Dialect
    base_url: str | None = None
    capabilities: Annotated[providers.Capabilities, pydantic.BeforeValidator(_known)] = providers.Capabilities()
    limits: Pace = Pace()
    flags: Mapping[str, str | bool] = pydantic.Field(default_factory=dict)
    """How this server deviates from its dialect."""
    source: str = pydantic.Field(min_length=1)
    checked_at: date


class Model(prices.Priced):
    """What one model makes at one endpoint, and what it asks for it. `retires` in the past means retired."""

    id: str = pydantic.Field(pattern=r"^[a-z0-9-]+/[a-z0-9.-]+$")
    family: str = pydantic.Field(pattern=r"^[a-z0-9.-]+$")
    """What is the same thing when other endpoints sell it."""
    title: str
    endpoint: str
    wire_model: str
    form: Annotated[Mapping[str, str], pydantic.AfterValidator(_form)] = pydantic.Field(default_factory=dict)
    """What it calls the parts of an order, where it is not what its dialect mostly says: see `forms`."""
    released: date | None = None
    deprecated: date | None = None
    """Since when it is known to end."""
    retires: date | None = None
    replacement: str | None = None
    """Written as null when it retires and nothing replaces it."""
    source: str = pydantic.Field(min_length=1)
    checked_at: date

    @property
    def play_money(self) -> bool:
        """Whether its price is pretended."""
        return self.currency == _PLAY_MONEY

    def is_retired(self, today: date) -> bool:
        """Whether the provider has switched it off."""
        return self.retires is not None and self.retires <= today

    def form_for(self, size: limits.Size) -> Mapping[str, str]:
        """The form of an order for a picture of this size: with the names that the provider has for it."""
        divisor = math.gcd(*size)
        names = {
            f"{min(size)}p": self.sizes[size],
            f"{size.width // divisor}:{size.height // divisor}": limits.aspect(size),
        }
        return {**names, **self.form}


class Catalogue(limits.Read):
    """The whole offer, in the order of the files."""

    default_model: str
    endpoints: dict[str, Endpoint]
    models: tuple[Model, ...]
    _gone: set[str] = pydantic.PrivateAttr(default_factory=set)

    def note(self, model_id: str, is_sold: bool) -> None:
        """What the provider itself says of a model, whatever the files say; kept in this process."""
        (self._gone.discard if is_sold else self._gone.add)(model_id)

    def is_retired(self, model: Model, today: date) -> bool:
        """Whether it is switched off: by its date, or by its provider's own word."""
        return model.id in self._gone or model.is_retired(today)

    def find(self, model_id: str) -> Model:
        """The model of that id, usable or not. Raises ModelNotFound."""
        found = next((model for model in self.models if model.id == model_id), None)
        if found is None:
            known = [model.id for model in self.models]
            nearest = difflib.get_close_matches(model_id, known, n=1, cutoff=0.4) or [self.default_model]
            raise ModelNotFound(model=model_id[:100], nearest=nearest[0])
        return found

    def matching(self, endpoint: str, family: str) -> list[Model]:
        """The models of that endpoint whose id, family or title holds that text, in any case; empty means any."""
        text = family.casefold()
        return [
            model
            for model in self.models
            if endpoint in ("", model.endpoint) and text in f"{model.id} {model.family} {model.title}".casefold()
        ]

    def usable(self, model_id: str, configured: Collection[str], today: date) -> Model:
        """The model of that id, when it can be bought here today.

        `configured` names the endpoints that have a key here. Raises ModelNotFound, ModelRetired, ModelUnconfigured.
        """
        model = self.find(model_id)
        if self.is_retired(model, today):
            since = model.retires if model.is_retired(today) else "a day that the provider did not announce"
            raise ModelRetired(model=model.id, retired=since, replacement=self.replacement(model, today))
        if model.endpoint not in configured:
            raise ModelUnconfigured(model=model.id, endpoint=model.endpoint)
        return model

    def state(self, model: Model, configured: Collection[str], today: date) -> State:
        """Where it stands in its life, here and today; `configured` names the endpoints that have a key here."""
        if self.is_retired(model, today):
            return "retired"
        if model.endpoint not in configured:
            return "unconfigured"
        announced = model.retires is not None or (model.deprecated is not None and model.deprecated <= today)
        return "deprecated" if announced else "available"

    def replacement(self, model: Model, today: date) -> str:
        """What to use after this model: the first of those that replace it that lives; `another model` for none."""
        name = model.replacement
        while name and self.is_retired(self.find(name), today):
            name = self.find(name).replacement
        return name or "another model"

    def warnings(self, model: Model, today: date) -> list[str]:
        """What a buyer should know: that the model has 30 days left, or fewer."""
        left = (model.retires - today).days if model.retires else _WARNING_DAYS + 1
        if not 0 < left <= _WARNING_DAYS:
            return []
        after = self.replacement(model, today)
        return [f"{model.id} is switched off on {model.retires}, {left} days from now; use {after} then"]


class _Page(limits.Read):
    """One file of the catalogue."""

    default_model: str | None = None
    endpoints: dict[str, Endpoint] = pydantic.Field(default_factory=dict)
    models: tuple[Model, ...] = ()


@dataclasses.dataclass
class _Draft:
    """The files read so far: their entries by name, which file each is from, and what is wrong with them."""

    default_model: str = ""
    endpoints: dict[str, Endpoint] = dataclasses.field(default_factory=dict)
    models: dict[str, Model] = dataclasses.field(default_factory=dict)
    files: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    faults: list[errors.Violation] = dataclasses.field(default_factory=list)

    def add(self, file: pathlib.Path, replaces: bool = False) -> None:
        page, faults = _read(file)
        self.faults += faults
        self.default_model = page.default_model or self.default_model
        for name in [*page.endpoints, *(model.id for model in page.models)]:
            if name in self.files and (self.files[name] == file or not replaces):
                self.faults.append(errors.Violation(f"{file.name}: {name}", "is there twice"))
            self.files[name] = file
        self.endpoints |= page.endpoints
        self.models |= {model.id: model for model in page.models}


def load(path: pathlib.Path, overrides: pathlib.Path | None = None) -> Catalogue:
    """The catalogue in a YAML file, or in all those of a folder.

    What `overrides` holds replaces the endpoints and models of the same names, or is added.
    Raises CatalogueInvalid, with every fault and the file it is in; OSError.
    """
    draft = _Draft()
    for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
        draft.add(file)
    if overrides:
        draft.add(overrides, replaces=True)
    if draft.faults:
        raise CatalogueInvalid(draft.faults, path=path)
    if loose := list(_loose_ends(draft)):
        raise CatalogueInvalid(loose, path=path)
    return Catalogue(default_model=draft.default_model, endpoints=draft.endpoints, models=tuple(draft.models.values()))


def _read(file: pathlib.Path) -> tuple[_Page, list[errors.Violation]]:
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        return _Page.model_validate(written), []
    except pydantic.ValidationError as faults:
        told = faults.errors(include_url=False)
        return _Page(), [errors.Violation(f"{file.name}: {_place(one['loc'], written)}", one["msg"]) for one in told]
    except (yaml.YAMLError, ValueError) as fault:  # the latter for days that there are not, and for other encodings
        return _Page(), [errors.Violation(f"{file.name}: yaml", " ".join(str(fault).split()))]


def _place(location: tuple[int | str, ...], written: Any) -> str:
    """Where a fault is, with the model's id instead of its number where it has one."""
    parts = list(location)
    if parts[:1] == ["models"] and len(parts) > 1 and isinstance(written["models"][parts[1]], dict):
        parts[1] = written["models"][parts[1]].get("id", parts[1])
    return ".".join(map(str, parts)) or "the file"


def _loose_ends(draft: _Draft) -> Iterator[errors.Violation]:
    """What entries say against each other, or against themselves."""
    if draft.default_model not in draft.models:
        yield errors.Violation("default_model", f"there is no model {draft.default_model}")
    for model in draft.models.values():
        ends = [*_against_others(model, draft), *limits.contradictions(model), *prices.contradictions(model)]
        for field, why in ends:
            yield errors.Violation(f"{draft.files[model.id].name}: {model.id}.{field}", why)


def _against_others(model: Model, draft: _Draft) -> Iterator[tuple[str, str]]:
    if model.endpoint not in draft.endpoints:
        yield "endpoint", f"there is no endpoint {model.endpoint}"
    if model.retires and "replacement" not in model.model_fields_set:
        yield "replacement", "a model that retires names one, or null when nothing replaces it"
    if fault := _unfollowable(model, draft.models):
        yield "replacement", fault
    if model.released and model.released > model.checked_at:
        yield "released", "is after the day this was checked"


def _unfollowable(model: Model, models: Mapping[str, Model]) -> str:
    """Why nobody can tell what to use after this model; empty when one can."""
    seen, name = {model.id}, model.replacement
    while name:
        if name not in models:
            return f"there is no model {name}"
        if name in seen:
            return f"{name} is in turn replaced by this one"
        seen.add(name)
        name = models[name].replacement
    return ""
