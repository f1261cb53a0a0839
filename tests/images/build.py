"""Builds the targets of deploy/images/Dockerfile with buildah, on a base that is bootstrapped here from Debian."""

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator

from tests.contract import rooms

TOOLS = pathlib.Path(os.environ.get("RUSHES_TOOLS", "~/.cache/rushes-tools")).expanduser()
BASE = "localhost/rushes-base:bookworm"
_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates,netbase,media-types"
_SOURCES = "/etc/apt/sources.list.d/debian.sources"  # the mirrors that this machine knows
_ISOLATION = ("--isolation", "chroot")
_CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
_MIRRORS_PLACE = "/etc/mirror-ca.crt"


@dataclasses.dataclass(frozen=True)
class Image:
    """An image in buildah's store."""

    id: str
    digest: str


def buildah(*words: str) -> str:
    """What it prints. Raises CalledProcessError."""
    return subprocess.run(("buildah", *words), check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@functools.cache
def image(target: str) -> Image:
    """The image of a target, built if a line of its Dockerfile or a file of its context has changed."""
    return _built(target, "--layers")


def afresh(target: str) -> Image:
    """The image of a target, every line of it done again."""
    return _built(target, "--no-cache")


def _built(target: str, cache: str) -> Image:
    _bootstrap()
    name = f"localhost/rushes-{target}:proof"
    file = tempfile.NamedTemporaryFile
    with file("w", suffix=".conf") as pip, file("w", suffix=".npmrc") as npm, file("w") as log:
        pip.write(f"[global]\ncert = {_MIRRORS_PLACE}\ntimeout = 180\n")
        pip.flush()
        npm.write(f"cafile={_MIRRORS_PLACE}\n")
        npm.flush()
        words = (
            *("bud", *_ISOLATION, cache, "--timestamp", _epoch()),
            *("--build-arg", f"RUSHES_BASE={BASE}", "--build-arg", f"REVISION={_git('rev-parse', 'HEAD')}"),
            *("--secret", f"id=pip,src={pip.name}", "--secret", f"id=npm,src={npm.name}"),
            *("--volume", f"{_CERTIFICATES}:{_MIRRORS_PLACE}:ro"),
            *("--file", "deploy/images/Dockerfile", "--ignorefile", "deploy/images/Dockerfile.dockerignore"),
            *("--target", target, "--tag", name, "."),
        )
        done = subprocess.run(("buildah", *words), cwd=rooms.ROOT, stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError(pathlib.Path(log.name).read_text()[-5000:])
    told = json.loads(buildah("inspect", "--type", "image", name))
    return Image(told["FromImageID"], told["FromImageDigest"])


def size(of: Image) -> int:
    """In bytes, as all of its files unpacked."""
    with mounted(of) as root:
        return sum(path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def layers(of: Image) -> int:
    """How many it has."""
    return len(json.loads(buildah("inspect", "--type", "image", of.id))["OCIv1"]["rootfs"]["diff_ids"])


@contextlib.contextmanager
def mounted(of: Image, *options: str) -> Iterator[pathlib.Path]:
    """The root of a container of the image."""
    with container(of, *options) as name:
        yield pathlib.Path(buildah("mount", name))


@contextlib.contextmanager
def container(of: Image, *options: str) -> Iterator[str]:
    """The name of a container of the image, for a while."""
    name = buildah("from", *options, of.id)
    try:
        yield name
    finally:
        buildah("rm", name)


def _bootstrap() -> None:
    """A minimal Debian with Python, as python:3.11-slim-bookworm is one; kept between runs."""
    if BASE in buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        return
    tar = TOOLS / "debian-bookworm-python.tar"
    if not tar.exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        draft = tar.with_suffix(".new.tar")
        words = ("mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(draft), _SOURCES)
        subprocess.run(words, check=True)
        draft.rename(tar)
    name = buildah("from", "scratch")
    buildah("add", "--quiet", name, str(tar), "/")
    buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", name)
    buildah("commit", "--quiet", "--rm", name, BASE)


def _epoch() -> str:
    """Every file of an image is as old as the commit it is made from."""
    return _git("log", "-1", "--format=%ct")


def _git(*words: str) -> str:
    return subprocess.run(("git", *words), check=True, stdout=subprocess.PIPE, text=True, cwd=rooms.ROOT).stdout.strip()
