"""Writes the images of the trial installation as archives: ours as they are shipped, the others of the same programs.

No registry is asked: PostgreSQL, NATS and the S3 gateway are those of this machine, in one image that has the names
which deploy/helm/trial/neighbours.yaml asks for.
"""

import json
import os
import shutil
from pathlib import Path

import yaml

from services.cli import nats, postgres
from tests.contract import rooms
from tests.images import build

OURS = {f"rushes-{target}": target for target in ("services", "compiler", "studio")}
PAUSE, DNS = "localhost/pause:1", "localhost/coredns:1"
_NEIGHBOURS = rooms.ROOT / "deploy" / "helm" / "trial" / "neighbours.yaml"
_VERSION = str(yaml.safe_load((rooms.ROOT / "deploy/helm/rushes/Chart.yaml").read_text())["appVersion"])
_S3 = build.TOOLS / "versitygw-v1.8.0"
_PATH = "/usr/local/bin:/usr/bin:/bin"
_ENTRY = "/usr/local/bin/docker-entrypoint.sh"
_INITDB = """#!/bin/sh
# What the entrypoint of the official image does for a new folder.
set -e
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U postgres --auth-host=scram-sha-256 --auth-local=trust --pwfile=/tmp/password > /dev/null
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  rm /tmp/password
fi
exec postgres -D "$PGDATA" -c 'listen_addresses=*' -c unix_socket_directories=/var/run/postgresql
"""


def write(folder: Path, programs: Path) -> None:
    """For each image an archive, and beside it a list of its names; `programs` holds `pause` and `coredns`."""
    folder.mkdir()
    for name, target in OURS.items():
        _archive(build.image(target).id, folder, f"docker.io/library/{name}:{_VERSION}")
    _archive(_of_neighbours(folder), folder, *sorted(_named()))
    _archive(_of_programs(programs), folder, PAUSE, DNS)


def _named() -> set[str]:
    """What neighbours.yaml asks for, as an engine spells it."""
    pods = [
        one["spec"]["template"]["spec"]
        for one in yaml.safe_load_all(_NEIGHBOURS.read_text())
        if "template" in one["spec"]
    ]
    asked = {pod["containers"][0]["image"] for pod in pods}
    return {f"docker.io/{one if '/' in one else f'library/{one}'}" for one in asked}


def _of_neighbours(folder: Path) -> str:
    build.image("services")  # its base is there now
    name = build.buildah("from", build.BASE)
    script = folder / "entrypoint"
    script.write_text(_INITDB)
    script.chmod(0o755)
    root = Path(build.buildah("mount", name))
    installed = postgres.binaries().parent.parent  # its libraries lie beside it, and are found from where it is
    for part in (installed, installed.with_name(f"{installed.name}.libs")):
        shutil.copytree(part, root / "opt" / part.name, symlinks=True)
    for program, place in ((nats.binary(), "nats-server"), (str(_S3), "versitygw")):
        shutil.copy2(program, root / f"usr/local/bin/{place}")
    shutil.copy2(script, root / _ENTRY[1:])
    script.unlink()
    with (root / "etc/passwd").open("a") as accounts:
        accounts.write("postgres:x:70:70::/var/lib/postgresql:/bin/sh\n")  # as in the official image on Alpine
    os.makedirs(root / "var/run/postgresql", exist_ok=True)
    build.buildah("config", "--env", f"PATH=/opt/{installed.name}/pginstall18/bin:{_PATH}", name)
    build.buildah("config", "--env", "PGHOST=/var/run/postgresql", name)
    build.buildah("config", "--entrypoint", f'["{_ENTRY}"]', name)
    return build.buildah("commit", "--quiet", "--rm", name)


def _of_programs(programs: Path) -> str:
    name = build.buildah("from", "scratch")
    for program in ("pause", "coredns"):
        build.buildah("add", "--quiet", name, str(programs / program), f"/{program}")
    build.buildah("config", "--entrypoint", '["/pause"]', name)
    return build.buildah("commit", "--quiet", "--rm", name)


def _archive(image: str, folder: Path, *names: str) -> None:
    file = folder / f"{image}.tar"
    build.buildah("push", "--quiet", image, f"docker-archive:{file}:{names[0]}")
    file.with_suffix(".json").write_text(json.dumps(names))
