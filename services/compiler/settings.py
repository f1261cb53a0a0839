"""What the compiler is told by its environment."""

import os
import pathlib
import tempfile

import pydantic

from libs import settings, values

_DAY_S = 86_400
_SHORTEST_LEASE_S = 5.0


def _temporary() -> pathlib.Path:
    return pathlib.Path(tempfile.gettempdir())


def _cores() -> int:
    return os.cpu_count() or 1


def _half_of_the_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    nats_url: values.NatsUrl
    """nats://user:password@host of the JetStream server."""
    blobs_url: values.BlobsUrl
    """file://… or s3://… where clips are read, and pieces and films are kept."""
    work_folder: pathlib.Path = pydantic.Field(default_factory=_temporary)
    """Where films are cut, the folder for temporary files unless told: needs room for the clips and the film, twice."""
    lease_s: float = pydantic.Field(15.0, ge=1)
    """How long a film or a piece waits for a process that has died, in seconds; in production at least 5."""
    film_timeout_s: float = 3600.0
    """How long one order of a worker may take, in seconds; longer than the lease."""
    compiler_workers: int = pydantic.Field(default_factory=_cores, ge=1)
    """How many worker processes there are at once: one for each core unless told."""
    compiler_memory_bytes: int = pydantic.Field(default_factory=_half_of_the_memory, ge=64 << 20)
    """How much memory they may take together: half of the machine's unless told."""
    shelf_bytes: int = pydantic.Field(20 << 30, ge=0)
    """How much of the disk clips and pieces may take that are kept at hand; a tenth of the disk is left free in any
    case."""
    segments_kept_s: float = pydantic.Field(30.0 * _DAY_S, ge=0)
    """How long a piece that no film uses is kept in the media store, in seconds."""
    segments_bytes: int = pydantic.Field(50 << 30, ge=0)
    """How much of the media store the pieces of one tenant may take."""

    @pydantic.field_validator("lease_s")
    @classmethod
    def _outlasts_a_pause(cls, lease_s: float, info: pydantic.ValidationInfo) -> float:
        if values.in_production(info) and lease_s < _SHORTEST_LEASE_S:
            raise ValueError(f"should be at least {_SHORTEST_LEASE_S:g} in production")
        return lease_s

    @pydantic.field_validator("film_timeout_s")
    @classmethod
    def _outlasts_the_lease(cls, timeout_s: float, info: pydantic.ValidationInfo) -> float:
        if timeout_s <= info.data.get("lease_s", 0.0):
            raise ValueError("should be longer than RUSHES_LEASE_S")
        return timeout_s
