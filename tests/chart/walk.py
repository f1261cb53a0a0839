"""`python -m tests.chart.walk HELM`: types every command of docs/kubernetes.md, up to the first film.

The cluster is this machine: kubectl, kind, docker and helm are `cluster.py`, which does here what they are asked for.
PostgreSQL, NATS, the services, helm's rendering and the `rushes` command are real.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chart import cluster
from tests.contract import rooms

_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PLAYED = ("docker", "grpcurl", "helm", "kind", "kubectl", "make")
_WITHIN_S = 1800
_LAST_LINES = 8


def main(helm: str) -> None:
    """Type it all; ends with 1 when a command fails, or there is no film."""
    with place_of(_PLAYED, "tests.chart.cluster") as place:
        told = dict(os.environ, PATH=f"{place / 'bin'}:{os.environ['PATH']}")
        told |= {cluster.HELM: helm, cluster.FOLDER: str(place / "state"), "PYTHONPATH": str(rooms.ROOT)}
        state = cluster.Cluster(place / "state")
        try:
            done = subprocess.run(["bash", "-eu", "-c", commands()], cwd=place, env=told, timeout=_WITHIN_S)
        finally:
            state.end()
        if done.returncode:
            _show(place / "state" / "logs")
        film = place / "film.mp4"
        size = film.stat().st_size if film.exists() else 0
    print(f"docs/kubernetes.md: exit code {done.returncode}, a film of {size} bytes")
    sys.exit(done.returncode or not size)


def _show(logs: Path) -> None:
    for log in sorted(logs.iterdir()):
        for line in log.read_text().splitlines()[-_LAST_LINES:]:
            print(f"{log.name}: {line}")


def commands() -> str:
    """Those of the first part, in their order; what was left running ends with it."""
    text = (rooms.ROOT / "docs" / "kubernetes.md").read_text().split("\n## A production")[0]
    return "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\nset -x\n" + "".join(_BLOCK.findall(text))


@contextlib.contextmanager
def place_of(programs: Sequence[str], player: str) -> Iterator[Path]:
    """A folder that looks like the checkout; these programs are played by a module of ours."""
    with tempfile.TemporaryDirectory(prefix="rushes-walk-") as name:
        place = Path(name)
        place.chmod(0o711)
        (place / "bin").mkdir()
        for shown in ("deploy", "docs", ".venv"):
            (place / shown).symlink_to(rooms.ROOT / shown)
        for program in programs:
            played = place / "bin" / program
            played.write_text(f'#!/bin/sh\nexec {sys.executable} -m {player} {program} "$@"\n')
            played.chmod(0o755)
        yield place


if __name__ == "__main__":
    main(*sys.argv[1:])
