"""What all of the operator's pages have: how each service does, and for every answer the grpcurl line it stands for."""

import asyncio
import json
import shlex
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf import json_format, message
from starlette import requests

from rushes.ops.v1 import ops_service_pb2 as ops
from services.studio.pages import sections, site
from services.studio.rest import routes

PROCESSES = ("storyboard", "job", "provider_gateway", "compiler")
_VARIABLES = {"storyboard": "STORYBOARD", "job": "JOB", "provider_gateway": "GATEWAY", "compiler": "COMPILER"}
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Answer(NamedTuple):
    """What a service said, None when it is away; and the line with which a terminal asks the same."""

    told: Any
    line: str


async def asked(of: site.Site, request: requests.Request, call: str, what: message.Message) -> Answer:
    """The answer of a call. Raises AioRpcError."""
    return Answer(await of.ask(request, call, what), spelled(call, what))


async def tried(of: site.Site, request: requests.Request, call: str, what: message.Message) -> Answer:
    """The answer of a call, or none when the service is away. Raises AioRpcError when it refuses."""
    try:
        return await asked(of, request, call, what)
    except grpc.aio.AioRpcError as fault:
        if fault.code() not in _AWAY:
            raise
        return Answer(None, spelled(call, what))


def spelled(call: str, what: message.Message) -> str:
    """The call as docs/runbook.md types it."""
    found = routes.find(call)
    data = json_format.MessageToDict(what, preserving_proto_field_name=True)
    words = ["grpcurl", "-plaintext", "-H", '"authorization: Bearer $TOKEN"']
    words += ["-d", shlex.quote(json.dumps(data, ensure_ascii=False))] if data else []
    return " ".join([*words, f"${_VARIABLES[found.channel]}", found.path.lstrip("/")])


def tab(read: sections.Read) -> sections.Read:
    """A tab: for operators only, whatever else it reads, and there when the service that it reads is not."""
    attempted = sections.faults(read)

    async def framed(of: site.Site, request: requests.Request) -> sections.Told:
        status = await asyncio.gather(
            *(tried(of, request, f"ops@{name}.GetStatus", ops.GetStatusRequest()) for name in PROCESSES)
        )
        statuses = dict(zip(PROCESSES, status, strict=True))
        dead = sum(it.told.dead_letters for it in status if it.told)
        return {"statuses": statuses, "dead_letters": dead, "away": False, **await attempted(of, request)}

    return framed
