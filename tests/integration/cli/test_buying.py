"""The verbs about models, providers and paid calls, while a house films: what they show, and what a person decides."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli import environment, exits

Run = Callable[..., tuple[int, str, str]]
Film = Callable[..., contextlib.AbstractContextManager[subprocess.Popen[bytes]]]
BOARD = """\
name: A Kite
model: sandbox/{model}
size: 640x360
scenes:
  - {{title: One, subject: "A kite {disaster}", duration: 1}}
"""


@pytest.fixture
def film(folder: Path, tmp_path: Path) -> Film:
    """`film("reel-1", "[[fails]]")` is that film, as it is being made."""

    @contextlib.contextmanager
    def make(model: str, disaster: str = "") -> Iterator[subprocess.Popen[bytes]]:
        (tmp_path / "board.yaml").write_text(BOARD.format(model=model, disaster=disaster))
        words = ("film", str(tmp_path / "board.yaml"), "-o", str(tmp_path / "film.mp4"), "--yes", "--max-cost", "1")
        with subprocess.Popen(
            (sys.executable, "-m", "services.cli", *words, "--home", str(folder)),
            env=environment.base(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    return make


def newest(run: Run) -> dict[str, Any]:
    """The paid call that was made last."""
    code, told, _ = run("submissions", "list", "--count", "1", "--json")
    assert code == 0
    return dict((json.loads(told).get("submissions") or [{}])[0])


def come_to(run: Run, state: str, but: str = "") -> str:
    """The id of the newest call once it has come there; `but` is an earlier one."""
    until = time.monotonic() + 60
    while (one := newest(run)).get("state") != f"STATE_{state}" or one["id"] == but:
        assert time.monotonic() < until, one
    return str(one["id"])


def test_a_call_is_listed_shown_and_followed_to_its_end(run: Run, film: Film) -> None:
    with film("reel-1") as made:
        assert made.wait(60) == 0
    name = newest(run)["id"]
    code, told, _ = run("submissions", "list", "--state", "stored")
    assert (code, f"{name} STORED; sandbox/reel-1; cost 0.10 in play money" in told) == (0, True)
    assert name not in run("submissions", "list", "--state", "unknown")[1]
    code, told, _ = run("submissions", "show", name)
    assert (code, "the provider calls it video_" in told, ", sha256 " in told) == (0, True, True)
    assert run("submissions", "watch", name)[:2] == (0, told.splitlines()[0] + "\n")
    assert json.loads(run("submissions", "cancel", name, "--json")[1])["submission"]["state"] == "STATE_STORED"
    assert run("submissions", "fetch", name)[0] == exits.Code.CONFLICT
    assert run("submissions", "reconcile", name)[0] == exits.Code.CONFLICT
    assert run("submissions", "settle", name, "--note", "bill", "--charged", "0")[0] == exits.Code.CONFLICT
    assert run("submissions", "show", "sub_nobody")[0] == exits.Code.NOT_FOUND
    code, _, why = run("submissions", "list", "--state", "lost")
    assert (code, "write one of " in why and "unknown" in why) == (exits.Code.USAGE, True)


def test_a_lost_answer_is_shown_and_named_by_a_person(run: Run, film: Film, folder: Path) -> None:
    with film("openrouter-reel", "[[drop_reply+webhook_none]]") as made:
        name = come_to(run, "UNKNOWN")
        assert "is not sent again on suspicion" in run("submissions", "show", name)[1]
        assert "1 with an unknown outcome, at most 0.10 in play money" in run("providers")[1]
        assert "1 with an unknown outcome" in run("balance")[1]
        assert json.loads(run("submissions", "reconcile", name, "--json")[1])["submission"]["id"] == name
        lines = map(json.loads, (folder / "sandbox" / "ledger.jsonl").read_text().splitlines())
        (job,) = (line["id"] for line in lines if line["event"] == "create" and line["client_ref"] == name)
        assert run("submissions", "reconcile", name, "--provider-job", job, "--note", "its dashboard")[0] == 0
        assert made.wait(60) == 0
    told = run("submissions", "show", name)[1]
    assert (f"{name} STORED" in told, f"person {job}" in told, "its dashboard" in told) == (True, True, True)


def test_a_lost_answer_is_settled_by_the_bill(run: Run, film: Film) -> None:
    with film("openrouter-reel", "[[drop_reply+webhook_none]]") as made:
        name = come_to(run, "UNKNOWN")
        assert run("submissions", "settle", name, "--note", "the bill")[0] == exits.Code.USAGE
        told = run("submissions", "settle", name, "--note", "the bill", "--charged", "0.07")[1]
        assert f"{name} PROVIDER_FAILED; sandbox/openrouter-reel; cost 0.07 in play money" in told
        assert made.wait(60) == exits.Code.UNCONFIRMED
    assert "0.07 in play money charged, 0.03 in play money given back" in run("ledger", "--submission", name)[1]


def test_a_call_is_cancelled_where_the_provider_lets_it(run: Run, film: Film) -> None:
    with film("reel-1", "[[never_done]]") as made:
        name = come_to(run, "ACCEPTED")
        assert "its cancel is asked for" in run("submissions", "cancel", name)[1]
        code, told, _ = run("submissions", "watch", name)
        assert (code, f"{name} PROVIDER_FAILED" in told.splitlines()[-1]) == (0, True)
        assert made.wait(60) == exits.Code.SCENES_FAILED


def test_a_clip_that_did_not_come_is_fetched_at_once(run: Run, film: Film) -> None:
    with film("reel-1", "[[url_gone(2)]]") as made:
        name = come_to(run, "PROVIDER_DONE")
        until, codes = time.monotonic() + 60, list[int]()
        while newest(run)["state"] != "STATE_STORED":
            assert time.monotonic() < until, codes
            codes.append(run("submissions", "fetch", name)[0])
        assert exits.Code.DONE in codes
        assert made.wait(60) == 0


def test_what_can_be_bought_and_where(run: Run) -> None:
    code, told, _ = run("models", "reel")
    assert (code, "sandbox/reel-1 (default): Sandbox Reel 1; 1 to 20 s; 640x360" in told) == (0, True)
    assert "0.10 in play money a second" in told
    assert "veo-1" not in told
    assert "no key for vllm-omni here" in run("models", "--all")[1]
    assert json.loads(run("models", "--endpoint", "sandbox-veo", "--json")[1])["models"][0]["id"] == "sandbox/veo-1"
    code, told, _ = run("providers")
    assert (code, "sandbox-fal (fal), endpoint:sandbox-fal: buying" in told) == (0, True)
    assert len(json.loads(run("providers", "--json")[1])["endpoints"]) > len(told.splitlines())
