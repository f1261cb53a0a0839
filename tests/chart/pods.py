"""Turns what a pod would be told into what a process on this machine is told."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.chart import rendering

Port = Callable[[str], int]
_FAR = re.compile(r"dns:///rushes-([a-z-]+)-headless\.films\.svc\.cluster\.local\.:\d+")
_NEAR = re.compile(r"rushes-([a-z-]+)(?:\.films\.svc)?:\d+")


def service_of(name: str) -> str:
    """`rushes-provider-gateway` is provider_gateway."""
    return name.removeprefix("rushes-").replace("-", "_")


def deployed(folder: Path, manifest: str, port: Port) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Each service with its command and environment."""
    for name, pod in rendering.pods(manifest):
        if name.startswith("Deployment/"):
            service = service_of(name.removeprefix("Deployment/"))
            command, told = _process(folder / "pods" / service, folder, pod, port)
            told |= {"RUSHES_LISTEN": f"127.0.0.1:{port(service)}"}
            told |= {"RUSHES_METRICS_LISTEN": f"127.0.0.1:{port(f'{service}_metrics')}"}
            yield service, command, told


def run_jobs(folder: Path, manifest: str, port: Port) -> None:
    """Run each Job to its end."""
    maps = {one["metadata"]["name"]: one for one in rendering.objects(manifest) if one["kind"] == "ConfigMap"}
    for name, one in maps.items():
        for key, text in one["data"].items():
            (folder / "configmap" / name).mkdir(exist_ok=True)
            (folder / "configmap" / name / key).write_text(text)
    for name, pod in rendering.pods(manifest):
        if name.startswith("Job/"):
            command, told = _process(folder / "pods" / name.removeprefix("Job/"), folder, pod, port)
            subprocess.run(command, env=told, check=True, timeout=60)


def run_test(folder: Path, manifest: str, port: Port) -> int:
    """Run the test's pod; its exit code."""
    (pod,) = (pod for name, pod in rendering.pods(manifest) if name.startswith("Pod/"))
    command, told = _process(folder / "pods" / "test", folder, pod, port)
    return subprocess.run(command, env=told, timeout=120).returncode


def _process(own: Path, folder: Path, pod: rendering.Object, port: Port) -> tuple[list[str], dict[str, str]]:
    container = pod["containers"][0]
    places = {mount["mountPath"]: own / mount["name"] for mount in container["volumeMounts"]}
    for volume in pod["volumes"]:
        _lay(own / volume["name"], folder, volume, port)

    far = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, places))})(?=/|$)")

    def here(text: str) -> str:
        return _moved(far.sub(lambda found: str(places[found[1]]), text), port)

    told = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
    told |= {one["name"]: here(one["value"]) for one in container.get("env", []) if "value" in one}
    if "/tmp" in places:
        told["TMPDIR"] = str(places["/tmp"])
    return [sys.executable, *(here(word) for word in container["command"][1:])], told


def _lay(place: Path, folder: Path, volume: rendering.Object, port: Port) -> None:
    place.mkdir(parents=True)
    sources = [one["secret"] | {"of": one["secret"]["name"]} for one in volume.get("projected", {}).get("sources", [])]
    if secret := volume.get("secret"):
        sources.append(secret | {"of": secret["secretName"]})
    for source in sources:
        for item in source["items"]:
            text = (folder / "secret" / source["of"] / item["key"]).read_text()
            (place / item["path"]).write_text(_moved(text, port, folder))
    if configuration := volume.get("configMap"):
        for file in (folder / "configmap" / configuration["name"]).iterdir():
            (place / file.name).write_text(file.read_text())


def _moved(text: str, port: Port, folder: Path | None = None) -> str:
    """The same text, with addresses of the cluster replaced by those here; the bucket is a folder."""
    if folder and text.startswith("s3://"):
        (folder / "media").mkdir(exist_ok=True)
        return f"{(folder / 'media').as_uri()}?public=http://127.0.0.1:{port('studio')}&secret=walked"
    for name in ("postgres", "nats"):
        text = re.sub(rf"@{name}:\d+", f"@127.0.0.1:{port(name)}", text)
    text = _FAR.sub(lambda found: f"127.0.0.1:{port(service_of(found[1]))}", text)
    return _NEAR.sub(lambda found: f"127.0.0.1:{port(service_of(found[1]))}", text)
