"""What the studio is told by its environment."""

from libs import settings


class Settings(settings.Process):
    """One field for each RUSHES_ variable."""

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
