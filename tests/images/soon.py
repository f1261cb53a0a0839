"""How soon a container listens after its start, and how much of a processor it has used by then."""

import datetime
import pathlib
import subprocess
import sys

from tests.images import checks, compose, engine

MOST_S = 3.0
"""Of a processor's time: what a start takes on a machine that has nothing else to do."""

_POLL = """
import socket, sys, time
while True:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1).close()
        break
    except OSError:
        time.sleep(0.01)
print(time.time(), open(sys.argv[3]).read())
"""


def listens_soon(docker: engine.Engine) -> None:
    """Start each anew; its work until its port is open is within the limit."""
    for name in checks.LONG_LIVED:
        wall_s, work_s = _started(docker, name)
        print(f"{name} listens {wall_s:.1f} s after its start, with {work_s:.1f} s of a processor", flush=True)
        assert work_s < MOST_S, name


def _started(docker: engine.Engine, name: str) -> tuple[float, float]:
    docker.typed(f"docker compose stop {name}")
    docker.typed(f"docker compose start {name}")
    of = checks.told(docker, name)
    (network,) = of["NetworkSettings"]["Networks"].values()
    port = compose.services()[name].raw["ports"][0].rpartition(":")[2]
    used = pathlib.Path("/sys/fs/cgroup/cpuacct") / docker.group / of["Id"] / "cpuacct.usage"
    poll = ("nsenter", f"--target={docker.first.pid}", "--net", sys.executable, "-c", _POLL, network["IPAddress"], port)
    said = subprocess.run((*poll, str(used)), check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout.split()
    began = datetime.datetime.fromisoformat(of["State"]["StartedAt"][:26].rstrip("Z") + "+00:00")
    return float(said[0]) - began.timestamp(), int(said[1]) / 1e9
