"""The forge runs what the Makefile says, with actions that nobody can change under us, and may do no more."""

import re
from typing import Any

import pytest
import yaml

from tests.contract import rooms

WORKFLOWS = sorted((rooms.ROOT / ".github" / "workflows").glob("*.yml"))
USES = re.compile(r"uses:\s*(\S+)(.*)")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
VERSION = re.compile(r" # v\d+(\.\d+)*")
MAKE = re.compile(r"(?m)^\s*make ([a-z-]+)")
MAKEFILES = [rooms.ROOT / "Makefile", *(rooms.ROOT / "deploy").rglob("*.mk")]
TARGETS = {verb for path in MAKEFILES for verb in re.findall(r"(?m)^([a-z-]+):", path.read_text())}


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].items()]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit(path):
    for action, comment in USES.findall(path.read_text()):
        assert PINNED.fullmatch(action), action
        assert VERSION.fullmatch(comment), f"{action} should say its version in a comment"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_may_be_done_that_no_job_asks_for(path):
    assert yaml.safe_load(path.read_text())["permissions"] == {}


@pytest.mark.parametrize(("name", "job"), jobs())
def test_a_job_reads_and_only_the_one_that_publishes_writes(name, job):
    expected = {"contents": "read"} | ({"packages": "write"} if name == "images" else {})
    assert job["permissions"] == expected
    assert job["timeout-minutes"]


def test_what_every_change_must_pass_is_run_before_anything_is_published():
    there = dict(jobs())
    verbs = {name: MAKE.findall("\n".join(step.get("run", "") for step in job["steps"])) for name, job in there.items()}
    assert {verb for named in verbs.values() for verb in named} <= TARGETS
    for verb in ("check", "test", "tools-test"):
        (name,) = [name for name, named in verbs.items() if verb in named]
        assert name in there["images"]["needs"]
