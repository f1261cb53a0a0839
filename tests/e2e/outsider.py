"""A team's own service, in whatever language: it knows addresses and a token, and asks reflection for the rest."""

import base64
import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from google.rpc import error_details_pb2

from services.cli import house

GRPC_SERVICES = {
    "storyboard": "rushes.storyboard.v1.StoryboardService",
    "provider_gateway": "rushes.provider_gateway.v1.ProviderGatewayService",
    "job": "rushes.job.v1.JobService",
    "compiler": "rushes.compiler.v1.CompilerService",
}
_BUF = str(Path(sys.executable).with_name("buf"))
_WITHIN_S = 60
_DETAILS = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)


@dataclasses.dataclass(frozen=True)
class Refusal(Exception):
    """What a service says when it says no, with the details by their names."""

    code: str
    message: str
    details: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Outsider:
    """`buf curl` with a token, or without; `folder` is for its cache."""

    of: house.House
    folder: Path
    token: str = dataclasses.field(repr=False)

    def services(self, service: str) -> Sequence[str]:
        """What reflection lists."""
        return self._curl(service, "", "--list-services").split()

    def call(self, service: str, method: str, /, **request: Any) -> dict[str, Any]:
        """The answer to one call. Raises Refusal."""
        (answer,) = self.stream(service, method, **request)
        return answer

    def stream(self, service: str, method: str, /, **request: Any) -> Sequence[dict[str, Any]]:
        """Every answer, up to the end of the stream. `method` is one of the service's own, or a full name."""
        path = method if "/" in method else f"{GRPC_SERVICES[service]}/{method}"
        text, found = self._curl(service, f"/{path}", "-d", json.dumps(request)).strip(), []
        while text:
            answer, end = json.JSONDecoder().raw_decode(text)
            found.append(answer)
            text = text[end:].lstrip()
        return found

    def _curl(self, service: str, path: str, *arguments: str) -> str:
        header = ("-H", f"authorization: Bearer {self.token}") if self.token else ()
        done = subprocess.run(
            [
                *(_BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", *header, *arguments),
                f"http://{self.of.address(service)}{path}",
            ],
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            env={"HOME": str(self.folder)},
            check=False,
        )
        if done.returncode:
            raise _refusal(json.loads(done.stderr))
        return done.stdout


def _refusal(said: dict[str, Any]) -> Refusal:
    return Refusal(said["code"], said["message"], {one["type"]: _detail(one) for one in said["details"]})


def _detail(packed: Mapping[str, str]) -> Message:
    (kind,) = (kind for kind in _DETAILS if kind.DESCRIPTOR.full_name == packed["type"])
    found: Message = kind.FromString(base64.b64decode(packed["value"] + "==="))
    return found
