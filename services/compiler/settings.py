"""What the compiler is told by its environment."""

import pathlib
import tempfile

from libs import settings


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    nats_url: str
    """nats://… of the JetStream server."""
    blobs_url: str
    """file://… or s3://… where clips are read and films are kept."""
    work_folder: pathlib.Path = pathlib.Path(tempfile.gettempdir())
    """Where films are cut: needs room for the clips and the film, twice."""
    lease_s: float = 15.0
    """How long a film waits for a process that has died, in seconds; at least 5."""
    film_timeout_s: float = 3600.0
    """How long cutting one film may take, in seconds."""
