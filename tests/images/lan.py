"""Who listens where while docker-compose.yml runs, and what a neighbour on the same network reaches of it."""

import contextlib
import ipaddress
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from tests.images import checks, compose, engine

_LISTEN = "0A"  # of /proc/net/tcp
_HERE, _THERE = "198.51.100.1", "198.51.100.2"
_OPEN = f"{_HERE}:9999"
_SERVE = """
import socket, time
with socket.create_server(("0.0.0.0", 9999)):
    print("listens", flush=True)
    time.sleep(600)
"""
_KNOCK = """
import concurrent.futures, socket, sys
def reached(told):
    host, _, port = told.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return ""
    return told
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print(*filter(None, pool.map(reached, sys.argv[1:])))
"""


def listens_here_only(docker: engine.Engine) -> None:
    """Every port is one of 127.0.0.1, and a neighbour on the same network reaches neither it nor a container."""
    listening = {listener for kind in ("tcp", "tcp6") for listener in _listeners(docker, kind)}
    wanted = {int(mapping.split(":")[1]) for one in _published() for mapping in one.raw["ports"]}
    assert {port for _, port in listening} == wanted, listening
    assert all(address.is_loopback for address, _ in listening), listening
    doors = [f"{_HERE}:{port}" for port in sorted(wanted)] + [
        door for one in _published() for door in _inside(docker, one)
    ]
    with _neighbour(docker) as knocks:
        reached = subprocess.run((*knocks, _KNOCK, _OPEN, *doors), check=True, stdout=subprocess.PIPE, text=True).stdout
    assert reached.split() == [_OPEN], f"a neighbour reached {reached}, and should have reached {_OPEN} alone"
    print(f"{len(wanted)} ports listen, all on 127.0.0.1; a neighbour reaches none of {len(doors)}", flush=True)


def _listeners(docker: engine.Engine, kind: str) -> Iterator[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    lines = pathlib.Path(f"/proc/{docker.first.pid}/net/{kind}").read_text().splitlines()[1:]
    for _, local, _, state, *_ in map(str.split, lines):
        if state == _LISTEN:
            address, _, port = local.partition(":")
            words = bytes.fromhex(address)
            yield (
                ipaddress.ip_address(b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))),
                int(port, 16),
            )


def _published() -> list[compose.Service]:
    return [one for one in compose.services().values() if "ports" in one.raw and "profiles" not in one.raw]


def _inside(docker: engine.Engine, one: compose.Service) -> list[str]:
    """The doors of a container, by its own address."""
    networks = checks.told(docker, one.name)["NetworkSettings"]["Networks"].values()
    ports = [mapping.rpartition(":")[2] for mapping in one.raw["ports"]]
    return [f"{network['IPAddress']}:{port}" for network in networks for port in ports]


@contextlib.contextmanager
def _neighbour(docker: engine.Engine) -> Iterator[tuple[str, ...]]:
    """How to run Python on another machine of the network; one port here is open, to see that it reaches what is."""
    there = subprocess.Popen(("unshare", "--net", "sh", "-c", "echo begun; exec sleep 600"), stdout=subprocess.PIPE)
    _begun(there)
    inside, outside = (("nsenter", f"--target={pid}", "--net") for pid in (docker.first.pid, there.pid))
    link = ("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", str(there.pid))
    subprocess.run((*inside, *link), check=True)
    for who, address in ((inside, _HERE), (outside, _THERE)):
        subprocess.run((*who, "ip", "address", "add", f"{address}/24", "dev", "lan0"), check=True)
        subprocess.run((*who, "ip", "link", "set", "lan0", "up"), check=True)
    subprocess.run((*outside, "ip", "route", "add", "default", "via", _HERE), check=True)
    opened = subprocess.Popen((*inside, sys.executable, "-c", _SERVE), stdout=subprocess.PIPE)
    _begun(opened)
    try:
        yield (*outside, sys.executable, "-c")
    finally:
        for process in (opened, there):
            process.kill()
            process.communicate()


def _begun(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout
    assert process.stdout.readline()
