"""Reads docker-compose.yml as compose does: variables filled in, and each service as it would be run."""

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tests.contract import rooms

FILE = rooms.ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclasses.dataclass(frozen=True)
class Service:
    """One of the file's services; `volumes` are its mounts: where, by the folder or volume that is seen there."""

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    volumes: Mapping[str, str]
    raw: Mapping[str, Any]

    @property
    def ours(self) -> str:
        """The target of our Dockerfile that it runs; empty for the others."""
        target: str = self.raw.get("build", {}).get("target", "")
        return target


@functools.cache
def services() -> Mapping[str, Service]:
    """All of them, by name."""
    found = yaml.safe_load(_VARIABLE.sub(lambda match: match[2] or "", FILE.read_text()))["services"]
    return {name: _service(name, raw) for name, raw in found.items()}


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    mounts = [volume.split(":") for volume in raw.get("volumes", [])]
    return Service(
        name=name,
        image=raw["image"],
        command=[*raw.get("entrypoint", []), *raw.get("command", [])],
        environment={key: str(value or "") for key, value in raw.get("environment", {}).items()},
        volumes={mount[1]: mount[0] for mount in mounts},
        raw=raw,
    )
