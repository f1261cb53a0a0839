"""Asks one service of the house that runs by its stub: what each answers for itself, and what few verbs need."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc.aio
from google.protobuf import json_format, message

from libs import rpc
from services.cli import client, gateway

Stub = Callable[[grpc.aio.Channel], Any]


def ask(home: Path, service: str, stub: Stub, verb: str, request: message.Message) -> Any:
    """Ask one, and return the answer. Raises Ended, and client.Refused."""
    of = gateway.running(home)

    async def call() -> Any:
        async with client.connect(of) as services, rpc.connect(of.address(service)) as channel:
            return await services.call(getattr(stub(channel), verb), request)

    return asyncio.run(call())


def plain(answer: message.Message) -> Any:
    """An answer as it is put into JSON beside those of others."""
    return json_format.MessageToDict(answer, preserving_proto_field_name=True)
