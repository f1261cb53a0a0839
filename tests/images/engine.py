"""A Docker engine with a network, mounts and processes of its own, in one folder: all ends with its first process."""

import contextlib
import errno
import os
import pathlib
import shutil
import subprocess
import time
from collections.abc import Iterator

import psutil

PERSON = 1000
"""Who types: an ordinary user who may use Docker."""

_PATIENCE_S = 120.0
# It is asked by a file, and by nothing else of this machine. /run is where containerd keeps its sockets.
_SETTINGS = '{"features": {"time-namespaces": false}}'  # Debian's runc knows none
_BEGIN = 'ip link set lo up && mount -t tmpfs tmpfs /run && exec tini-static -- dockerd "$@"'


class Engine:
    """What can be asked of it while it runs; `folder` is where it keeps everything, `work` where a person stands."""

    def __init__(self, folder: pathlib.Path, first: psutil.Process) -> None:
        self.work = folder / "work"
        self.first, self.group = first, folder.name
        self._environment = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.work),
            "DOCKER_HOST": f"unix://{folder}/socket",
            "DOCKER_CONFIG": f"{folder}/bin",
        }

    def typed(self, line: str, within_s: float = 900.0) -> str:
        """What a person's line prints. Raises CalledProcessError when it fails."""
        return self._run(("setpriv", f"--reuid={PERSON}", f"--regid={PERSON}", "--clear-groups"), line, within_s)

    def docker(self, *words: str) -> str:
        """What the docker command prints. Raises CalledProcessError."""
        return self._run((), " ".join(("docker", *words)), _PATIENCE_S * 5)

    def begun(self, line: str) -> subprocess.Popen[str]:
        """A person's line that goes on while others are typed; what it prints, be it to stdout or stderr."""
        words = ("nsenter", f"--target={self.first.pid}", "--net", "setpriv", f"--reuid={PERSON}", f"--regid={PERSON}")
        words += ("--clear-groups", "bash", "-euc", line)
        return subprocess.Popen(
            words, env=self._environment, cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def among_its_processes(self, *words: str) -> None:
        """Run by root where the numbers of processes are those that the engine tells."""
        subprocess.run(("nsenter", f"--target={self.first.pid}", "--net", "--pid", *words), check=True)

    def _run(self, who: tuple[str, ...], line: str, within_s: float) -> str:
        words = ("nsenter", f"--target={self.first.pid}", "--net", *who, "bash", "-euc", line)
        kept = {"check": True, "timeout": within_s, "stdout": subprocess.PIPE, "text": True}
        told: str = subprocess.run(words, env=self._environment, cwd=self.work, **kept).stdout  # type: ignore[call-overload]
        return told.strip()


@contextlib.contextmanager
def started(parts: pathlib.Path, grpcurl: pathlib.Path, folder: pathlib.Path) -> Iterator[Engine]:
    """An engine that answers; when it ends, so do its containers."""
    plugins = folder / "bin" / "cli-plugins"
    plugins.mkdir(parents=True)
    (folder / "engine.json").write_text(_SETTINGS)
    shutil.copy(grpcurl, folder / "bin" / "grpcurl")
    shutil.copy(parts / "cli-plugins" / "docker-compose", plugins)
    options = ("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid")
    options += ("--host", f"unix://{folder}/socket", "--group", str(PERSON), "--init-path", "/usr/bin/tini-static")
    options += ("--cgroup-parent", f"/{folder.name}", "--log-level", "warn", "--config-file", f"{folder}/engine.json")
    apart = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    with (folder / "engine.log").open("wb") as log:
        environment = os.environ | {"PATH": f"{parts}:{os.environ['PATH']}"}
        process = subprocess.Popen(
            (*apart, "sh", "-c", _BEGIN, "sh", *options), env=environment, stdout=log, stderr=log
        )
    try:
        engine = Engine(folder, _first(process))
        _wait(engine, process, folder)
        yield engine
        engine.first.terminate()
        process.wait(_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
        _forget(folder.name)


def _first(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The one that everything else ends with."""
    until = time.monotonic() + _PATIENCE_S
    while not (below := psutil.Process(process.pid).children()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return below[0]


def _wait(engine: Engine, process: subprocess.Popen[bytes], folder: pathlib.Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not (folder / "socket").exists():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError((folder / "engine.log").read_text()[-3000:])
        time.sleep(0.1)
    engine.docker("version")


def _forget(group: str) -> None:
    """Its control groups, which the kernel keeps without their processes."""
    for controller in pathlib.Path("/sys/fs/cgroup").glob(f"*/{group}"):
        for folder in sorted((path for path in controller.rglob("*") if path.is_dir()), reverse=True):
            _remove(folder)
        _remove(controller)


def _remove(group: pathlib.Path) -> None:
    """Once the last of its processes, which may have been killed a moment ago, is gone."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return group.rmdir()
        except OSError as busy:
            if busy.errno != errno.EBUSY or time.monotonic() > until:
                raise
            time.sleep(0.1)
