"""A branch of every hierarchy of cgroups (v1) in which the node and its pods live; gone when they are."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

NAME = "rushes-cluster"
_HIERARCHIES = Path("/sys/fs/cgroup")
_WITHIN_S = 30.0


@contextlib.contextmanager
def own() -> Iterator[None]:
    """Make the branches; afterwards remove them with all that grew on them."""
    branches = [one / NAME for one in _HIERARCHIES.iterdir() if one.is_dir() and not one.is_symlink()]
    try:
        for branch in branches:
            branch.mkdir(exist_ok=True)
            (branch / "node").mkdir(exist_ok=True)
            for place in (branch, branch / "node"):
                _settle(place)
        yield
    finally:
        for branch in branches:
            _remove(branch)


def enter() -> None:
    """This process, and all that it starts, belong to the node: by one path in all, as the kubelet wants it."""
    for tasks in _HIERARCHIES.glob(f"*/{NAME}/node/cgroup.procs"):
        tasks.write_text("0")


def _settle(place: Path) -> None:
    """A new cpuset is empty, and takes no process."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (place / name).exists():
            (place / name).write_text((place.parent / name).read_text())


def _remove(branch: Path) -> None:
    give_up = time.monotonic() + _WITHIN_S
    for folder in [*sorted((path for path in branch.rglob("*") if path.is_dir()), reverse=True), branch]:
        while folder.exists():
            try:
                folder.rmdir()
            except OSError:  # what was killed is not buried yet
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)
