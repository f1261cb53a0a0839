"""Reads a service's settings from the environment, and is the only room that does."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
import pydantic_settings
from pydantic.fields import FieldInfo

_PREFIX = "RUSHES_"
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


def _host_port(address: str) -> str:
    match = _HOST_PORT.fullmatch(address)
    if match is None or int(match[2]) > 65535:
        raise ValueError("should be host:port, such as 127.0.0.1:7000")
    return address


HostPort = Annotated[str, pydantic.AfterValidator(_host_port)]
"""The address a server listens on: `host:port`, an IPv6 host in brackets; port 0 asks for any free port."""


class _Fault(str):
    """Stands where a value could not be read, so that it is reported together with every other fault."""


class _Environment(pydantic_settings.EnvSettingsSource):
    """`RUSHES_X`, or the stripped contents of the file that `RUSHES_X_FILE` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text of one field; a `_Fault` when its file cannot be read, or both variables are set."""
        value, key, is_complex = super().get_field_value(field, field_name)
        path = os.environ.get(f"{_PREFIX}{field_name.upper()}_FILE")
        if not path:
            return value, key, is_complex
        if value is not None:
            return _Fault("is set twice, here and by _FILE; keep one of the two"), key, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), key, is_complex
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            return _Fault(f"cannot be read from the file that _FILE names: {why}"), key, False

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The JSON of a list or a mapping; other text is passed on, to be refused with the other faults."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return _Fault("should be JSON") if isinstance(value, str) else value


class Settings(pydantic_settings.BaseSettings):
    """Inherit from this, one field per variable: `listen: HostPort` is read from `RUSHES_LISTEN`.

    Frozen. An empty variable counts as unset. Any field may come from a file, the way secrets are mounted:
    `RUSHES_DATABASE_URL_FILE=/run/secrets/database_url`.
    """

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[pydantic_settings.BaseSettings],
        init_settings: pydantic_settings.PydanticBaseSettingsSource,
        env_settings: pydantic_settings.PydanticBaseSettingsSource,
        dotenv_settings: pydantic_settings.PydanticBaseSettingsSource,
        file_secret_settings: pydantic_settings.PydanticBaseSettingsSource,
    ) -> tuple[pydantic_settings.PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment; nothing else."""
        return init_settings, _Environment(settings_cls)

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _report(cls, value: Any) -> Any:
        if isinstance(value, _Fault):
            raise ValueError(str(value))
        return value


class Process(Settings):
    """What every process of the house is told."""

    listen: HostPort
    """Where it serves."""
    metrics_listen: HostPort
    """Where /metrics is served."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otlp_endpoint: str | None = None
    """Where traces are sent over OTLP gRPC; unset sends none."""


class Service(Process):
    """What every gRPC service is told."""

    database_url: str
    """postgresql+asyncpg://… of this service's own database, as its least-privileged role."""
    auth_jwks_url: str
    """file:// or https:// address of the issuer's public keys."""
    auth_issuer: str
    """The `iss` every token must carry."""
    auth_audience: str = "rushes"
    """The `aud` every token must carry."""
    reflection: bool = True
    """Whether grpcurl can list the services."""


S = TypeVar("S", bound=Settings)


def load(cls: type[S]) -> S:
    """The settings the environment holds; else every fault on stderr, values hidden, and exit code 2."""
    try:
        return cls()
    except pydantic.ValidationError as faults:
        for fault in faults.errors(include_url=False, include_context=False, include_input=False):
            variable = _PREFIX + ".".join(str(part) for part in fault["loc"]).upper()
            wrong = "is not set, and has no default" if fault["type"] == "missing" else fault["msg"]
            print(f"{variable}: {wrong.removeprefix('Value error, ')}", file=sys.stderr)
        raise SystemExit(2) from None
