"""The verbs about keys against a house: installed from stdin, proven, replaced, switched off and destroyed."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from services.cli import exits

KEY = "sk-canary-0123456789abcdef"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run: Run) -> Run:
    def invoke(*words: str, stdin: str = "") -> tuple[int, str, str]:
        code, out, err = run("credentials", *words, stdin=stdin)
        assert "canary" not in out + err
        return code, out, err

    return invoke


def only(told: tuple[int, str, str]) -> dict[str, Any]:
    """The one credential that a verb has printed as JSON."""
    code, out, err = told
    assert (code, err) == (0, "")
    (found,) = json.loads(out)["credentials"]
    return dict(found)


def test_the_life_of_a_key(run: Run, tmp_path: Path) -> None:
    made = only(run("add", "sandbox-openai", "--per-minute", "9", "--json", stdin=f"{KEY}\n"))
    assert (made["name"], made["key_hint"], made["per_minute"]) == ("main", "cdef", 9)
    code, _, err = run("add", "sandbox-openai", stdin=KEY)
    assert (code, "choose another name" in err) == (exits.Code.CONFLICT, True)
    proven = only(run("verify", made["id"], "--json"))
    assert proven["verify_time"]
    assert proven["etag"] == made["etag"]
    (tmp_path / "new").write_text("another-canary-wxyz\n")
    rotated = only(run("rotate", made["id"], "--key-file", str(tmp_path / "new"), "--json"))
    assert (rotated["id"], rotated["key_version"], rotated["key_hint"]) == (made["id"], 2, "wxyz")
    assert only(run("disable", made["id"], "--json"))["state"] == "STATE_DISABLED"
    assert only(run("enable", made["id"], "--json"))["state"] == "STATE_ENABLED"
    assert only(run("show", made["id"], "--json"))["id"] == made["id"]
    assert made["id"] in run("list", "--endpoint", "sandbox-openai")[1]
    assert made["id"] not in run("list", "--endpoint", "gemini")[1]
    assert run("delete", made["id"], "--yes")[:2] == (0, f"The key of {made['id']} is destroyed.\n")
    assert run("show", made["id"])[0] == exits.Code.NOT_FOUND


class Provider(http.server.BaseHTTPRequestHandler):
    """Refuses every key at /401, and is away at /503; remembers what it was asked."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(int(self.path.split("/")[1]))

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of a provider that sells nothing."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    Provider.asked.clear()


def test_a_key_that_is_refused(run: Run, provider: str) -> None:
    made = only(run("add", "sandbox-openai", "--name", "refused", "--base-url", f"{provider}/401", "--json", stdin=KEY))
    code, out, err = run("verify", made["id"])
    assert (code, made["id"] in out) == (exits.Code.PROVIDER, True)
    assert f"rushes credentials rotate {made['id']}" in err
    assert run("delete", made["id"], "--yes")[0] == 0


def test_a_provider_that_is_away_is_asked_once(run: Run, provider: str) -> None:
    made = only(run("add", "sandbox-openai", "--name", "away", "--base-url", f"{provider}/503", "--json", stdin=KEY))
    code, _, err = run("verify", made["id"])
    assert (code, "cannot be asked about the key" in err) == (exits.Code.PROVIDER, True)
    assert len(Provider.asked) == 1
    assert run("delete", made["id"], "--yes")[0] == 0


def test_a_request_that_is_faulty_names_its_fields(run: Run) -> None:
    code, _, err = run("add", "sandbox-openai", "--name", "", "--base-url", "nowhere", stdin=KEY)
    assert code == exits.Code.USAGE
    assert "name: should be" in err
    assert "base_url: should be" in err
    code, _, err = run("add", "sandbox-veo", "--setting", "project=film", stdin=KEY)
    assert (code, "settings: should hold location, bucket" in err) == (exits.Code.USAGE, True)
    code, _, err = run("add", "nowhere", stdin=KEY)
    assert (code, "sandbox-openai" in err) == (exits.Code.NOT_FOUND, True)
