"""Has helm render the chart, and reads what came out."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.helm import schema

CHART = schema.CHART
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE, NAMESPACE = "rushes", "films"

Object = dict[str, Any]


class Refused(Exception):
    """Helm does not render this; the message is its own."""


class Helm:
    """The program at this path."""

    def __init__(self, program: str) -> None:
        self._program = program

    def run(self, *arguments: str) -> str:
        """What it says on its standard output. Raises Refused."""
        done = subprocess.run([self._program, *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout

    def template(self, values: Path, *more: str, release: str = RELEASE, chart: Path = CHART) -> str:
        """The whole manifest, hooks and tests included."""
        return self.run("template", release, str(chart), "--namespace", NAMESPACE, "--values", str(values), *more)


def objects(manifest: str) -> list[Object]:
    """The objects of a manifest."""
    return [one for one in yaml.safe_load_all(manifest) if one]


def pods(manifest: str) -> Iterator[tuple[str, Object]]:
    """The spec of each pod that the manifest brings about, and the name of what does."""
    for one in objects(manifest):
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one["spec"]
        elif one["kind"] in ("Deployment", "Job"):
            yield name, one["spec"]["template"]["spec"]
