"""Makes the keys of a house of containers, each where only its container looks: `python -m services.cli.keys KEYS`.

KEYS holds a folder for each container, as docker-compose.yml mounts them; `house` is nobody's, and keeps what was made.
"""

import datetime
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from libs import bus_users
from services.cli import environment, house, issuer

CLUSTER = {
    "postgres": "postgres:5432",
    "nats": "nats:4222",
    "s3": "s3:8333",
    "storyboard": "storyboard:7001",
    "provider_gateway": "provider-gateway:7002",
    "job": "job:7003",
    "compiler": "compiler:7004",
    "studio": "studio:7080",
    "sandbox": "sandbox:7090",
    "callbacks": "provider-gateway:7005",
}
"""Where each listener is, for the containers."""

PUBLIC_MEDIA = "http://127.0.0.1:8333"
"""Where browsers of this machine read media."""

_PAGES = "127.0.0.1:7080"  # where they look at pages

_BUCKET = "rushes"


def cut(keys: Path, now: datetime.datetime) -> None:
    """Make what is missing, and write every file anew; who has a file of before goes on with the same keys."""
    of = house.with_secrets(house.House(keys / "house", {}, {}, CLUSTER), ["s3"])
    issuer.prepare(of, now)
    _write(keys / "postgres", {"password": of.secrets["postgres"]})
    _write(keys / "nats", {"passwords.env": _nats_passwords(of)})
    _write(keys / "s3", {"root.env": f"ROOT_ACCESS_KEY={_BUCKET}\nROOT_SECRET_KEY={of.secrets['s3']}\n"})
    _write(keys / "migrate", {"house.json": _elsewhere(), "secrets.json": json.dumps(_of_databases(of), indent=1)})
    _write(keys / "topology", {"nats_url": environment.nats_url(of, "topology")})
    _write(keys / "bucket", {"blobs_url": _media(of)})
    for service in ("storyboard", "job", "provider_gateway", "compiler", "studio"):
        _write(keys / service, _of_service(of, service))
    _write(keys / "person", {"house.json": _elsewhere(), "token": of.token.read_text()})
    (keys / "person").chmod(0o777)  # the command keeps there what it has begun, and runs as whoever calls it


def _of_service(of: house.House, service: str) -> Mapping[str, str]:
    told = {"jwks.json": (of.folder / "jwks.json").read_text()}
    if service in house.DATABASES:
        told["database_url"] = environment.database_url(of, service, service)
    if service in house.NATS_USERS:
        told["nats_url"] = environment.nats_url(of, service)
    if service != "job":
        told["blobs_url"] = _media(of)
    if service == "job":
        told["webhook_keys"] = environment.webhook_keys(of)
    if service == "provider_gateway":
        told["endpoints"], told["vault_keys"] = of.endpoints.read_text(), of.vault.read_text()
        told["callbacks_secret"] = of.secrets["callbacks"]
    return told


def _media(of: house.House) -> str:
    return f"s3://{_BUCKET}:{of.secrets['s3']}@{of.address('s3')}/{_BUCKET}?secure=false&public={PUBLIC_MEDIA}"


def _nats_passwords(of: house.House) -> str:
    """For a shell that starts nats-server, which wants them quoted: deploy/nats/nats.conf."""
    lines = [f"""{bus_users.variable(user)}='"{of.secrets[f"nats_{user}"]}"'""" for user in house.NATS_USERS]
    return "\n".join([*lines, ""])


def _of_databases(of: house.House) -> Mapping[str, str]:
    roles = ["postgres", *(role for service in house.DATABASES for role in (service, f"{service}_owner"))]
    return {role: of.secrets[role] for role in roles}


def _elsewhere() -> str:
    return json.dumps({"elsewhere": CLUSTER | {"pages": _PAGES}}, indent=1)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Readable by all who see the folder: it is mounted into one container only, which runs as another user."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        house.write_private(folder / name, text)
        (folder / name).chmod(0o444)


def main(arguments: Iterable[str]) -> None:
    """Make them below the folder that is named."""
    (keys,) = map(Path, arguments)
    (keys / "house").mkdir(exist_ok=True, mode=0o700)
    cut(keys, datetime.datetime.now(datetime.UTC))


if __name__ == "__main__":
    main(sys.argv[1:])
