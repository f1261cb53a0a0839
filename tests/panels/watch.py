"""A Prometheus that looks at a house every second, and what it answers to the questions of a panel."""

import contextlib
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from services.cli import house
from tests import ports
from tests.contract import rooms

RULES = rooms.ROOT / "deploy/observability/rules"
STEP_S = 4
_RATE, _PATIENCE_S = "20s", 60


class Watch:
    """Where it is, and since when (seconds of the epoch) it has looked."""

    def __init__(self, address: str) -> None:
        self.address, self.since = address, time.time()

    def lines(self, query: str) -> list[dict[str, Any]]:
        """Every line that the question has drawn until now: its `metric`, and its `values` in time."""
        now = time.time()
        told = {"query": self._meant(query), "start": self.since, "end": now, "step": STEP_S}
        return self._asked("query_range", told)

    def number(self, query: str) -> list[dict[str, Any]]:
        """What the question is answered now: `metric` and `value`."""
        return self._asked("query", {"query": self._meant(query)})

    def _meant(self, query: str) -> str:
        """The question with the variables of Grafana filled in."""
        span = f"{max(1, round(time.time() - self.since))}s"
        return query.replace("$__rate_interval", _RATE).replace("$__range", span).replace("$service", ".*")

    def _asked(self, verb: str, told: dict[str, Any]) -> list[dict[str, Any]]:
        url = f"http://{self.address}/api/v1/{verb}?{urllib.parse.urlencode(told)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found


@contextlib.contextmanager
def looking(program: str, of: house.House, folder: Path) -> Iterator[Watch]:
    """One that looks at each service of the house, as the configuration of docker-compose.yml would."""
    address = f"127.0.0.1:{ports.free()}"
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump(_config(of)))
    told = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(told, stdout=log, stderr=log) as running:
        try:
            _await_ready(address)
            yield Watch(address)
        finally:
            running.terminate()


def _config(of: house.House) -> dict[str, Any]:
    targets = [
        {"targets": [of.address(f"{service}_metrics")], "labels": {"service": service}} for service in house.SERVICES
    ]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
        "rule_files": [f"{RULES}/*.yaml"],
        "scrape_configs": [{"job_name": "rushes", "static_configs": targets}],
    }


def _await_ready(address: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/-/ready", timeout=1):
            return
        time.sleep(0.2)
    raise TimeoutError("Prometheus does not get ready: see its log.")
