"""Programs that run on the node until the end, and commands that are typed there."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_WITHIN_S = 300.0
_BINARIES = "/usr/sbin:/usr/bin:/sbin:/bin"


class Place:
    """Where all of it is: a folder, and the programs by name."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.bin, self.logs = folder / "bin", folder / "logs"
        for made in (self.bin, self.logs, folder / "cni"):
            made.mkdir()
        for program in programs.iterdir():
            (self.bin / program.name).symlink_to(program)
        for name in ("iptables", "iptables-save", "iptables-restore"):
            legacy = name.replace("iptables", "iptables-legacy")
            (self.bin / name).symlink_to(f"/usr/sbin/{legacy}")  # the other needs modules that small kernels have not
        self.told = {"PATH": f"{self.bin}:{_BINARIES}", "HOME": str(folder), "KUBECONFIG": str(folder / "kubeconfig")}
        self._running = dict[str, subprocess.Popen[bytes]]()

    def start(self, name: str, *flags: str) -> None:
        """A program that runs until the end."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen([name, *flags], env=self.told, stdout=log, stderr=log)

    def run(self, *words: str, given: str | None = None, check: bool = True) -> str:
        """What a command prints. Raises CalledProcessError, with what it complained of on our standard error."""
        done = subprocess.run(words, env=self.told, input=given, stdout=subprocess.PIPE, text=True, check=check)
        return done.stdout

    def kubectl(self, *words: str, given: str | None = None, check: bool = True) -> str:
        """What kubectl prints."""
        return self.run("kubectl", *words, given=given, check=check)

    def objects(self, *words: str) -> list[Any]:
        """What `kubectl get` finds."""
        found: list[Any] = json.loads(self.kubectl("get", *words, "--output=json"))["items"]
        return found

    def until(self, what: str, done: Callable[[], bool], within_s: float = _WITHIN_S) -> float:
        """Return once it is so, and after how many seconds. Raises TimeoutError, and RuntimeError for what ended."""
        began = time.monotonic()
        while not done():
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended: {(self.logs / f'{name}.log').read_text()[-3000:]}")
            if time.monotonic() - began > within_s:
                raise TimeoutError(what)
            time.sleep(0.5)
        return time.monotonic() - began

    def succeeds(self, *words: str) -> bool:
        """Whether a command ends with 0."""
        done = subprocess.run(words, env=self.told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def complaint(self, *words: str) -> str:
        """What a command says that must fail."""
        done = subprocess.run(words, env=self.told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode, f"{words} did not fail: {done.stdout}"
        return done.stdout

    def stop(self) -> None:
        """The kubelet first, so that nothing is started again; namespaces end the rest."""
        for process in reversed(self._running.values()):
            process.terminate()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
