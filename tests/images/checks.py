"""What is looked at while docker-compose.yml runs: what a container may, and how it comes back and ends."""

import json
import time
from typing import Any

from tests.images import compose, engine

OURS = [name for name, service in compose.services().items() if service.ours and "profiles" not in service.raw]
LONG_LIVED = [name for name in OURS if compose.services()[name].raw.get("restart") == "unless-stopped"]
_WRITE = "import os; print(os.getuid()); open('/app/written', 'w')"


def told(docker: engine.Engine, name: str) -> Any:
    """What the engine says of a service's container."""
    of = docker.typed(f"docker compose ps --all --quiet {name}")
    return json.loads(docker.docker("inspect", of))[0]


def is_hardened(docker: engine.Engine) -> None:
    """Our containers run as somebody who may nothing, on a root that cannot be written."""
    for name in OURS:
        of = told(docker, name)
        assert of["HostConfig"]["ReadonlyRootfs"], name
        assert of["HostConfig"]["CapDrop"] == ["ALL"], name
        assert name == "keys" or of["Config"]["User"] == "65532:65532", name
    for name in LONG_LIVED:
        tried = f'docker compose exec -T {name} python -c "{_WRITE}" 2>&1 || true'
        said = docker.typed(tried)
        assert "65532" in said and "Read-only file system" in said, f"{name}: {said}"  # noqa: PT018
    for target in ("services", "compiler", "studio"):
        image = next(service.image for service in compose.services().values() if service.ours == target)
        alone = ("run", "--rm", "--read-only", "--tmpfs", "/tmp", "--user", "65532", "--cap-drop", "ALL", image)
        told_so = docker.docker(*alone, "python", "-m", "compileall", "--help")
        assert told_so.startswith("usage"), target
    print(
        f"{len(OURS)} containers of ours: no capability, a root that cannot be written, no user root but of keys",
        flush=True,
    )


def killed(docker: engine.Engine, name: str) -> None:
    """Kill the first process of a service as a machine that is out of memory would; it comes back by itself."""
    before = told(docker, name)
    docker.among_its_processes("kill", "-KILL", str(before["State"]["Pid"]))
    until = time.monotonic() + 300
    while (after := told(docker, name))["RestartCount"] == before["RestartCount"] or not after["State"]["Running"]:
        assert time.monotonic() < until, f"{name} did not come back"
        time.sleep(0.5)


def stops(docker: engine.Engine) -> None:
    """Each ends by itself when it is told to, within its grace."""
    for name in LONG_LIVED:
        since = time.monotonic()
        docker.typed(f"docker compose stop {name}")
        state = told(docker, name)["State"]
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False), f"{name} ended with {state['ExitCode']}"
        grace = compose.services()[name].raw["stop_grace_period"]
        print(f"{name} ended with 0 after {time.monotonic() - since:.1f} s of {grace}", flush=True)
