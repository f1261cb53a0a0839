"""What the provider gateway is told by its environment."""

import pathlib
from collections.abc import Mapping

import pydantic

from libs import settings

_CATALOGUE = pathlib.Path(__file__).parent / "catalogue.yaml"


class Installed(pydantic.BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """An endpoint this installation can use."""

    base_url: str
    key: pydantic.SecretStr


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    nats_url: str
    """nats://… of the JetStream server."""
    blobs_url: str
    """file://… or s3://… where clips are kept."""
    endpoints: Mapping[str, Installed] = pydantic.Field(default_factory=dict)
    """JSON: name of an endpoint in the catalogue → its base_url and key. Usually RUSHES_ENDPOINTS_FILE."""
    catalogue_path: pathlib.Path = _CATALOGUE
    """The models that can be bought."""
    budget_micros: int = 50_000_000
    """A new tenant's limit in real money; SetBudget changes it."""
    play_budget_micros: int = 1_000_000_000_000
    """A new tenant's limit in play money."""
    lease_s: float = 20.0
    """How long a submission waits for a process that has died, in seconds; at least 8."""
    most_at_once: int = 64
    """How many submissions one process works on at the same time."""
    clip_max_bytes: int = 4 << 30
    """A larger clip is not downloaded."""
