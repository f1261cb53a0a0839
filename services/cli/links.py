"""Asks the compiler about links to films and takes, and shows what it says to a person."""

import asyncio
import getpass
import re
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rich.console
from google.protobuf import json_format, message, timestamp_pb2

from libs import moments, rpc
from rushes.compiler.v1 import compiler_service_pb2, share_pb2, share_service_pb2_grpc
from rushes.compiler.v1 import share_service_pb2 as pb
from rushes.job.v1 import job_service_pb2
from services.cli import client, exits, gateway, house, wire

_POSTER_PIXELS = 1280
_STILL_S = 60.0
_MOST_CHARACTERS = 1000
_LENGTH = re.compile(r"([1-9][0-9]{0,3})([dh])")


def share(home: Path, of: str, expires: str, passphrase: str, download: bool) -> tuple[pb.CreateShareResponse, str]:
    """Make a link to a film or a take; its address besides. Raises Ended."""
    there = gateway.running(home)
    request = pb.CreateShareRequest(request_id=str(uuid.uuid4()), passphrase=passphrase, allow_download=download)
    request.expire_time.CopyFrom(_at(expires, datetime.now(UTC)))

    async def make(services: client.Client, stub: Any) -> pb.CreateShareResponse:
        if of.startswith("take_"):
            request.take.CopyFrom(await _take(services, of))
        else:
            request.film_id = of
        made: pb.CreateShareResponse = await services.call(stub.CreateShare, request)
        return made

    made = asyncio.run(_asked(there, make))
    return made, f"http://{there.address('studio')}/s/{made.secret}"


def show_made(made: pb.CreateShareResponse, url: str, as_json: bool, out: Any, err: rich.console.Console) -> None:
    """Print the address alone, for whoever pipes it on; beside it what it is."""
    if as_json:
        told = json_format.MessageToDict(made, preserving_proto_field_name=True)
        out.print_json(data=told | {"url": url})
        return
    err.print(f"{_line(made.share)}; the address is not shown again", markup=False)
    out.print(url, markup=False)


def list_of(home: Path, of: str, as_json: bool, out: rich.console.Console) -> None:
    """Print the links to a film or a take."""
    request = pb.ListSharesRequest(page_size=200, **{"take_id" if of.startswith("take_") else "film_id": of})
    answer = _ask(home, "ListShares", request)
    gateway.show(answer, lambda one: map(_line, one.shares), as_json, out)


def revoke(home: Path, share_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Take a link back."""
    answer = _ask(home, "RevokeShare", pb.RevokeShareRequest(share_id=share_id))
    gateway.show(answer, lambda one: [_line(one.share)], as_json, out)


def read_passphrase() -> str:
    """From a hidden prompt, or stdin when no person is there. Raises Ended."""
    typed = getpass.getpass("Passphrase: ") if sys.stdin.isatty() else sys.stdin.read(_MOST_CHARACTERS)
    if not typed.strip():
        raise exits.Ended("There is no passphrase: type it, or pipe it in.", exits.Code.USAGE)
    return typed.strip()


def _ask(home: Path, verb: str, request: message.Message) -> Any:
    async def ask(services: client.Client, stub: Any) -> Any:
        return await services.call(getattr(stub, verb), request)

    return asyncio.run(_asked(gateway.running(home), ask))


async def _asked(of: house.House, ask: Callable[[client.Client, Any], Awaitable[Any]]) -> Any:
    async with client.connect(of) as services, rpc.connect(of.address("compiler")) as channel:
        return await ask(services, share_service_pb2_grpc.ShareServiceStub(channel))


async def _take(services: client.Client, take_id: str) -> share_pb2.SharedTake:
    """The take as people are to see it, with a picture of it."""
    take = (await services.call(services.jobs.GetTake, job_service_pb2.GetTakeRequest(take_id=take_id))).take
    wanted = compiler_service_pb2.ExtractStillRequest(clip=take.clip, longest_side=_POSTER_PIXELS)
    still = (await services.call(services.films.ExtractStill, wanted, _STILL_S)).still
    title = take.scene_title or f"Scene {take.scene_number}"
    return share_pb2.SharedTake(
        take_id=take.id, clip=take.clip, poster=still, title=title, duration=take.duration, model=take.model
    )


def _at(expires: str, now: datetime) -> timestamp_pb2.Timestamp:
    found = _LENGTH.fullmatch(expires.strip().lower())
    if not found:
        raise exits.Ended(f"--expires {expires}: write days or hours, such as 7d or 12h.", exits.Code.USAGE)
    return moments.stamp(now + timedelta(**{{"d": "days", "h": "hours"}[found[2]]: int(found[1])}))


def _line(of: share_pb2.Share) -> str:
    return "; ".join(_facts(of))


def _facts(of: share_pb2.Share) -> Iterator[str]:
    yield f"{of.id} {of.title}"
    yield f"/s/rushes_share_{of.hint}…"
    if of.HasField("revoke_time"):
        yield f"taken back {wire.clock(of.revoke_time)}"
    else:
        yield f"ends {wire.clock(of.expire_time)}"
    if of.has_passphrase:
        yield "with a passphrase"
    if of.allow_download:
        yield "for download"
    yield f"{of.views} view{'' if of.views == 1 else 's'}"
