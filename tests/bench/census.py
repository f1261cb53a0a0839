"""Counts what each process of a house has used, its children included."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import psutil


@dataclasses.dataclass(frozen=True)
class Use:
    """CPU seconds since the process began, and bytes of memory now."""

    cpu_s: float
    rss_bytes: int


def take(processes: Sequence[Mapping[str, Any]]) -> dict[str, Use]:
    """What each supervised process has used so far."""
    return {one["name"]: _use(one["pid"]) for one in processes if one["pid"]}


def _use(pid: int) -> Use:
    parent = psutil.Process(pid)
    times = parent.cpu_times()
    # Children that have ended count through their parent; those alive count themselves.
    cpu_s, rss = times.user + times.system + times.children_user + times.children_system, parent.memory_info().rss
    for child in parent.children(recursive=True):
        used = child.cpu_times()
        cpu_s, rss = cpu_s + used.user + used.system, rss + _own_memory(child)
    return Use(cpu_s, rss)


def _own_memory(process: psutil.Process) -> int:
    # PostgreSQL's backends share their buffers: counting them once each would be many times too much.
    return int(process.memory_full_info().uss)
