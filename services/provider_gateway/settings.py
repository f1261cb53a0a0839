"""What the provider gateway is told by its environment."""

import pathlib
from collections.abc import Mapping

import pydantic

from libs import settings
from services.provider_gateway import vault

_CATALOGUE = pathlib.Path(__file__).parent / "offer"


class Installed(pydantic.BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """An endpoint this installation can use."""

    base_url: str = ""
    key: pydantic.SecretStr
    settings: Mapping[str, str] = pydantic.Field(default_factory=dict)
    webhook_secret: pydantic.SecretStr = pydantic.SecretStr("")

    def secrets(self) -> tuple[str, str]:
        """The key, and what verifies callbacks."""
        return self.key.get_secret_value(), self.webhook_secret.get_secret_value()


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
    catalogue_overrides_path: pathlib.Path | None = None
    """A file of the same kind, whose models and endpoints replace or add to those."""
    vault_keys: vault.Keks | None = None
    """JSON: current, keys: what opens the vault of credentials. Usually RUSHES_VAULT_KEYS_FILE."""
    private_endpoints: bool = True
    """Whether a tenant's own server may be at an http or a private address; false where tenants are strangers."""
    public_url: str | None = None
    """Where providers reach the callbacks; unset asks nobody to call back."""
    callbacks_listen: settings.HostPort | None = None
    """Where the callbacks are served; unset serves none."""
    callbacks_secret: pydantic.SecretStr = pydantic.SecretStr("")
    """What the unguessable part of each callback's address is made of; the same for every replica."""
    budget_micros: int = 50_000_000
    """A new tenant's limit in real money; SetBudget changes it."""
    play_budget_micros: int = 1_000_000_000_000
    """A new tenant's limit in play money."""
    lease_s: float = 20.0
    """How long a submission waits for a process that has died, in seconds; at least 8."""
    most_at_once: int = 256
    """How many submissions one process works on at the same time."""
    clip_max_bytes: int = 4 << 30
    """A larger clip is not downloaded."""

    @pydantic.model_validator(mode="after")
    def callbacks_need_a_secret(self) -> "Settings":
        """Without one anybody could compute the addresses of callbacks."""
        if (self.callbacks_listen or self.public_url) and not self.callbacks_secret.get_secret_value():
            raise ValueError("RUSHES_CALLBACKS_SECRET should be set where callbacks are heard")
        return self
