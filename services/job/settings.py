"""What the job service is told by its environment."""

from libs import settings


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    nats_url: str
    """nats://… of the JetStream server."""
    storyboard_address: str
    """host:port of the storyboard service."""
    provider_gateway_address: str
    """host:port of the provider gateway."""
    approve_above_micros: int | None = None
    """Productions that can cost more than so many micros wait for ApproveProduction; none does without it."""
