"""What the job service is told by its environment."""

from collections.abc import Mapping
from typing import Self

import pydantic

from libs import settings, values

_SHORTEST_KEY = 32


class WebhookKeys(pydantic.BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What the secrets of webhook endpoints are made with, by id: `current` makes new ones, the others are known."""

    current: str
    keys: Mapping[str, pydantic.SecretStr]

    @pydantic.model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.current not in self.keys:
            raise ValueError("`current` should be the id of one of the keys")
        if any(len(key.get_secret_value()) < _SHORTEST_KEY for key in self.keys.values()):
            raise ValueError("each key should have at least 32 characters, as `openssl rand -base64 32` prints them")
        return self


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    nats_url: values.NatsUrl
    """nats://user:password@host of the JetStream server."""
    storyboard_address: values.Target
    """host:port, or dns:///name:port, of the storyboard service."""
    provider_gateway_address: values.Target
    """host:port, or dns:///name:port, of the provider gateway."""
    approve_above_micros: int | None = pydantic.Field(None, ge=0)
    """Productions that can cost more than so many micros wait for ApproveProduction; none does without it."""
    webhook_keys: WebhookKeys | None = None
    """JSON: current, keys: what webhook secrets are made with, usually RUSHES_WEBHOOK_KEYS_FILE; unset sends none."""
    webhooks_private: bool = False
    """Whether webhooks may go to http and private addresses; true only where tenants are no strangers."""
