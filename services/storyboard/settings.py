"""What the storyboard service is told by its environment."""

from libs import settings


class Settings(settings.Settings):
    """One field for each RUSHES_ variable."""

    listen: settings.HostPort
    """Where gRPC is served."""
    metrics_listen: settings.HostPort
    """Where /metrics is served."""
    database_url: str
    """postgresql+asyncpg://… of this service's own database, as its least-privileged role."""
    auth_jwks_url: str
    """file:// or https:// address of the issuer's public keys."""
    auth_issuer: str
    """The `iss` every token must carry."""
    auth_audience: str = "rushes"
    """The `aud` every token must carry."""
    default_model: str = "sandbox/reel-1"
    """The catalogue id for scenes of which neither they nor their storyboard name a model."""
    reflection: bool = True
    """Whether grpcurl can list the services."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otlp_endpoint: str | None = None
    """Where traces are sent over OTLP gRPC; unset sends none."""
