"""What the provider gateway is told by its environment."""

import pathlib
from collections.abc import Mapping

import pydantic

from libs import settings, values
from services.provider_gateway import vault

_CATALOGUE = pathlib.Path(__file__).parent / "offer"
_SHORTEST_LEASE_S = 8.0
_SHORTEST_SECRET = 32


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

    nats_url: values.NatsUrl
    """nats://user:password@host of the JetStream server."""
    blobs_url: values.BlobsUrl
    """file://… or s3://… where clips are kept."""
    endpoints: Mapping[str, Installed] = pydantic.Field(default_factory=dict)
    """JSON: name of an endpoint in the catalogue → its base_url and key. Usually RUSHES_ENDPOINTS_FILE."""
    catalogue_path: pathlib.Path = _CATALOGUE
    """The models that can be bought, the folder that comes with the service unless told."""
    catalogue_overrides_path: pathlib.Path | None = None
    """A file of the same kind, whose models and endpoints replace or add to those."""
    vault_keys: vault.Keks | None = None
    """JSON: current, keys: what opens the vault of credentials. Usually RUSHES_VAULT_KEYS_FILE."""
    private_endpoints: bool = True
    """Whether a tenant's own server may be at an http or a private address; false where tenants are strangers."""
    public_url: values.WebUrl | None = None
    """Where providers reach the callbacks; unset asks nobody to call back."""
    callbacks_listen: values.HostPort | None = None
    """host:port where the callbacks are served; unset serves none."""
    callbacks_secret: pydantic.SecretStr = pydantic.SecretStr("")
    """What the unguessable part of each callback's address is made of, in production at least 32 characters; the same
    for every replica."""
    budget_micros: int = pydantic.Field(50_000_000, ge=0)
    """A new tenant's limit in real money; SetBudget changes it."""
    play_budget_micros: int = pydantic.Field(1_000_000_000_000, ge=0)
    """A new tenant's limit in play money."""
    lease_s: float = pydantic.Field(20.0, ge=1)
    """How long a submission waits for a process that has died, in seconds; in production at least 8."""
    most_at_once: int = pydantic.Field(256, ge=1)
    """How many submissions one process works on at the same time."""
    clip_max_bytes: int = pydantic.Field(4 << 30, ge=1)
    """A larger clip is not downloaded."""

    @pydantic.field_validator("endpoints")
    @classmethod
    def _sell_no_play_clips(
        cls, endpoints: Mapping[str, Installed], info: pydantic.ValidationInfo
    ) -> Mapping[str, Installed]:
        if values.in_production(info) and any(name.startswith("sandbox") for name in endpoints):
            raise ValueError("should not name the sandbox's endpoints in production")
        return endpoints

    @pydantic.field_validator("public_url")
    @classmethod
    def _is_read_by_nobody(cls, address: str | None, info: pydantic.ValidationInfo) -> str | None:
        if values.in_production(info) and address and not address.startswith("https:"):
            raise ValueError("should begin with https:// in production: its path is a secret")
        return address

    @pydantic.field_validator("callbacks_listen")
    @classmethod
    def _is_not_taken(cls, address: str | None, info: pydantic.ValidationInfo) -> str | None:
        taken = (info.data.get("listen"), info.data.get("metrics_listen"))
        if address in taken and address and not address.endswith(":0"):
            raise ValueError("should be another address than RUSHES_LISTEN and RUSHES_METRICS_LISTEN")
        return address

    @pydantic.field_validator("callbacks_secret")
    @classmethod
    def _cannot_be_guessed(cls, secret: pydantic.SecretStr, info: pydantic.ValidationInfo) -> pydantic.SecretStr:
        """Without one anybody could compute the addresses of callbacks."""
        length = len(secret.get_secret_value())
        if not length and (info.data.get("callbacks_listen") or info.data.get("public_url")):
            raise ValueError("should be set where callbacks are heard")
        if values.in_production(info) and 0 < length < _SHORTEST_SECRET:
            raise ValueError(f"should have at least {_SHORTEST_SECRET} characters in production")
        return secret

    @pydantic.field_validator("lease_s")
    @classmethod
    def _outlasts_a_pause(cls, lease_s: float, info: pydantic.ValidationInfo) -> float:
        if values.in_production(info) and lease_s < _SHORTEST_LEASE_S:
            raise ValueError(f"should be at least {_SHORTEST_LEASE_S:g} in production")
        return lease_s
