"""What the compiler is told by its environment."""

import pathlib
import tempfile

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
    blobs_url: str
    """file://… or s3://… where clips are read and films are kept."""
    auth_jwks_url: str
    """file:// or https:// address of the issuer's public keys."""
    auth_issuer: str
    """The `iss` every token must carry."""
    auth_audience: str = "rushes"
    """The `aud` every token must carry."""
    work_folder: pathlib.Path = pathlib.Path(tempfile.gettempdir())
    """Where films are cut: needs room for the clips and the film, twice."""
    lease_s: float = 15.0
    """How long a film waits for a process that has died, in seconds; at least 5."""
    film_timeout_s: float = 3600.0
    """How long cutting one film may take, in seconds."""
    reflection: bool = True
    """Whether grpcurl can list the services."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otlp_endpoint: str | None = None
    """Where traces are sent over OTLP gRPC; unset sends none."""
