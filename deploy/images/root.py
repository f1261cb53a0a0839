"""Gathers in a folder what a Python program needs of Debian, and nothing that installs, compiles or explains."""

import fnmatch
import glob
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

_PACKAGES = (
    *("base-files", "netbase", "ca-certificates", "media-types"),
    *("libc6", "libgcc-s1", "libstdc++6", "libcrypt1"),
    *("zlib1g", "libbz2-1.0", "liblzma5", "libexpat1", "libffi8*", "libsqlite3-0*", "libssl3*", "libuuid1"),
    *("libpython3*-minimal", "libpython3*-stdlib", "python3*-minimal"),  # where Python is Debian's own
)
_LEFT_OUT = (
    *("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/lintian/*", "/usr/share/bug/*"),
    *("/usr/share/info/*", "/usr/share/python3/*", "/usr/share/common-licenses/*", "/etc/*", "/lib/systemd/*"),
    *("*/gconv/*", "/bin/*", "/sbin/*", "/usr/bin/*", "/usr/sbin/*", "/usr/lib/valgrind/*", "*/audit/*"),
)
_LEFT_OUT_OF_THE_LIBRARY = (
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data", "distutils", "curses"),
    *("site-packages", "dist-packages", "config-*", "__pycache__"),
)
_USER = "65532"
_ACCOUNTS = {
    "passwd": f"root:x:0:0::/:/none\nrushes:x:{_USER}:{_USER}::/tmp:/none\n",
    "group": f"root:x:0:\nrushes:x:{_USER}:\n",
    "nsswitch.conf": "hosts: files dns\n",
}


def main(root: pathlib.Path) -> None:
    """Fill the folder; it may be a root for whatever runs in a virtual environment of this very Python."""
    root.mkdir()
    library = sysconfig.get_path("stdlib")
    for link in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{link}"):
            root.joinpath(link).symlink_to(os.readlink(f"/{link}"))
            root.joinpath(link).resolve().mkdir(parents=True, exist_ok=True)
    for package in _installed():
        for path in _said(("dpkg", "-L", package)):
            if not any(fnmatch.fnmatch(path, pattern) for pattern in (*_LEFT_OUT, f"{library}*")):
                _take(path, root)
        _note(package, root)
    for path in (*_python(library), "/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache", "/etc/os-release"):
        _take(path, root)
    _furnish(root)


def _installed() -> list[str]:
    known = subprocess.run(("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *_PACKAGES), stdout=-1)
    lines = [line.split() for line in known.stdout.decode().splitlines()]  # it fails for a pattern that nothing fits
    return sorted({name for name, status in lines if status == "installed"})


def _said(command: tuple[str, ...]) -> list[str]:
    return subprocess.run(command, check=True, stdout=-1).stdout.decode().splitlines()


def _take(path: str, root: pathlib.Path) -> None:
    """A file or a link as it is, a folder without what is in it."""
    target = root / path.lstrip("/")
    if os.path.lexists(target) or not os.path.lexists(path):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.isdir(path) and not os.path.islink(path):
        target.mkdir()
    else:
        shutil.copy2(path, target, follow_symlinks=False)


def _note(package: str, root: pathlib.Path) -> None:
    """Tell scanners, in the way of images without a package manager, which package is there."""
    notes = root / "var" / "lib" / "dpkg" / "status.d"
    notes.mkdir(parents=True, exist_ok=True)
    notes.joinpath(package).write_text("\n".join(_said(("dpkg", "-s", package))) + "\n")


def _python(library: str) -> list[str]:
    """The interpreter by all its names, its shared library, and its standard library without what nobody imports."""
    found = glob.glob(f"{sys.base_prefix}/bin/python*") + glob.glob(f"{sys.base_prefix}/lib/libpython*.so*")
    for folder, folders, files in os.walk(library):
        folders[:] = [
            name for name in folders if not any(fnmatch.fnmatch(name, out) for out in _LEFT_OUT_OF_THE_LIBRARY)
        ]
        found += [f"{folder}/{name}" for name in files]
    return [path for path in found if not path.endswith("-config")]


def _furnish(root: pathlib.Path) -> None:
    """A user of its own, and the two folders that are written: /tmp, and /data of the sandbox and the command."""
    root.joinpath("etc").mkdir(exist_ok=True)
    for name, text in _ACCOUNTS.items():
        root.joinpath("etc", name).write_text(text)
    for name, mode in (("tmp", 0o1777), ("data", 0o700), ("proc", 0o555), ("sys", 0o555), ("dev", 0o755)):
        root.joinpath(name).mkdir(exist_ok=True)
        root.joinpath(name).chmod(mode)
    os.chown(root / "data", int(_USER), int(_USER))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
