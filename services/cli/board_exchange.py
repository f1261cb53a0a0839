"""Brings files to the storyboard service and takes them away, and asks for proposals."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
import rich.console
from google.protobuf import message

from libs import rpc
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.cli import board_calls, board_fields, board_lines, client, exits, gateway

Answer = TypeVar("Answer", pb.ProposeScenesResponse, pb.RefineSceneResponse)
Told = TypeVar("Told")

_LARGEST_BYTES = 2_000_000
_PROPOSAL_S = 70.0
_ENDINGS = {
    ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".fountain": "fountain", ".spmd": "fountain", ".csv": "csv",
    ".tsv": "csv",
}  # fmt: skip
_STDIN = Path("-")


def bring(home: Path, file: Path, format: str, name: str, check: bool) -> pb.ImportStoryboardResponse:
    """A board of a file. Raises Ended, with every fault a line `FILE:LINE: field: what`."""
    known = _format(format or _ENDINGS.get(file.suffix.lower(), ""), "--format", file)
    request = pb.ImportStoryboardRequest(
        request_id=str(uuid.uuid4()), format=known, data=_read(file), name=name, validate_only=check
    )

    async def call(services: client.Client) -> pb.ImportStoryboardResponse:
        answer: pb.ImportStoryboardResponse = await services.call(services.storyboards.ImportStoryboard, request)
        return answer

    try:
        return _visit(home, call)
    except client.Refused as refused:
        if not refused.violations:
            raise
        faults = "\n".join(_fault(file, field, wrong) for field, wrong in refused.violations)
        raise exits.Ended(faults, refused.code) from None


def take(home: Path, board_id: str, format: str, revision: int) -> pb.ExportStoryboardResponse:
    """The file of a board. Raises Ended."""
    known = _format(format, "--format", None)
    request = pb.ExportStoryboardRequest(storyboard_id=board_id, revision=revision, format=known)
    return board_calls.ask(home, pb.ExportStoryboardResponse, request)


def save(answer: pb.ExportStoryboardResponse, output: str) -> Path | None:
    """Where the file is now; None when it went to stdout. A file that was not named is never written over."""
    if output == "-":
        sys.stdout.buffer.write(answer.data)
        sys.stdout.buffer.flush()
        return None
    path = Path(output or answer.file_name)
    try:
        with path.open("wb" if output else "xb") as file:
            file.write(answer.data)
    except FileExistsError:
        raise exits.Ended(f"{path} is there already; name it with --output to replace it.", exits.Code.USAGE) from None
    except OSError as error:
        raise exits.Ended(f"{path} cannot be written: {error.strerror}.") from None
    return path


def propose(home: Path, board_id: str, script: Path, most: int) -> pb.ProposeScenesResponse:
    """What the model makes of a script. Raises Ended."""
    text = _read(script).decode("utf-8-sig", errors="replace")
    request = pb.ProposeScenesRequest(storyboard_id=board_id, script=text, most_scenes=most)
    return _once(home, pb.ProposeScenesResponse, request)


def refine(home: Path, board_id: str, scene: str, instruction: str) -> pb.RefineSceneResponse:
    """What the model makes of a scene. Raises Ended."""
    board = board_calls.get(home, board_id)
    scene_id = board_fields.find(board, "scenes", scene).id
    request = pb.RefineSceneRequest(storyboard_id=board_id, scene_id=scene_id, instruction=instruction)
    return _once(home, pb.RefineSceneResponse, request)


def decide(
    home: Path, answer: Answer, apply: bool, as_json: bool, out: rich.console.Console, err: rich.console.Console
) -> None:
    """Show what would change; with `apply` let it be changed. Raises Ended."""
    for warning in answer.warnings:
        err.print(f"Note: {warning}.", markup=False)
    if not (apply and answer.changes):
        gateway.show(answer, lambda it: _changes(it.changes), as_json, out)
        return
    kind: Any = pb.UpdateStoryboardResponse if isinstance(answer, pb.ProposeScenesResponse) else pb.UpdateSceneResponse
    board: storyboard_pb2.Storyboard = board_calls.ask(home, kind, answer.update, "proposal").storyboard
    gateway.show(board, lambda it: [*_changes(answer.changes), board_lines.brief(it)], as_json, out)


def warn(warnings: Iterable[pb.FileWarning], err: rich.console.Console) -> None:
    """Say what a person should know of a file."""
    for one in warnings:
        place = (f"line {one.line}: " if one.line else "") + (f"{one.field}: " if one.field else "")
        err.print(f"Note: {place}{one.text}.", markup=False)


def _changes(changes: Iterable[storyboard_pb2.Change]) -> Iterator[str]:
    lines = [*board_lines.changes(pb.DiffRevisionsResponse(changes=changes))] if changes else []
    yield from lines or ["The model would change nothing."]


def _once(home: Path, kind: type[Answer], request: message.Message) -> Answer:
    """Ask one time: to repeat it would be paid twice. Raises Refused."""

    async def call(services: client.Client) -> Answer:
        method: Any = getattr(services.storyboards, kind.DESCRIPTOR.name.removesuffix("Response"))
        try:
            answer: Answer = await method(request, timeout=_PROPOSAL_S, metadata=rpc.bearer(services.token))
            return answer
        except grpc.aio.AioRpcError as error:
            raise client.Refused(error) from None

    return _visit(home, call)


def _visit(home: Path, call: Callable[[client.Client], Awaitable[Told]]) -> Told:
    of = gateway.running(home)

    async def visit() -> Told:
        async with client.connect(of) as services:
            return await call(services)

    return asyncio.run(visit())


def _format(name: str, option: str, file: Path | None) -> pb.FileFormat.ValueType:
    """The format of that name; of a file, one that is read. Raises Ended with USAGE."""
    formats = {one.removeprefix("FILE_FORMAT_").lower(): value for one, value in pb.FileFormat.items() if value}
    if file:
        del formats["html"]
    if name not in formats:
        known = ", ".join(formats)
        why = f"{option} {name}" if name else f"{file} does not say by its ending what it is: {option}"
        raise exits.Ended(f"{why}: write one of {known}.", exits.Code.USAGE)
    return formats[name]


def _read(file: Path) -> bytes:
    """The bytes of a file or of stdin; never many more than the service takes."""
    try:
        if file == _STDIN:
            return sys.stdin.buffer.read(_LARGEST_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise exits.Ended(f"{file} cannot be read: {error.strerror}.", exits.Code.USAGE) from None


def _fault(file: Path, field: str, wrong: str) -> str:
    """`letter.csv:3: scenes[1].duration: should be …`, as editors jump to."""
    words = wrong.removeprefix("line ").partition(": ") if wrong.startswith("line ") else ("", "", wrong)
    place = f"{file}:{words[0]}" if words[0].isdecimal() else str(file)
    return f"{place}: {'' if field == 'data' else f'{field}: '}{words[2]}."
