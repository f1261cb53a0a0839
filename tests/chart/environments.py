"""Has each service's own settings read the environment that its pod would have."""

import os
from collections.abc import Iterator
from pathlib import Path

from deploy.helm import schema
from libs import settings
from tests.chart import rendering

_MOUNTED = "/run/secrets/rushes"
_CONTENTS = {
    "database_url": "postgresql+asyncpg://job:word@postgres.films.svc:5432/job",
    "nats_url": "nats://job:word@nats.films.svc:4222",
    "blobs_url": "s3://access:secret@s3.films.svc:8333/rushes?secure=false",
    "endpoints": "{}",
    "vault_keys": '{"current": "a", "keys": {"a": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}',
    "webhook_keys": '{"current": "a", "keys": {"a": "0123456789abcdef0123456789abcdef"}}',
    "auth_jwks": '{"keys": []}',
}
_SECRET = "0123456789abcdef0123456789abcdef"


def faults(manifest: str, folder: Path) -> Iterator[str]:
    """What is wrong with what the services are told; `folder` holds the secrets meanwhile."""
    for name, pod in rendering.pods(manifest):
        for container in pod["containers"]:
            module = container["command"][-1]
            if name.startswith("Deployment/") and module.startswith("services."):
                yield from (f"{name}: {fault}" for fault in _read(module.split(".")[1], container, pod, folder))


def _read(service: str, container: rendering.Object, pod: rendering.Object, folder: Path) -> Iterator[str]:
    told = {one["name"]: str(one["value"]) for one in container["env"] if one["name"].startswith("RUSHES_")}
    for setting in _files(pod):
        (folder / setting).write_text(_CONTENTS.get(setting, _SECRET))
    of = schema.settings_of(service)
    known = {f"RUSHES_{field.upper()}" for field in of.model_fields}
    yield from (f"{name} is no setting of it" for name in told if name.removesuffix("_FILE") not in known)
    told = {name: value.replace(_MOUNTED, str(folder)) for name, value in told.items()}
    ours = [name for name in os.environ if name.startswith("RUSHES_")]
    kept = {name: os.environ.pop(name) for name in ours}
    os.environ.update(told)
    try:
        settings.load(of)
    except SystemExit:
        yield "its settings refuse what it is told; see above"
    finally:
        for name in told:
            del os.environ[name]
        os.environ.update(kept)


def _files(pod: rendering.Object) -> Iterator[str]:
    for volume in pod["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            yield from (item["path"] for item in source["secret"]["items"])
