"""Asks the gateway about credentials; reads keys from where no process list and no shell history shows them."""

import asyncio
import dataclasses
import getpass
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rich.console
from google.protobuf import field_mask_pb2, json_format, message, timestamp_pb2

from rushes.provider_gateway.v1 import credential_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from services.cli import client, exits, house, state

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
        answer = _ask(home, "ListCredentials", request)
        found += answer.credentials
        token = answer.next_page_token
        if not token:
            return found


def get(home: Path, credential_id: str) -> credential_pb2.Credential:
    """One credential."""
    return _credential(home, "Get", gateway_pb2.GetCredentialRequest(credential_id=credential_id))


def add(home: Path, wanted: Wanted, key: str, webhook_secret: str) -> credential_pb2.Credential:
    """Install a key."""
    request = gateway_pb2.CreateCredentialRequest(
        request_id=str(uuid.uuid4()), key=key, webhook_secret=webhook_secret, **dataclasses.asdict(wanted)
    )
    return _credential(home, "Create", request)


def rotate(home: Path, credential_id: str, key: str, webhook_secret: str) -> credential_pb2.Credential:
    """Replace a key."""
    request = gateway_pb2.RotateCredentialRequest(credential_id=credential_id, key=key, webhook_secret=webhook_secret)
    return _credential(home, "Rotate", request)


def verify(home: Path, credential_id: str) -> credential_pb2.Credential:
    """Have the provider asked."""
    return _credential(home, "Verify", gateway_pb2.VerifyCredentialRequest(credential_id=credential_id))


def switch(home: Path, credential_id: str, on: bool) -> credential_pb2.Credential:
    """Enable or disable."""
    known = credential_pb2.Credential
    wanted = known(id=credential_id, state=known.STATE_ENABLED if on else known.STATE_DISABLED)
    mask = field_mask_pb2.FieldMask(paths=["state"])
    return _credential(home, "Update", gateway_pb2.UpdateCredentialRequest(credential=wanted, update_mask=mask))


def delete(home: Path, credential_id: str) -> None:
    """Destroy a key."""
    _ask(home, "DeleteCredential", gateway_pb2.DeleteCredentialRequest(credential_id=credential_id))


def judge(of: credential_pb2.Credential) -> None:
    """Raises Ended with PROVIDER when the provider refuses the key."""
    if of.refusal:
        remedy = f"`rushes credentials rotate {of.id}` replaces it"
        raise exits.Ended(f"The key is refused: {of.refusal} {remedy}.", exits.Code.PROVIDER)


def show(found: Sequence[credential_pb2.Credential], as_json: bool, out: rich.console.Console) -> None:
    """Print credentials: a line for each, which no terminal cuts, or one JSON document."""
    if as_json:
        shown = [json_format.MessageToDict(one, preserving_proto_field_name=True) for one in found]
        out.print_json(json.dumps({"credentials": shown}))
        return
    for one in found:
        named = credential_pb2.Credential.State.Name(one.state).removeprefix("STATE_").lower()
        key = f"key …{one.key_hint} version {one.key_version}"
        verified = f"verified {_minute(one.verify_time) if one.HasField('verify_time') else 'never'}"
        used = f"used {_minute(one.use_time) if one.HasField('use_time') else 'never'}"
        refused = [f"refused: {one.refusal}"] if one.refusal else []
        out.print(" · ".join([one.id, one.endpoint, one.name, named, key, verified, used, *refused]), markup=False)


def _minute(time: timestamp_pb2.Timestamp) -> str:
    return time.ToDatetime().isoformat(" ", "minutes")


def _credential(home: Path, verb: str, request: message.Message) -> credential_pb2.Credential:
    found: credential_pb2.Credential = _ask(home, f"{verb}Credential", request).credential
    return found


def _ask(home: Path, verb: str, request: message.Message) -> Any:
    """One call to the gateway of the house that runs: none is started, for it would buy what waits there."""
    if state.read(home) is None:
        raise exits.Ended(f"No house runs in {home}; `rushes up` starts it.", exits.Code.NOT_FOUND)

    async def ask() -> Any:
        async with client.connect(house.load(home)) as services:
            return await services.call(getattr(services.gateway, verb), request)

    return asyncio.run(ask())
