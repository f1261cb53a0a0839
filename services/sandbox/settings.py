"""What an operator can set."""

from pathlib import Path

import pydantic

from libs import settings, values


class Settings(settings.Process):
    """The sandbox's environment, prefix `RUSHES_`."""

    sandbox_home: Path
    """The folder that holds the ledger, the orders, their reference images and the clips."""
    sandbox_latency: float = pydantic.Field(0.5, ge=0, le=3600)
    """Seconds from a create to the earliest moment its clip may be done."""
    sandbox_instant: bool = False
    """Nothing is rendered: every clip is the same small one, when its latency is over. For load tests."""

    @pydantic.field_validator("sandbox_home")
    @classmethod
    def _is_for_trying_out(cls, home: Path, info: pydantic.ValidationInfo) -> Path:
        if values.in_production(info):
            raise ValueError("should not be needed: the sandbox sells play clips, and does not run in production")
        return home
