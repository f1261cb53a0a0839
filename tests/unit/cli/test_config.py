import json
import os
import sys
from collections.abc import Callable

import pytest

from services.cli import __main__ as command
from services.cli import config_guide

Run = Callable[..., tuple[int, str, str]]
STUDIO = {
    "RUSHES_LISTEN": "0.0.0.0:8080",
    "RUSHES_METRICS_LISTEN": "0.0.0.0:9090",
    "RUSHES_BLOBS_URL": "s3://key:hush@s3.example/media",
    **{f"RUSHES_{name}_ADDRESS": f"{name.lower()}:50051" for name in ("STORYBOARD", "JOB", "PROVIDER_GATEWAY")},
    "RUSHES_COMPILER_ADDRESS": "dns:///compiler-headless.rushes.svc.cluster.local.:50051",
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The command in an environment without settings but the studio's."""

    def invoke(*words: str, **told: str) -> tuple[int, str, str]:
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["rushes", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return (int(ended.value.code or 0), *capfd.readouterr())

    for name in [name for name in os.environ if name.startswith("RUSHES_")]:
        monkeypatch.delenv(name)
    for name, value in {"no_proxy": "", "NO_PROXY": "", **STUDIO}.items():
        monkeypatch.setenv(name, value)
    return invoke


def test_an_environment_that_is_fine(run: Run) -> None:
    assert run("config", "check", "studio") == (0, "fine\n", "")


def test_every_fault_of_every_service_and_whose_it_is(run: Run) -> None:
    code, out, err = run("config", "check", RUSHES_BLOB_URL="hush")
    assert (code, err) == (78, f"{len(out.splitlines())} faults.\n")
    everybody = ", ".join(config_guide.SERVICES)
    assert f"RUSHES_BLOB_URL: is no variable of ours; did you mean RUSHES_BLOBS_URL? ({everybody})\n" in out
    assert "RUSHES_SANDBOX_HOME: is not set, and has no default (sandbox)\n" in out
    assert "hush" not in out


def test_what_a_service_makes_of_it_is_shown_without_secrets(run: Run) -> None:
    code, out, _ = run("config", "show", "studio")
    assert code == 0
    assert "* RUSHES_BLOBS_URL=s3://***@s3.example/media\n" in out
    assert "  RUSHES_LOG_LEVEL=INFO\n" in out
    assert "hush" not in out
    assert json.loads(run("config", "show", "studio", "--json")[1])["RUSHES_LOG_LEVEL"] == "INFO"


def test_a_service_that_there_is_not(run: Run) -> None:
    code, _, err = run("config", "show", "studios")
    assert code == 2
    assert "compiler" in err


def test_a_house_is_not_started_with_a_variable_that_nobody_knows(run: Run) -> None:
    code, _, err = run("up", RUSHES_SANDBOX_LATENCI="0")
    assert (code, err) == (
        78,
        "RUSHES_SANDBOX_LATENCI: is no variable of ours; did you mean RUSHES_SANDBOX_LATENCY?\n",
    )


def test_a_house_on_one_machine_is_not_for_production(run: Run) -> None:
    code, _, err = run("up", RUSHES_ENVIRONMENT="production")
    assert code == 78
    assert "docs/recipes" in err
