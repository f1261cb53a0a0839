"""What the studio is told by its environment."""

from libs import settings


class Settings(settings.Settings):
    """One field for each RUSHES_ variable."""

    listen: settings.HostPort
    """Where HTTP is served."""
    metrics_listen: settings.HostPort
    """Where /metrics is served."""
    blobs_url: str
    """file://… or s3://… where media are kept; a folder's signed addresses are served from here."""
    storyboard_address: str
    """host:port of the storyboard service."""
    job_address: str
    """host:port of the job service."""
    provider_gateway_address: str
    """host:port of the provider gateway."""
    compiler_address: str
    """host:port of the compiler."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otlp_endpoint: str | None = None
    """Where traces are sent over OTLP gRPC; unset sends none."""
