"""What the job service is told by its environment."""

from libs import settings


class Settings(settings.Settings):
    """One field for each RUSHES_ variable."""

    listen: settings.HostPort
    """Where gRPC is served."""
    metrics_listen: settings.HostPort
    """Where /metrics is served."""
    database_url: str
    """postgresql+asyncpg://… of this service's own database, as its least-privileged role."""
    nats_url: str
    """nats://… of the JetStream server."""
    auth_jwks_url: str
    """file:// or https:// address of the issuer's public keys."""
    auth_issuer: str
    """The `iss` every token must carry."""
    auth_audience: str = "rushes"
    """The `aud` every token must carry."""
    storyboard_address: str
    """host:port of the storyboard service."""
    provider_gateway_address: str
    """host:port of the provider gateway."""
    reflection: bool = True
    """Whether grpcurl can list the services."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otlp_endpoint: str | None = None
    """Where traces are sent over OTLP gRPC; unset sends none."""
