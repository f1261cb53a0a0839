"""What the studio is told by its environment."""

from libs import settings, values


class Settings(settings.Process):
    """One field for each RUSHES_ variable."""

    blobs_url: values.BlobsUrl
    """file://… or s3://… where media are kept; a folder's signed addresses are served from here."""
    storyboard_address: values.Target
    """host:port, or dns:///name:port, of the storyboard service."""
    job_address: values.Target
    """host:port, or dns:///name:port, of the job service."""
    provider_gateway_address: values.Target
    """host:port, or dns:///name:port, of the provider gateway."""
    compiler_address: values.Target
    """host:port, or dns:///name:port, of the compiler."""
