import logging
from pathlib import Path

import prometheus_client
import pydantic
import pytest

from libs import settings, values


class Example(settings.Settings):
    listen: values.HostPort
    api_key: pydantic.SecretStr
    workers: int = 2
    regions: tuple[str, ...] = ()
    endpoint: str | None = None


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHES_LISTEN", "127.0.0.1:7000")
    monkeypatch.setenv("RUSHES_API_KEY", "hush")


def complaints(capsys: pytest.CaptureFixture[str], cls: type[settings.Settings] = Example) -> list[str]:
    """What is wrong, as a process would say it."""
    with pytest.raises(SystemExit) as stopped:
        settings.load(cls)
    assert stopped.value.code == 78
    return sorted(capsys.readouterr().err.splitlines())


def test_reads_the_environment_and_lets_the_rest_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHES_REGIONS", '["eu", "us"]')
    monkeypatch.setenv("RUSHES_NATS_URL", "what another process of the house is told")
    monkeypatch.setenv("RUSHES_WRITER_KEY_FILE", "/of/another/process")
    found = settings.load(Example)
    assert (found.listen, found.workers, found.regions) == ("127.0.0.1:7000", 2, ("eu", "us"))
    assert "hush" not in repr(found)


def test_a_variable_that_nobody_knows_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUSHES_WORKRES", "canary")
    monkeypatch.setenv("RUSHES_DATABASE_UL_FILE", "canary")
    monkeypatch.setenv("RUSHES_XYZZY", "canary")
    assert complaints(capsys) == [
        "RUSHES_DATABASE_UL_FILE: is no variable of ours; did you mean RUSHES_DATABASE_URL_FILE?",
        "RUSHES_WORKRES: is no variable of ours; did you mean RUSHES_WORKERS?",
        "RUSHES_XYZZY: is no variable of ours",
    ]


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


def test_a_folder_of_secrets_tells_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("from-a-folder\n")
    (tmp_path / "regions").write_text('["eu"]')
    monkeypatch.delenv("RUSHES_API_KEY")
    monkeypatch.setenv("RUSHES_SECRETS_DIR", str(tmp_path))
    told = settings.load(Example)
    assert (told.api_key.get_secret_value(), told.regions) == ("from-a-folder", ("eu",))


def test_a_file_of_that_folder_that_nobody_knows_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("..data", "database_url", "worker"):
        (tmp_path / name).write_text("canary")
    monkeypatch.setenv("RUSHES_SECRETS_DIR", str(tmp_path))
    (fault,) = complaints(capsys)
    assert fault == "RUSHES_WORKER: is no variable of ours; did you mean RUSHES_WORKERS? (a file of RUSHES_SECRETS_DIR)"
    monkeypatch.setenv("RUSHES_SECRETS_DIR", str(tmp_path / "missing"))
    assert complaints(capsys) == ["RUSHES_SECRETS_DIR: Path does not point to a directory"]


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
    monkeypatch.setenv("RUSHES_CANARY", "canary")
    assert complaints(capsys) == [
        "RUSHES_API_KEY: cannot be read from the file that _FILE names: it is not UTF-8 text",
        "RUSHES_CANARY: is no variable of ours",
        "RUSHES_ENDPOINT: cannot be read from the file that _FILE names: No such file or directory",
        "RUSHES_LISTEN: is not set, and has no default",
        "RUSHES_REGIONS: should be JSON",
        "RUSHES_WORKERS: Input should be a valid integer, unable to parse string as an integer",
    ]


@pytest.mark.parametrize("ways", [("", "_FILE"), ("", "dir"), ("_FILE", "dir"), ("", "_FILE", "dir")])
def test_a_value_told_in_two_ways_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, ways: tuple[str, ...]
) -> None:
    (tmp_path / "api_key").write_text("secret")
    told = {"": "secret", "_FILE": str(tmp_path / "api_key")}
    monkeypatch.delenv("RUSHES_API_KEY")
    for way in ways:
        name, value = ("SECRETS_DIR", str(tmp_path)) if way == "dir" else (f"API_KEY{way}", told[way])
        monkeypatch.setenv(f"RUSHES_{name}", value)
    (fault,) = complaints(capsys)
    assert fault.startswith("RUSHES_API_KEY: is set twice")


class Addresses(settings.Settings):
    database_url: values.DatabaseUrl = "postgresql+asyncpg://job:hush@db/job"
    nats_url: values.NatsUrl = "tls://job:hu/sh@bus:4222"
    blobs_url: values.BlobsUrl | None = "s3://key:hush@s3.example/bucket?secret=hush&region=eu"
    webhook_keys: tuple[pydantic.SecretStr, ...] = (pydantic.SecretStr("hush"),)
    writer_key: pydantic.SecretStr | None = pydantic.SecretStr("hush")


def test_what_is_shown_logged_and_represented_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("RUSHES_API_KEY")
    monkeypatch.setenv("RUSHES_WRITER_KEY", "hush, hush")
    told = settings.load(Addresses)
    with caplog.at_level(logging.INFO):
        settings.announce(told)
    (line,) = caplog.records
    assert vars(line)["told"] == {"writer_key": "***"}
    seen = settings.shown(told)
    assert seen["database_url"] == "postgresql+asyncpg://***@db/job"
    assert seen["nats_url"] == "tls://***@bus:4222"
    assert seen["blobs_url"] == "s3://***@s3.example/bucket?***"
    everything = f"{seen} {told!r} {told} {vars(line)}"
    assert not [secret for secret in ("hush", "hu/sh") if secret in everything]


def test_replicas_that_are_told_the_same_have_the_same_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed() -> float | None:
        settings.announce(settings.load(Example))
        return prometheus_client.REGISTRY.get_sample_value("rushes_config_hash")

    before = hashed()
    assert hashed() == before
    monkeypatch.setenv("RUSHES_API_KEY", "another secret")
    assert hashed() == before, "a secret is not to be guessed from it"
    monkeypatch.setenv("RUSHES_WORKERS", "3")
    assert hashed() != before


@pytest.mark.parametrize("address", ["localhost:7000", "[::1]:0", "0.0.0.0:65535", "job.rushes.svc:7000"])
def test_addresses_that_are_right(address: str) -> None:
    assert Example(listen=address).listen == address


@pytest.mark.parametrize("address", ["", "7000", ":7000", "localhost", "localhost:65536", "::1:7000", "http://a:1"])
def test_addresses_that_are_wrong(address: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="should be host:port"):
        Example(listen=address)


class Places(settings.Settings):
    job_address: values.Target = "dns:///job-headless.rushes.svc.cluster.local.:50051"
    database_url: values.DatabaseUrl = "postgresql+asyncpg://db/job"
    nats_url: values.NatsUrl = "nats://bus"
    blobs_url: values.BlobsUrl = "file:///srv/media"
    auth_jwks_url: values.KeysUrl = "https://issuer.example/keys"


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("job_address", "dns:///job", "should be host:port"),
        ("database_url", "postgres://db/job", r"should begin with postgresql\+asyncpg://"),
        ("nats_url", "http://bus", "should begin with nats:// or tls://"),
        ("blobs_url", "https://bucket", "should be file:///folder or s3://"),
        ("blobs_url", "s3://host", "should be file:///folder or s3://"),
        ("auth_jwks_url", "http://issuer.example", "should begin with https:// or file://"),
    ],
)
def test_an_address_of_the_wrong_kind_is_refused(field: str, value: str, fault: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=fault):
        Places(**{field: value})
