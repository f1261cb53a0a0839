"""What each child of a house is told through its environment, and nothing more."""

import json
import os
import sys
import urllib.parse

from services.cli import house

_PASSED_ON = (
    "RUSHES_LOG_LEVEL",
    "RUSHES_OTLP_ENDPOINT",
    "RUSHES_REVISION",
    "RUSHES_LEASE_S",
    "RUSHES_SANDBOX_LATENCY",
    "RUSHES_SANDBOX_INSTANT",
    "RUSHES_CATALOGUE_OVERRIDES_PATH",
    "RUSHES_LIMIT_GENERATE",
    "RUSHES_LIMIT_COMPILE",
    "RUSHES_LIMIT_SESSION",
)
# Limits keep callers from each other's throats, and in a house there is one.
_UNLIMITED = {"RUSHES_LIMIT_GENERATE": "0", "RUSHES_LIMIT_COMPILE": "0", "RUSHES_LIMIT_SESSION": "0"}
_SIGNED_IN_S = str(30 * 86400)  # who reaches a house is at its machine
_OF_STORYBOARDS = (
    "RUSHES_GUESTS_SECRET",
    "RUSHES_WRITER_KEY",
    "RUSHES_WRITER_KEY_FILE",
    "RUSHES_WRITER_BASE_URL",
    "RUSHES_WRITER_MODEL",
)
_NEIGHBOURS = {
    "job": ("storyboard", "provider_gateway"),
    "studio": ("storyboard", "job", "provider_gateway", "compiler"),
}
ISSUER = "rushes-local"
AUDIENCE = "rushes"


def base() -> dict[str, str]:
    """Our own environment without our settings; children import what we import."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
    told["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    return told | past_proxies()


def faults() -> list[str]:
    """What is wrong with our own environment, so that a house must not start: a misspelt variable is not ignored."""
    from libs import settings  # here: the command needs pydantic for little else

    found = settings.strangers()
    if os.environ.get("RUSHES_ENVIRONMENT") == "production":
        found.append("RUSHES_ENVIRONMENT: a house on one machine is for trying out; docs/recipes are for production")
    return found


def past_proxies() -> dict[str, str]:
    """Whatever proxy leads to the world, this machine is reached without it."""
    told = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY", ""), "127.0.0.1", "localhost"]
    around = ",".join(dict.fromkeys(host for hosts in told for host in hosts.split(",") if host))
    return {"no_proxy": around, "NO_PROXY": around}


def database_url(of: house.House, service: str, role: str) -> str:
    """Where a service's database is, for one of its two roles."""
    return f"postgresql+asyncpg://{role}:{of.secrets[role]}@{of.address('postgres')}/{service}"


def nats_url(of: house.House, user: str = "operator") -> str:
    """Where the bus is, for one of its users; the one who may do everything unless told otherwise."""
    return f"nats://{user}:{of.secrets[f'nats_{user}']}@{of.address('nats')}"


def blobs_url(of: house.House) -> str:
    """The folder of the clips and films; the studio serves its signed URLs."""
    facts = {"public": f"http://{of.address('studio')}", "secret": of.secrets["blobs"]}
    return f"{(of.folder / 'blobs').as_uri()}?{urllib.parse.urlencode(facts, safe=':/')}"


def webhook_keys(of: house.House) -> str:
    """What the secrets of webhooks are made with."""
    return json.dumps({"current": "house", "keys": {"house": of.secrets["webhooks"]}})


def of_topology(of: house.House) -> dict[str, str]:
    """For `python -m libs.topology`."""
    return base() | passed_on() | {"RUSHES_NATS_URL": nats_url(of, "topology")}


def of_service(of: house.House, service: str) -> dict[str, str]:
    """For `python -m services.<service>`."""
    told = base() | {
        "RUSHES_LOG_LEVEL": "INFO",
        "RUSHES_LISTEN": of.address(service),
        "RUSHES_DRAIN_S": "0",  # there is no other replica to turn to
        "RUSHES_METRICS_LISTEN": of.address(f"{service}_metrics"),
        "RUSHES_BLOBS_URL": blobs_url(of),
        "RUSHES_AUTH_JWKS_URL": (of.folder / "jwks.json").as_uri(),
        "RUSHES_AUTH_ISSUER": ISSUER,
        "RUSHES_AUTH_AUDIENCE": AUDIENCE,
        "TMPDIR": str(of.temporary),
        **_UNLIMITED,
    }
    if service in house.DATABASES:
        told["RUSHES_DATABASE_URL"] = database_url(of, service, service)
    if service in house.NATS_USERS:
        told["RUSHES_NATS_URL"] = nats_url(of, service)
    if service == "provider_gateway":
        told["RUSHES_ENDPOINTS_FILE"] = str(of.endpoints)
        told["RUSHES_VAULT_KEYS_FILE"] = str(of.vault)
        told["RUSHES_CALLBACKS_LISTEN"] = of.address("callbacks")
        told["RUSHES_CALLBACKS_SECRET"] = of.secrets["callbacks"]
        told["RUSHES_PUBLIC_URL"] = f"http://{of.address('callbacks')}"
    if service == "job":
        told["RUSHES_WEBHOOK_KEYS"] = webhook_keys(of)
        told["RUSHES_WEBHOOKS_PRIVATE"] = "true"
    if service == "storyboard":
        told |= {"RUSHES_SESSION_S": _SIGNED_IN_S, **of_storyboards()}
    elif service in house.DATABASES:
        told["RUSHES_TOKENS_ADDRESS"] = of.address("storyboard")
    if service == "studio":
        told["RUSHES_GUESTS"] = str("RUSHES_GUESTS_SECRET" in os.environ).lower()
    if service == "sandbox":
        told["RUSHES_SANDBOX_HOME"] = str(of.folder / "sandbox")
    for neighbour in _NEIGHBOURS.get(service, ()):
        told[f"RUSHES_{neighbour.upper()}_ADDRESS"] = of.address(neighbour)
    return told | passed_on()


def passed_on() -> dict[str, str]:
    """Those of our settings that every child gets."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def of_storyboards() -> dict[str, str]:
    """Those of our settings that the storyboard service alone gets, for there are secrets among them."""
    return {name: os.environ[name] for name in _OF_STORYBOARDS if name in os.environ}
