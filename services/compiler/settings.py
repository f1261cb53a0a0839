"""What the compiler is told by its environment."""

import os
import pathlib
import tempfile

from libs import settings

_DAY_S = 86_400


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    nats_url: str
    """nats://… of the JetStream server."""
    blobs_url: str
    """file://… or s3://… where clips are read, and pieces and films are kept."""
    work_folder: pathlib.Path = pathlib.Path(tempfile.gettempdir())
    """Where films are cut: needs room for the clips and the film, twice."""
    lease_s: float = 15.0
    """How long a film or a piece waits for a process that has died, in seconds; at least 5."""
    film_timeout_s: float = 3600.0
    """How long one order of a worker may take, in seconds."""
    compiler_workers: int = os.cpu_count() or 1
    """How many worker processes there are at once."""
    compiler_memory_bytes: int = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    """How much memory they may take together: half of the machine's unless told."""
    shelf_bytes: int = 20 << 30
    """How much of the disk clips and pieces may take that are kept at hand; a tenth of the disk is left free in any
    case."""
    segments_kept_s: float = 30 * _DAY_S
    """How long a piece that no film uses is kept in the media store, in seconds."""
    segments_bytes: int = 50 << 30
    """How much of the media store the pieces of one tenant may take."""
