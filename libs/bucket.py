"""Makes the bucket of a media store where there is none: `python -m libs.bucket` with RUSHES_BLOBS_URL.

The key in that address may make buckets; those of the services need not.
"""

from libs import blobs, settings


class Settings(settings.Settings):
    """What the command is told."""

    blobs_url: str


def main() -> None:
    """Make it; a folder needs none."""
    store = blobs.open_store(settings.load(Settings).blobs_url)
    if isinstance(store, blobs.S3Store):
        store.make_bucket()


if __name__ == "__main__":
    main()
