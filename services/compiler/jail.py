"""Takes from a process, for good, whatever cutting a film does not need: it is about to read hostile files."""

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from av.subtitles import codeccontext, stream, subtitle  # noqa: F401  (av asks for them when it sees text)
from PIL import Image

from services.compiler import kernel, landlock, seccomp

Image.preinit()  # it imports how JPEGs are written when the first is

MEMORY = 4 << 30
"""Bytes of address space: two dozen pictures of the largest size that media takes, in ten bits."""
_LIMITS = {
    "RLIMIT_AS": MEMORY,
    "RLIMIT_CPU": 4 * 3600,  # seconds, of all threads; the caller's deadline comes first
    "RLIMIT_FSIZE": 32 << 30,
    "RLIMIT_NOFILE": 256,
    "RLIMIT_CORE": 0,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
}
_NOBODY = 65_533
"""A user and group that own nothing: no system gives this number to anybody (systemd.io/UIDS-GIDS)."""
_FONTS = tuple(map(Path, ("/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/texmf/fonts")))

# linux/sched.h, linux/prctl.h, linux/capability.h
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION_3 = 0x20080522


def enter(folder: Path) -> tuple[str, ...]:
    """Leave this process the files below `folder`, memory, time and threads within limits, and nothing else.

    The folder becomes the working folder, and is to be named so: the way to it may be closed. Returns what this
    system did not let the jail have, in words; empty when it is whole. What is to be imported must be imported; what
    is open stays open, so there must be nothing but what the order needs. Raises RuntimeError where other threads
    run: they would stay outside.
    """
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("threads run that would stay outside of the jail")
    os.chdir(folder)
    if sys.platform != "linux":
        return (*_limited(), "walls: this system is not Linux")
    missing = [*_limited()]
    walls: dict[str, Callable[[], object]] = {
        "to be ended first when memory is short": _go_first,
        "a network of its own": _leave_network,
        "a user of its own": _become_nobody,
        "no new privileges": _renounce,
        "no files but its own": lambda: landlock.confine(Path(), _FONTS),
        "no system calls but a few": seccomp.confine,
    }
    for name, build in walls.items():
        try:
            build()
        except (OSError, NotImplementedError):
            missing.append(name)
    return tuple(missing)


def _limited() -> list[str]:
    missing = []
    for name, most in _LIMITS.items():
        limit = getattr(resource, name, None)
        try:
            if limit is not None:
                # A second after SIGXCPU, which says what the matter is, comes SIGKILL.
                resource.setrlimit(limit, (most, most + (name == "RLIMIT_CPU")))
        except (OSError, ValueError):  # a lower one was set for us, or this system has none
            if limit is None or resource.getrlimit(limit)[1] > most:
                missing.append(f"a limit ({name})")
    return missing


def _go_first() -> None:
    Path("/proc/self/oom_score_adj").write_text("1000")


def _leave_network() -> None:
    """Into a network that has no interface; who is not root needs a namespace of users for that."""
    kernel.call("unshare", _NEW_NETWORK | _NEW_IPC | (_NEW_USER if os.geteuid() else 0))


def _become_nobody() -> None:
    """Root gives itself up: the new user may make files in the folder, and read those that are there."""
    if os.geteuid() == 0:
        for entry in os.scandir():
            if entry.is_file(follow_symlinks=False):
                os.chmod(entry, 0o644)
        os.chown(".", _NOBODY, _NOBODY)
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _renounce() -> None:
    """No privileges are left, none come with a file that is run, and nobody looks into our memory."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    kernel.call("capset", header, ctypes.create_string_buffer(24))
    kernel.call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
    kernel.call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
