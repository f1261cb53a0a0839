"""What is exported and what is asked for: every metric of the code, and every metric that rules and dashboards name."""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import prometheus_client
import yaml
from prometheus_client import registry

from tests.contract import rooms

HERE = rooms.ROOT / "deploy" / "observability"
RULES = sorted((HERE / "rules").glob("*.yaml"))
DASHBOARDS = sorted((HERE / "dashboards").glob("*.json"))
ALERTS = rooms.ROOT / "docs" / "alerts.md"

_OF_PROCESSES = {"process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
_OF_PROCESSES |= {"process_open_fds", "process_max_fds", "python_gc_collections_total", "up"}
_WORDS = re.compile(r"(?<!:)\b(?:rushes|grpc|process|python)_[a-z0-9_]+\b|\bup\b")
_LABELS = re.compile(r"\{[^}]*\}|\b(?:by|on|ignoring|without|group_left)\s*\([^)]*\)|\"[^\"]*\"")


def exported() -> dict[str, set[str]]:
    """The labels of each series that some process of ours exports, by its name: every room is imported for it."""
    for package in ("libs", "services"):
        for found in pkgutil.walk_packages([str(rooms.ROOT / package)], f"{package}."):
            if "migrations" not in found.name and not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    series: dict[str, set[str]] = {}
    for metric in _metrics(prometheus_client.REGISTRY):
        labels = set(metric._labelnames)
        for name in metric.describe():
            endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric._type, [""])
            series |= {
                f"{name.name}{ending}": labels | ({"le"} if ending == "_bucket" else set()) for ending in endings
            }
    return series | {name: set[str]() for name in _OF_PROCESSES}


def _metrics(of: registry.CollectorRegistry) -> Iterator[Any]:
    for collector in set(of._names_to_collectors.values()):
        if isinstance(collector, prometheus_client.metrics.MetricWrapperBase):
            yield collector


def rules() -> list[dict[str, Any]]:
    """Every rule, of every file."""
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for rule in rules() if "alert" in rule]


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """The queries of a dashboard."""
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard, by the name of its file."""
    return {path.stem: json.loads(path.read_text()) for path in DASHBOARDS}


def named(expression: str) -> set[str]:
    """The metrics that a query names."""
    return set(_WORDS.findall(_LABELS.sub("", expression)))


def matched(expression: str) -> dict[str, set[str]]:
    """For each metric that is named with labels in braces, those labels."""
    found: dict[str, set[str]] = {}
    for name, inside in re.findall(r"\b((?:rushes|grpc)_[a-z0-9_]+)\{([^}]*)\}", expression):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
    return found


def section(path: Path, heading: str) -> str:
    """What a document says beneath a heading of the third rank; empty without one."""
    return path.read_text().partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
