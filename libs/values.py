"""What a setting may be: the kinds of addresses, and what production refuses of them."""

import re
import urllib.parse
from typing import Annotated

import pydantic

_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_SIGNED_FOR_HTTP = re.compile(r"[?&]public=http(:|%3A)")


def _host_port(address: str) -> str:
    match = _HOST_PORT.fullmatch(address)
    if match is None or int(match[2]) > 65535:
        raise ValueError("should be host:port, such as 127.0.0.1:7000")
    return address


def _target(address: str) -> str:
    for one in address.removeprefix("ipv4:").split(",") if address.startswith("ipv4:") else [address]:
        _host_port(one.removeprefix("dns:///"))
    return address


def _begins(*schemes: str) -> pydantic.AfterValidator:
    def check(address: str) -> str:
        if not address.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"should begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return address

    return pydantic.AfterValidator(check)


def _is_a_store(address: str) -> str:
    parts = urllib.parse.urlsplit(address)
    is_folder = parts.scheme == "file" and parts.path not in ("", "/")
    if not is_folder and not (parts.scheme == "s3" and parts.hostname and parts.path.strip("/")):
        raise ValueError("should be file:///folder or s3://access:secret@host/bucket")
    return address


def in_production(info: pydantic.ValidationInfo) -> bool:
    """In the validator of a field: whether the process works with real money and for strangers."""
    return info.data.get("environment") == "production"


def _names_a_user(address: str, info: pydantic.ValidationInfo) -> str:
    if in_production(info) and "@" not in address:
        raise ValueError("should name a user, nats://user:password@host, in production")
    return address


def _is_signed_for_https(address: str, info: pydantic.ValidationInfo) -> str:
    if in_production(info) and _SIGNED_FOR_HTTP.search(address):
        raise ValueError("should have a `public` address of https:// in production")
    return address


HostPort = Annotated[str, pydantic.AfterValidator(_host_port)]
"""The address a server listens on: `host:port`, an IPv6 host in brackets; port 0 asks for any free port."""

Target = Annotated[str, pydantic.AfterValidator(_target)]
"""Where a gRPC service is: `host:port`, `dns:///name:port` for all addresses behind a name, or all of them by number:
`ipv4:10.0.0.7:7000,10.0.0.8:7000`."""

WebUrl = Annotated[str, _begins("https", "http")]
DatabaseUrl = Annotated[str, _begins("postgresql+asyncpg")]
NatsUrl = Annotated[str, _begins("nats", "tls"), pydantic.AfterValidator(_names_a_user)]
BlobsUrl = Annotated[str, pydantic.AfterValidator(_is_a_store), pydantic.AfterValidator(_is_signed_for_https)]
KeysUrl = Annotated[str, _begins("https", "file")]
