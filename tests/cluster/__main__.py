"""`python -m tests.cluster PROGRAMS`: builds the images, opens a machine within the machine, and has it judged.

Network, mounts and processes are namespaces of their own, which end with their first process: nothing is left of them.
Needs root, and of Debian: containerd, runc, containernetworking-plugins, etcd-server, iptables, buildah, mmdebstrap.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import cgroups, images
from tests.contract import rooms

_NEEDED = ("containerd", "ctr", "runc", "etcd", "iptables-legacy", "ip", "unshare", "buildah", "mmdebstrap")
_NAMESPACES = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
_FIRST = ("bash", "-c", '"$@"; exit $?', "bash")
"""The first process of a machine buries those whose parents have died; Python does not."""
_KUBELETS_OWN = Path("/var/lib/kubelet")
"""Where the kubelet and its neighbours look for each other, wherever its folder is."""


def main(programs: str) -> int:
    """How it ended."""
    if os.geteuid() or (missing := [name for name in _NEEDED if not shutil.which(name)]):
        sys.exit(f"This needs root, and {', '.join(_NEEDED)}; not there: {missing if not os.geteuid() else 'root'}")
    with tempfile.TemporaryDirectory(prefix="rushes-cluster-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        images.write(folder / "images", Path(programs))
        with cgroups.own(), _made(_KUBELETS_OWN):
            inside = (sys.executable, "-m", "tests.cluster.inside", name, programs)
            return subprocess.run((*_NAMESPACES, *_FIRST, *inside), cwd=rooms.ROOT).returncode


@contextlib.contextmanager
def _made(place: Path) -> Iterator[None]:
    """An empty folder to mount something at, where there was none."""
    if place.exists():
        yield
        return
    place.mkdir()
    try:
        yield
    finally:
        place.rmdir()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
