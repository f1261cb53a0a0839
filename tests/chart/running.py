"""Runs what a cluster would run, as processes of this machine: databases, bus, Jobs, services."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli import house, nats, postgres
from tests.chart import pods, rendering
from tests.chart.cluster import HELM, Cluster

_NOBODY = 65534
_WITHIN_S = 300.0


def apply(of: Cluster, file: str) -> None:
    """The neighbours: PostgreSQL and NATS, with the words and the configuration that were made for them."""
    assert rendering.objects(Path(file).read_text())
    _start_postgres(of)
    _start_nats(of)
    _until(lambda: psql(of, "--quiet", "--command", "SELECT 1", "--output", os.devnull) == 0)


def psql(of: Cluster, *options: str) -> int:
    """As the superuser, from standard input."""
    told = {**os.environ, "PGPASSWORD": (of.folder / "secret/trial/postgres").read_text(), "PGUSER": "postgres"}
    told |= {"PGHOST": "127.0.0.1", "PGPORT": str(of.port("postgres")), "PGDATABASE": "postgres"}
    return subprocess.run([str(postgres.binaries() / "psql"), *options], env=told).returncode


def install(of: Cluster, release: str, chart: str, *options: str) -> None:
    """Render; then what hooks do, then what pods do."""
    told = [option for option in options if option not in ("--wait", "--timeout", "10m")]
    said = rendering.Helm(os.environ[HELM]).run("template", release, chart, "--namespace", "films", *told)
    (of.folder / "manifest.yaml").write_text(said)
    pods.run_jobs(of.folder, said, of.port)
    for name, command, environment in pods.deployed(of.folder, said, of.port):
        of.start(name, command, environment)
    for service in house.DATABASES:
        _until(lambda service=service: _serves(of.port(service)))


def test(of: Cluster, *_: str) -> int:
    """Run the test's pod."""
    return pods.run_test(of.folder, (of.folder / "manifest.yaml").read_text(), of.port)


def _start_postgres(of: Cluster) -> None:
    data, words = of.folder / "postgres", of.folder / "secret/trial"
    data.mkdir()
    user = _NOBODY if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        os.chown(data, user, user)
        words.chmod(0o755)
    binaries = postgres.binaries()
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=scram-sha-256", "--no-instructions"]
    word = f"--pwfile={words / 'postgres'}"
    subprocess.run([*initdb, word], check=True, stdout=subprocess.DEVNULL, user=user, group=user, cwd=data)
    listening = ["-p", str(of.port("postgres")), "-k", "", "-c", "listen_addresses=127.0.0.1"]
    of.start("postgres", [str(binaries / "postgres"), "-D", str(data), *listening], dict(os.environ), user)


def _start_nats(of: Cluster) -> None:
    store = of.folder / "nats"
    store.mkdir()
    words = {one.name: one.read_text() for one in (of.folder / "secret/trial-nats").iterdir()}
    told = {**os.environ, **words, "NATS_SERVER_NAME": "trial", "NATS_STORE_DIR": str(store)}
    ports = ["--addr", "127.0.0.1", "--port", str(of.port("nats")), "--http_port", str(of.port("nats_monitor"))]
    of.start("nats", [nats.binary(), "--config", str(of.folder / "configmap/trial-nats/nats.conf"), *ports], told)


def _serves(port: int) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _WITHIN_S
    while not done():
        if time.monotonic() > give_up:
            raise TimeoutError
        time.sleep(0.2)
