from pathlib import Path

import pydantic
import pytest

from libs import settings


class Example(settings.Settings):
    listen: settings.HostPort
    api_key: pydantic.SecretStr
    workers: int = 2
    regions: tuple[str, ...] = ()
    endpoint: str | None = None


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHES_LISTEN", "127.0.0.1:7000")
    monkeypatch.setenv("RUSHES_API_KEY", "hush")


def test_reads_the_environment_and_ignores_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHES_REGIONS", '["eu", "us"]')
    monkeypatch.setenv("RUSHES_OTHER_SERVICE", "1")
    found = settings.load(Example)
    assert (found.listen, found.workers, found.regions) == ("127.0.0.1:7000", 2, ("eu", "us"))
    assert "hush" not in repr(found)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHES_ENDPOINT", "")
    assert settings.load(Example).endpoint is None


def test_settings_are_frozen() -> None:
    with pytest.raises(pydantic.ValidationError):
        settings.load(Example).workers = 3  # type: ignore[misc]


def test_a_secret_comes_from_a_file_without_its_line_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.delenv("RUSHES_API_KEY")
    monkeypatch.setenv("RUSHES_API_KEY_FILE", str(tmp_path / "key"))
    assert settings.load(Example).api_key.get_secret_value() == "from-a-file"


def test_every_fault_is_told_at_once_and_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    monkeypatch.delenv("RUSHES_LISTEN")
    monkeypatch.delenv("RUSHES_API_KEY")
    monkeypatch.setenv("RUSHES_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("RUSHES_WORKERS", "canary")
    monkeypatch.setenv("RUSHES_REGIONS", "canary")
    monkeypatch.setenv("RUSHES_ENDPOINT_FILE", str(tmp_path / "canary"))
    with pytest.raises(SystemExit) as stopped:
        settings.load(Example)
    told = capsys.readouterr().err
    assert stopped.value.code == 2
    assert sorted(told.splitlines()) == [
        "RUSHES_API_KEY: cannot be read from the file that _FILE names: it is not UTF-8 text",
        "RUSHES_ENDPOINT: cannot be read from the file that _FILE names: No such file or directory",
        "RUSHES_LISTEN: is not set, and has no default",
        "RUSHES_REGIONS: should be JSON",
        "RUSHES_WORKERS: Input should be a valid integer, unable to parse string as an integer",
    ]


def test_a_value_set_twice_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RUSHES_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(SystemExit):
        settings.load(Example)
    assert "RUSHES_API_KEY: is set twice" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["localhost:7000", "[::1]:0", "0.0.0.0:65535", "job.rushes.svc:7000"])
def test_addresses_that_are_right(address: str) -> None:
    assert Example(listen=address).listen == address


@pytest.mark.parametrize("address", ["", "7000", ":7000", "localhost", "localhost:65536", "::1:7000", "http://a:1"])
def test_addresses_that_are_wrong(address: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="should be host:port"):
        Example(listen=address)
