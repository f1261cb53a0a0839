"""The folder a house lives in: where things are, which ports it uses, which secrets only it knows."""

import base64
import dataclasses
import hashlib
import json
import os
import random
import secrets
import shutil
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from services.cli import exits

DATABASES = ("storyboard", "job", "provider_gateway", "compiler")
NATS_USERS = ("operator", "topology", "compiler", "job", "provider_gateway")
"""Who enters the bus: `libs.bus_users` says what each may do there."""
SERVICES = ("sandbox", "provider_gateway", "storyboard", "compiler", "job", "studio")
HTTP_SERVICES = ("sandbox", "studio")
PORTS = ("postgres", "nats", "nats_monitor", "callbacks", *SERVICES, *(f"{service}_metrics" for service in SERVICES))
SANDBOX = {
    "sandbox-openai": "/v1",
    "sandbox-google": "",
    "sandbox-veo": "/vertex",
    "sandbox-fal": "/fal",
    "sandbox-openrouter": "/openrouter/api/v1",
    "sandbox-runware": "/runware/v1",
    "sandbox-replicate": "/replicate/v1",
}
"""The endpoints at which the sandbox sells, and where each dialect is spoken."""

SECRETS = (
    "postgres",
    *(name for service in DATABASES for name in (f"{service}_owner", service)),
    *(f"nats_{user}" for user in NATS_USERS),
    "blobs",
    "callbacks",
    "webhooks",
    *SANDBOX,
)
# Below the ephemeral range (32768 and up on Linux), so that no outgoing connection takes a remembered port.
_PORT_RANGE = range(20000, 32000)


@dataclasses.dataclass(frozen=True)
class House:
    """One house: its folder, the port of each listener by name, and its secrets by name.

    A house of containers has no ports here: `elsewhere` says the `host:port` of each listener.
    """

    folder: Path
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = dataclasses.field(repr=False)
    elsewhere: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def address(self, name: str) -> str:
        """`127.0.0.1:port` of a listener, where nobody but this machine reaches it; or where it is elsewhere."""
        return self.elsewhere.get(name) or f"127.0.0.1:{self.ports[name]}"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data folder."""
        return self.folder / "postgres"

    @property
    def nats(self) -> Path:
        """JetStream's store folder."""
        return self.folder / "nats"

    @property
    def token(self) -> Path:
        """The file with the bearer token of the person at this machine."""
        return self.folder / "token"

    @property
    def temporary(self) -> Path:
        """The services' folder for passing files, empty at each start: what a killed one leaves stays in the home."""
        return self.folder / "tmp"

    @property
    def endpoints(self) -> Path:
        """The file that tells the gateway where the sandbox listens, and its keys."""
        return self.folder / "endpoints.json"

    @property
    def vault(self) -> Path:
        """The file with what opens the vault of credentials; without it, nothing brings those keys back."""
        return self.folder / "vault.json"

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self.folder / "logs" / f"{name}.log"


def default_folder() -> Path:
    """RUSHES_HOME, else the XDG data folder. Raises Ended for a user who has neither, as in a container."""
    if home := os.environ.get("RUSHES_HOME"):
        return Path(home)
    if data := os.environ.get("XDG_DATA_HOME"):
        return Path(data) / "rushes"
    try:
        return Path.home() / ".local" / "share" / "rushes"
    except RuntimeError:
        nowhere = "This user has no home to look for a house in. Name the folder of one with --home or RUSHES_HOME."
        raise exits.Ended(nowhere, exits.Code.CONFIG) from None


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def exists(folder: Path) -> bool:
    """Whether a house was ever started in this folder."""
    return os.path.exists(folder / "house.json")  # unlike Path.exists, False where we may not look


def is_elsewhere(folder: Path) -> bool:
    """Whether the house of this folder runs as containers, of which `services.cli.keys` made the keys."""
    return "elsewhere" in _read(folder / "house.json")


def bearer(of: House) -> str:
    """The token of the person at this machine. Raises Ended when there is none, or it is somebody else's."""
    try:
        return of.token.read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise exits.Ended(f"{of.token} cannot be read: {fault.strerror}.", exits.Code.DENIED) from None


def load(folder: Path) -> House:
    """The house in this folder as its last start left it. Raises Ended when there is none, or it is not whole."""
    if not exists(folder):
        raise exits.Ended(f"No house was ever started in {folder}; `rushes up` starts one.", exits.Code.NOT_FOUND)
    told = _read(folder / "house.json")
    ports = told.get("ports")
    kept = _read(folder / "secrets.json")
    if is_elsewhere(folder):
        return House(folder, {}, kept, told["elsewhere"])
    if not isinstance(ports, dict) or not set(PORTS) <= ports.keys() or not set(SECRETS) <= kept.keys():
        raise exits.Ended(f"{folder}/house.json or secrets.json is not complete; `rushes up` completes it.")
    return House(folder, ports, kept)


def prepare(folder: Path, say: Callable[[str], None]) -> House:
    """Make or complete the folder; a port that another program took is replaced, and said so.

    Call it only as the one supervisor of this folder, while nothing of the house runs.
    """
    _make_folders(folder)
    ports = _choose_ports(_read(folder / "house.json").get("ports", {}), say)
    house = with_secrets(House(folder, ports, {}))
    write_private(folder / "house.json", json.dumps({"ports": house.ports}, indent=1))
    return house


def with_secrets(of: House, more: Iterable[str] = ()) -> House:
    """The house with each of its secrets, and `more`, made where it is missing; and the files that are made of them."""
    stored = _read(of.folder / "secrets.json")
    house = dataclasses.replace(
        of, secrets={name: stored.get(name) or secrets.token_hex(24) for name in (*SECRETS, *more)}
    )
    write_private(house.folder / "secrets.json", json.dumps(house.secrets, indent=1))
    write_private(house.endpoints, json.dumps(_endpoints(house), indent=1))
    if not house.vault.exists():
        write_private(house.vault, json.dumps(_vault(), indent=1))
    return house


def make_folder(folder: Path) -> Path:
    """The home itself, absolute; fails with the remedy when it cannot be written."""
    folder = folder.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "logs").mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise exits.Ended(
            f"The home {folder} cannot be written: {error.strerror}. Choose another with --home or RUSHES_HOME."
        ) from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise exits.Ended(f"The home {folder} belongs to another user. Choose another with --home or RUSHES_HOME.")
    return folder


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just closed is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _make_folders(folder: Path) -> None:
    make_folder(folder)
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    for name in ("blobs", "sandbox", "nats", "tmp"):
        (folder / name).mkdir(exist_ok=True, mode=0o700)


def _choose_ports(remembered: Mapping[str, int], say: Callable[[str], None]) -> dict[str, int]:
    ports = dict(zip(PORTS, _free_block(len(PORTS), remembered.values()), strict=True))
    for name, port in remembered.items():
        if name not in ports:
            continue
        if is_free(port):
            ports[name] = port
        else:
            say(f"Port {port} of {name} is taken by another program; {name} moves to port {ports[name]}.")
    return ports


def _free_block(count: int, avoid: Iterable[int]) -> range:
    """Neighbouring free ports: two houses that start at the same instant then rarely pick the same."""
    taken = set(avoid)
    for _ in range(200):
        first = random.choice(_PORT_RANGE[::count])
        block = range(first, first + count)
        if taken.isdisjoint(block) and all(is_free(port) for port in block):
            return block
    raise exits.Ended(f"No {count} free neighbouring ports between {_PORT_RANGE[0]} and {_PORT_RANGE[-1]}.")


def _endpoints(house: House) -> dict[str, dict[str, Any]]:
    sandbox = f"http://{house.address('sandbox')}"
    found: dict[str, dict[str, Any]] = {
        name: {"base_url": sandbox + path, "key": house.secrets[name]} for name, path in SANDBOX.items()
    }
    for name, one in found.items():
        one["webhook_secret"] = _webhook_secret(name, one["key"])
    found["sandbox-veo"]["settings"] = {"project": "rushes", "location": "global", "bucket": "rushes"}
    return found


def _vault() -> dict[str, Any]:
    # Named by chance: a key that was lost is missing then, and not taken for a row that was tampered with.
    name = f"house-{secrets.token_hex(4)}"
    return {"current": name, "keys": {name: base64.b64encode(secrets.token_bytes(32)).decode()}}


def _webhook_secret(endpoint: str, key: str) -> str:
    """How the sandbox signs the callbacks of this key: docs/sandbox.md."""
    digest = hashlib.sha256(f"rushes sandbox webhook {hashlib.sha256(key.encode()).hexdigest()}".encode()).digest()
    return digest.hex() if endpoint == "sandbox-openrouter" else f"whsec_{base64.b64encode(digest).decode()}"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError:
        raise exits.Ended(f"{path} cannot be read: it belongs to another user. Use --home.") from None
    except ValueError:
        raise exits.Ended(f"{path} is not JSON; restore it, or move the folder away.") from None
    return content if isinstance(content, dict) else {}
