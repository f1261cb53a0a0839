"""Takes every file from this process but those below folders that are named (Linux 5.13 and later)."""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from services.compiler import kernel

# Numbers, rights and structures: linux/landlock.h; the numbers of the calls are the same on every machine.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""By the first version that knows them, how many rights to files there are."""
_WRITE, _READ, _LIST, _RMDIR, _REMOVE, _MKDIR, _MAKE, _REFER, _TRUNCATE = (
    1 << n for n in (1, 2, 3, 4, 5, 7, 8, 13, 14)
)
_READING = _READ | _LIST
_WRITING = _WRITE | _RMDIR | _REMOVE | _MKDIR | _MAKE | _REFER | _TRUNCATE
_TCP_SINCE, _TCP = 4, 0b11  # to bind and to connect
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract sockets of others, signals to others


def confine(folder: Path, readable: Iterable[Path]) -> None:
    """Read and write below `folder`, read below `readable`, nothing else, and never more again.

    Holds for this thread and those that it starts; what is open stays open. Needs PR_SET_NO_NEW_PRIVS.
    Raises OSError where the kernel has no Landlock.
    """
    version = kernel.call("syscall", _CREATE_RULESET, None, 0, _VERSION)
    known = (1 << max(count for since, count in _FILE_RIGHTS.items() if since <= version)) - 1
    tcp, scopes = (_TCP if version >= _TCP_SINCE else 0), (_SCOPES if version >= _SCOPES_SINCE else 0)
    attributes = ctypes.create_string_buffer(struct.pack("=QQQ", known, tcp, scopes), 24)
    size = 24 if scopes else 16 if tcp else 8
    ruleset = kernel.call("syscall", _CREATE_RULESET, attributes, size, 0)
    try:
        _allow(ruleset, folder, (_READING | _WRITING) & known)
        for path in readable:
            with contextlib.suppress(FileNotFoundError):
                _allow(ruleset, path, _READING)
        kernel.call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, opened), 12)
        kernel.call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)
