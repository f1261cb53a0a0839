"""Reads a service's settings from the environment, and is the only room that does."""

import difflib
import hashlib
import logging
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import prometheus_client
import pydantic
import pydantic_settings
from pydantic.fields import FieldInfo

from libs import redaction, values

log = logging.getLogger(__name__)

PREFIX = "RUSHES_"
NAMES = Path(__file__).parent.parent / "services" / "variables.txt"
"""Every variable that any process of the house knows, one a line; `make config` writes it."""

HOUSE_ISSUER = "rushes-local"
"""The issuer of the tokens that `rushes up` makes for the person at the machine."""

EX_CONFIG = 78
"""The exit code of a process that was told something wrong (sysexits.h)."""

_HASH = prometheus_client.Gauge(
    "rushes_config_hash", "The first 48 bits of a hash of all settings, secrets aside: replicas should agree."
)


class _Fault(str):
    """Stands where a value could not be read, so that it is reported together with every other fault."""


class _Environment(pydantic_settings.EnvSettingsSource):
    """`RUSHES_X`, or the stripped contents of the file that `RUSHES_X_FILE` names, or of `x` in the secrets' folder."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text of one field; a `_Fault` when its file cannot be read, or it is told in two ways."""
        value, key, is_complex = super().get_field_value(field, field_name)
        told = [value] if value is not None else []
        if file := os.environ.get(f"{variable(field_name)}_FILE"):
            told.append(_contents(Path(file), "the file that _FILE names"))
        if (folder := os.environ.get(variable("secrets_dir"))) and (path := Path(folder, field_name)).exists():
            told.append(_contents(path, "the folder of secrets"))
        if len(told) > 1:
            return _Fault("is set twice, here, by _FILE or in the folder of secrets; keep one"), key, False
        found = told[0] if told else None
        return found, key, is_complex and not isinstance(found, _Fault)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The JSON of a list or a mapping; other text is passed on, to be refused with the other faults."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return _Fault("should be JSON") if isinstance(value, str) else value


def _contents(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return _Fault(f"cannot be read from {where}: {why}")


def variable(field: str) -> str:
    """The variable of the environment that tells this field."""
    return f"{PREFIX}{field.upper()}"


class Settings(pydantic_settings.BaseSettings):
    """Inherit from this, one field per variable: `listen: values.HostPort` is read from `RUSHES_LISTEN`.

    Frozen. An empty variable counts as unset. Any field may come from a file, the way secrets are mounted:
    `RUSHES_DATABASE_URL_FILE=/run/secrets/database_url`. The text below a field is what docs/config.md says of it.
    """

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        env_ignore_empty=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    secrets_dir: pydantic.DirectoryPath | None = None
    """A folder of files named as variables are, in small letters and without RUSHES_: a way to mount many secrets."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """For `repr`: what a person may see."""
        yield from shown(self).items()

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

    environment: Literal["development", "production"] = "development"
    """`production` refuses what is for trying out: docs/config.md lists it."""
    listen: values.HostPort
    """host:port where it serves."""
    metrics_listen: values.HostPort
    """host:port where /metrics is served."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otlp_endpoint: values.WebUrl | None = None
    """http://host:4317 where traces are sent over OTLP gRPC; unset sends none."""
    revision: str = ""
    """The commit that is running, for metrics and traces; images are built with it."""
    tls_cert: str | None = None
    """PEM of the certificate it shows to services and callers, usually RUSHES_TLS_CERT_FILE; unset encrypts nothing."""
    tls_key: pydantic.SecretStr | None = None
    """PEM of that certificate's key, usually RUSHES_TLS_KEY_FILE."""
    tls_ca: str | None = None
    """PEM of the authority that signs the certificates of all services and callers, usually RUSHES_TLS_CA_FILE."""

    @pydantic.model_validator(mode="after")
    def tls_is_whole(self) -> "Process":
        """Half of it would be taken for all of it."""
        if len({self.tls_cert is None, self.tls_key is None, self.tls_ca is None}) > 1:
            raise ValueError("RUSHES_TLS_CERT, RUSHES_TLS_KEY and RUSHES_TLS_CA should be set together")
        return self

    @pydantic.field_validator("metrics_listen")
    @classmethod
    def _has_a_port_of_its_own(cls, address: str, info: pydantic.ValidationInfo) -> str:
        if address == info.data.get("listen") and not address.endswith(":0"):
            raise ValueError("should be another address than RUSHES_LISTEN")
        return address


class Service(Process):
    """What every gRPC service is told."""

    database_url: values.DatabaseUrl
    """postgresql+asyncpg://user:password@host/database: a database of this service alone, as a role that owns nothing
    in it."""
    auth_jwks_url: values.KeysUrl
    """https:// (or file://) address of the issuer's public keys."""
    auth_issuer: str
    """The `iss` every token must carry."""
    auth_audience: str = "rushes"
    """The `aud` every token must carry; or `<it>-<service>`, such as `rushes-job`, for a token of one service alone."""
    auth_tenant_claim: str = "tenant"
    """The claim that names the tenant; some issuers only take names that are URLs."""
    auth_roles_claim: str = "roles"
    """The claim that lists the roles."""
    tokens_address: str | None = None
    """host:port of the storyboard service, which knows API tokens; unset knows none."""
    limit_generate: int = pydantic.Field(10, ge=0)
    """How many calls that order from providers each caller may make in a minute; 0 counts none."""
    limit_compile: int = pydantic.Field(5, ge=0)
    """How many calls that cut films each caller may make in a minute; 0 counts none."""
    limit_session: int = pydantic.Field(20, ge=0)
    """How many calls that let somebody in each caller may make in a minute; 0 counts none."""
    health_listen: values.HostPort | None = None
    """Where health alone is served without encryption, for probes that know no TLS; unset serves it with the rest."""
    reflection: bool = True
    """Whether grpcurl can list the services."""
    drain_s: float = pydantic.Field(3.0, ge=0, le=60)
    """For how long it still answers after it has said that it goes, in seconds: who balances needs time to notice."""

    @pydantic.field_validator("auth_jwks_url")
    @classmethod
    def _are_an_issuers(cls, address: str, info: pydantic.ValidationInfo) -> str:
        if values.in_production(info) and address.startswith("file:"):
            raise ValueError("should be the https:// address of an issuer that can change its keys, in production")
        return address

    @pydantic.field_validator("auth_issuer")
    @classmethod
    def _is_not_the_houses(cls, issuer: str, info: pydantic.ValidationInfo) -> str:
        if values.in_production(info) and issuer == HOUSE_ISSUER:
            raise ValueError("should be an issuer of yours in production: that one is of `rushes up`")
        return issuer

    @property
    def limits(self) -> dict[str, int]:
        """Calls in a minute, by the name that the contract gives to the limit."""
        return {"generate": self.limit_generate, "compile": self.limit_compile, "session": self.limit_session}


S = TypeVar("S", bound=Settings)


def load(cls: type[S]) -> S:
    """The settings the environment holds; else every fault on stderr, values hidden, and exit code 78.

    Call it before anything else, so that a process that was told something wrong has touched nothing.
    """
    told, wrong = read(cls)
    if told is not None and not wrong:
        return told
    for fault in wrong:
        print(fault, file=sys.stderr)
    raise SystemExit(EX_CONFIG)


def read(cls: type[S]) -> tuple[S | None, list[str]]:
    """The settings the environment holds, None when there is a fault in them; and every fault, values hidden."""
    unknown = strangers(variable(name) for name in cls.model_fields)
    try:
        return cls(), unknown
    except pydantic.ValidationError as faults:
        found = faults.errors(include_url=False, include_context=False, include_input=False)
        return None, [*(_told(fault["loc"], fault["type"], fault["msg"]) for fault in found), *unknown]


def _told(place: tuple[int | str, ...], kind: str, message: str) -> str:
    wrong = "is not set, and has no default" if kind == "missing" else message.removeprefix("Value error, ")
    return f"{variable('.'.join(str(part) for part in place))}: {wrong}"


def strangers(own: Iterable[str] = ()) -> list[str]:
    """What is wrong with each `RUSHES_` variable that is neither one of these nor known to any process of the house.

    Processes of one house may share an environment, so what another one knows is no fault.
    """
    known = {*own, *NAMES.read_text(encoding="utf-8").split()}
    given = sorted(name for name in os.environ if name.startswith(PREFIX))
    unknown = [_unknown(name, known) for name in given if name.removesuffix("_FILE") not in known]
    mounted = [variable(path.name) for path in _mounted()]
    return [
        *unknown,
        *(f"{_unknown(name, known)} (a file of RUSHES_SECRETS_DIR)" for name in mounted if name not in known),
    ]


def _mounted() -> list[Path]:
    """The files of the folder of secrets; Kubernetes keeps the real ones behind names that begin with a dot."""
    folder = Path(os.environ.get(variable("secrets_dir")) or os.devnull)
    return sorted(path for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []


def _unknown(name: str, known: Collection[str]) -> str:
    bare = name.removesuffix("_FILE")
    nearest = difflib.get_close_matches(bare, sorted(known), n=1, cutoff=0.75)
    return f"{name}: is no variable of ours" + (f"; did you mean {nearest[0]}{name[len(bare) :]}?" if nearest else "")


def shown(told: Settings) -> dict[str, str]:
    """Each field as a person may see it."""
    return {name: redaction.shown(name, getattr(told, name)) for name in type(told).model_fields}


def announce(told: Settings) -> None:
    """Log what this process was told that is not as by default, and expose a hash of everything it goes by."""
    everything = shown(told)
    log.info("settings", extra={"told": {name: everything[name] for name in sorted(told.model_fields_set)}})
    _HASH.set(int(hashlib.sha256(repr(sorted(everything.items())).encode()).hexdigest()[:12], 16))
