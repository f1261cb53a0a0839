"""What an operator can set."""

from pathlib import Path

import pydantic

from libs import settings


class Settings(settings.Process):
    """The sandbox's environment, prefix `RUSHES_`."""

    sandbox_home: Path
    """The folder that holds the ledger, the orders, their reference images and the clips."""
    sandbox_latency: float = pydantic.Field(0.5, ge=0, le=3600)
    """Seconds from a create to the earliest moment its clip may be done."""
    sandbox_instant: bool = False
    """Every create is done at once, with one clip rendered at the start: for load tests."""
