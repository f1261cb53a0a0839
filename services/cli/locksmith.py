"""Asks the gateway about credentials; reads keys from where no process list and no shell history shows them."""

import dataclasses
import getpass
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import rich.console
from google.protobuf import field_mask_pb2, timestamp_pb2

from rushes.provider_gateway.v1 import credential_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from services.cli import exits, gateway

_MOST_BYTES = 1 << 16
_PAGE = 200


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A credential to be installed, without its key."""

    endpoint: str
    name: str
    base_url: str
    settings: Mapping[str, str]
    per_minute: int
    most_at_once: int


def settings(words: Sequence[str]) -> Mapping[str, str]:
    """What `name=value` words say. Raises Ended with USAGE."""
    parts = [word.partition("=") for word in words]
    for (name, equals, value), word in zip(parts, words, strict=True):
        if not (name and equals and value):
            raise exits.Ended(f"--setting {word}: write a name and a value, such as project=film.", exits.Code.USAGE)
    return {name: value for name, _, value in parts}


def read_key(file: Path | None) -> str:
    """The key from the file; or from a hidden prompt, or stdin when no person is there. Raises Ended with USAGE."""
    if file:
        key = read_file(file)
    else:
        key = getpass.getpass("Key: ").strip() if sys.stdin.isatty() else sys.stdin.read(_MOST_BYTES).strip()
    if not key:
        raise exits.Ended("There is no key: type it, pipe it in, or name its file with --key-file.", exits.Code.USAGE)
    return key


def read_file(file: Path | None) -> str:
    """What the file holds, without the line break at its end; empty without a file. Raises Ended with USAGE."""
    if file is None:
        return ""
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(_MOST_BYTES).strip()
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8 text"
        raise exits.Ended(f"{file} cannot be read: {why}.", exits.Code.USAGE) from None


def every(home: Path, endpoint: str) -> list[credential_pb2.Credential]:
    """All credentials, newest first; of one endpoint, when it is named."""
    found, token = list[credential_pb2.Credential](), ""
    while True:
        request = gateway_pb2.ListCredentialsRequest(page_size=_PAGE, page_token=token, endpoint=endpoint)
        answer = gateway.ask(home, gateway_pb2.ListCredentialsResponse, request)
        found += answer.credentials
        token = answer.next_page_token
        if not token:
            return found


def get(home: Path, credential_id: str) -> credential_pb2.Credential:
    """One credential."""
    request = gateway_pb2.GetCredentialRequest(credential_id=credential_id)
    return gateway.ask(home, gateway_pb2.GetCredentialResponse, request).credential


def add(home: Path, wanted: Wanted, key: str, webhook_secret: str) -> credential_pb2.Credential:
    """Install a key."""
    request = gateway_pb2.CreateCredentialRequest(
        request_id=str(uuid.uuid4()), key=key, webhook_secret=webhook_secret, **dataclasses.asdict(wanted)
    )
    return gateway.ask(home, gateway_pb2.CreateCredentialResponse, request).credential


def rotate(home: Path, credential_id: str, key: str, webhook_secret: str) -> credential_pb2.Credential:
    """Replace a key."""
    request = gateway_pb2.RotateCredentialRequest(credential_id=credential_id, key=key, webhook_secret=webhook_secret)
    return gateway.ask(home, gateway_pb2.RotateCredentialResponse, request).credential


def verify(home: Path, credential_id: str) -> credential_pb2.Credential:
    """Have the provider asked."""
    request = gateway_pb2.VerifyCredentialRequest(credential_id=credential_id)
    return gateway.ask(home, gateway_pb2.VerifyCredentialResponse, request).credential


def switch(home: Path, credential_id: str, on: bool) -> credential_pb2.Credential:
    """Enable or disable."""
    known = credential_pb2.Credential
    wanted = known(id=credential_id, state=known.STATE_ENABLED if on else known.STATE_DISABLED)
    mask = field_mask_pb2.FieldMask(paths=["state"])
    request = gateway_pb2.UpdateCredentialRequest(credential=wanted, update_mask=mask)
    return gateway.ask(home, gateway_pb2.UpdateCredentialResponse, request).credential


def agree(question: str, out: rich.console.Console) -> None:
    """Get a person's yes. Raises Ended with USAGE."""
    if not sys.stdin.isatty():
        raise exits.Ended("Nobody can be asked here: give --yes.", exits.Code.USAGE)
    out.print(question, markup=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise exits.Ended("Nothing was changed.", exits.Code.USAGE)


def delete(home: Path, credential_id: str) -> None:
    """Destroy a key."""
    request = gateway_pb2.DeleteCredentialRequest(credential_id=credential_id)
    gateway.ask(home, gateway_pb2.DeleteCredentialResponse, request)


def judge(of: credential_pb2.Credential) -> None:
    """Raises Ended with PROVIDER when the provider refuses the key."""
    if of.refusal:
        remedy = f"`rushes credentials rotate {of.id}` replaces it; other settings need another credential"
        raise exits.Ended(f"The key is refused: {of.refusal} {remedy}.", exits.Code.PROVIDER)


def show(found: Sequence[credential_pb2.Credential], as_json: bool, out: rich.console.Console) -> None:
    """Print credentials: a line for each, which no terminal cuts, or one JSON document."""
    listed = gateway_pb2.ListCredentialsResponse(credentials=found)
    gateway.show(listed, lambda answer: map(_line, answer.credentials), as_json, out)


def _line(of: credential_pb2.Credential) -> str:
    named = credential_pb2.Credential.State.Name(of.state).removeprefix("STATE_").lower()
    key = f"key …{of.key_hint} version {of.key_version}"
    verified = f"verified {_minute(of.verify_time) if of.HasField('verify_time') else 'never'}"
    used = f"used {_minute(of.use_time) if of.HasField('use_time') else 'never'}"
    return " · ".join([of.id, of.endpoint, of.name, named, key, verified, used, *_more(of)])


def _more(of: credential_pb2.Credential) -> Iterator[str]:
    """What only some have."""
    if of.base_url:
        yield of.base_url
    yield from (f"{name}={value}" for name, value in sorted(of.settings.items()))
    if of.per_minute:
        yield f"{of.per_minute} a minute at most"
    if of.most_at_once:
        yield f"{of.most_at_once} at once at most"
    if of.refusal:
        yield f"refused: {of.refusal}"


def _minute(time: timestamp_pb2.Timestamp) -> str:
    return time.ToDatetime().isoformat(" ", "minutes")
