"""Looks into an image: nothing is there that installs, compiles, tests or opens a shell."""

import os
import pathlib
import stat

_NOT_THERE = (
    *(
        "sh",
        "bash",
        "dash",
        "busybox",
        "perl",
        "apt",
        "apt-get",
        "dpkg",
        "pip",
        "pip3",
        "uv",
        "gcc",
        "cc",
        "ld",
        "make",
    ),
    *("git", "curl", "wget", "su", "sudo", "mount", "ffmpeg", "strip"),
)
_NO_FOLDER = ("tests", "test", "SelfTest", "pip", "setuptools", "wheel", "ensurepip", "pytest")
_MAY_BE_WRITTEN = {"/tmp", "/data"}


def look(root: pathlib.Path) -> None:
    """Raises AssertionError for what should not be there, or could be written or become another user's."""
    for folder, folders, files in os.walk(root):
        place = "/" + os.path.relpath(folder, root).removeprefix(".").lstrip("/")
        found = [f"{place}/{name}" for name in files if name in _NOT_THERE and os.access(f"{folder}/{name}", os.X_OK)]
        found += [f"{place}/{name}" for name in folders if name in _NO_FOLDER]
        assert not found, f"{found} should not be there"
        for path in [folder, *(f"{folder}/{name}" for name in files)]:
            _is_safe(path, "/" + os.path.relpath(path, root))


def _is_safe(path: str, place: str) -> None:
    facts = os.lstat(path)
    if place in _MAY_BE_WRITTEN or stat.S_ISLNK(facts.st_mode):
        return
    assert (facts.st_uid, facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) == (0, 0), f"{place} can be written"
    assert not facts.st_mode & (stat.S_ISUID | stat.S_ISGID), f"{place} makes another user of who runs it"
