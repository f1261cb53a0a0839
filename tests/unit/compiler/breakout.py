"""Enters the jail, then tries what somebody would try who has taken the process over; says what came of it."""

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from services.compiler import jail, kernel

_SOMEBODY = 1_000


def main() -> None:
    """The folder to stay in, a file outside of it, and `unprivileged` for a service that is not root."""
    folder, outside = Path(sys.argv[1]), Path(sys.argv[2])
    if sys.argv[3] == "unprivileged" and os.geteuid() == 0:
        os.chown(folder, _SOMEBODY, _SOMEBODY)
        os.setgroups([])
        os.setresgid(_SOMEBODY, _SOMEBODY, _SOMEBODY)
        os.setresuid(_SOMEBODY, _SOMEBODY, _SOMEBODY)
        kernel.call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which the change of user took away
    missing, parent = jail.enter(folder), os.getppid()
    deeds: dict[str, Callable[[], object]] = {
        "write and read inside": _inside,
        "start a thread": _thread,
        "read outside": outside.read_bytes,
        "write outside": lambda: Path(f"{outside}.new").write_text("x"),
        "list what is outside": lambda: os.listdir("/"),
        "read the memory of the service": lambda: Path(f"/proc/{parent}/mem").open("rb"),
        "read its environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "change the mode of a file": lambda: os.chmod(outside, 0o777),
        "link to the outside": lambda: os.symlink(outside, "link"),
        "make a device": lambda: os.mkfifo("pipe"),
        "open a socket": socket.socket,
        "open a pair of sockets": socket.socketpair,
        "fork": os.fork,
        "run a program": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "become another program": lambda: os.execv("/bin/true", ["true"]),
        "signal the service": lambda: os.kill(parent, signal.SIGURG),
        "trace the service": lambda: kernel.call("ptrace", 16, parent, 0, 0),
        "map code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
        "turn data into code": _turn_into_code,
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_AS, (jail.MEMORY * 2,) * 2),
        "take more memory than there is": lambda: bytearray(jail.MEMORY),
        "take a new namespace": lambda: kernel.call("unshare", 0x10000000),
        "come back from being nobody": lambda: os.setuid(0),
        "be dumped": lambda: kernel.call("prctl", 4, 1, 0, 0, 0),
    }
    told = {name: _answer(deed) for name, deed in deeds.items()}
    sys.stdout.write(json.dumps({"missing": missing, "uid": os.getuid(), "told": told}))


def _answer(deed: Callable[[], object]) -> str:
    try:
        deed()
    except (OSError, MemoryError, ValueError, RuntimeError) as refusal:
        return type(refusal).__name__
    return "did it"


def _inside() -> None:
    Path("mine").write_text("x")
    Path("mine").rename("yours")
    assert Path("yours").read_text() == "x"
    Path("yours").unlink()


def _thread() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def _turn_into_code() -> None:
    memory = mmap.mmap(-1, 4096)
    kernel.call("mprotect", ctypes.addressof(ctypes.c_char.from_buffer(memory)), 4096, 5)


if __name__ == "__main__":
    main()
