"""Projects from files and from words that are pasted in; what is wrong is shown at its line."""

import re
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import fastapi
import grpc.aio
from starlette import datastructures, requests, responses

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.studio.pages import prose, said, site
from services.studio.rest import refusals

FORMATS = {
    "auto": "As it looks",
    "fountain": "Screenplay (Fountain)",
    "text": "Plain text, a scene for each paragraph",
    "yaml": "Board file (YAML)",
    "json": "Board file (JSON)",
    "csv": "Shot list (CSV)",
    "browser_json": "Storyboard of the browser app",
}
_ENDINGS = {
    "yaml": "yaml", "yml": "yaml", "json": "json", "fountain": "fountain", "spmd": "fountain", "csv": "csv",
    "tsv": "csv", "txt": "text", "md": "text",
}  # fmt: skip
_HEADING = re.compile(r"^(\.(?=[A-Z])|(INT|EXT|EST|I/E|INT\./EXT)[. ])", re.MULTILINE)
_LARGEST_BYTES, _AROUND = 2_000_000, 1


class Line(NamedTuple):
    """A line of the file, and what is to be said of it."""

    number: int
    text: str
    notes: Sequence[prose.Fault]


class Told(NamedTuple):
    """What was brought."""

    text: str
    format: str
    name: str
    request_id: str
    data: bytes


def routes(of: site.Site) -> fastapi.APIRouter:
    """/import."""
    router = fastapi.APIRouter()

    @router.get("/import")
    async def ask(request: requests.Request, format: str = "auto") -> responses.Response:
        told = Told("", format if format in FORMATS else "auto", "", str(uuid.uuid4()), b"")
        return _page(of, request, told)

    @router.post("/import")
    async def bring(request: requests.Request) -> responses.Response:
        told, act = await _told(request)
        board, notes, faults = await _read(of, request, told)
        if faults or board is None:
            return _page(of, request, told, board=board, notes=notes, faults=faults, status=422)
        if act == "look" or (notes and act != "anyway"):
            return _page(of, request, told, board=board, notes=notes)
        made = await _made(of, request, told, board)
        return said.then(f"/p/{made.id}", f"“{made.name}” is brought in, with {_scenes(made)}.")

    return router


def _page(
    of: site.Site,
    request: requests.Request,
    told: Told,
    *,
    board: storyboard_pb2.Storyboard | None = None,
    notes: Sequence[prose.Fault] = (),
    faults: Sequence[prose.Fault] = (),
    status: int = 200,
) -> responses.Response:
    shown: dict[str, Any] = {"told": told, "formats": FORMATS, "board": board, "faults": faults, "notes": notes}
    shown["lines"] = _lines(told.text, [*faults, *notes])
    shown["whole"] = [it for it in [*faults, *notes] if not it.line]
    return of.show(request, "import.html", shown, status)


async def _told(request: requests.Request) -> tuple[Told, str]:
    """What the form holds; a file that was chosen wins over words. Raises Refusal."""
    if int(request.headers.get("content-length") or 0) > 2 * _LARGEST_BYTES:
        raise refusals.Refusal(413, "TOO_LARGE", "A file may hold 2 MB of words; that is more.")
    form = await request.form(max_files=1, max_fields=20, max_part_size=_LARGEST_BYTES)
    file = form.get("file")
    data, ending = _text(form, "text").encode(), ""
    if isinstance(file, datastructures.UploadFile) and file.filename:
        data, ending = await file.read(_LARGEST_BYTES + 1), file.filename.rpartition(".")[2].lower()
    text = _decoded(data)
    format = _text(form, "format")
    known = format if format in FORMATS and format != "auto" else _ENDINGS.get(ending) or _guess(text)
    return Told(text, known, _text(form, "name").strip(), _text(form, "request_id"), data), _text(form, "act")


async def _read(
    of: site.Site, request: requests.Request, told: Told
) -> tuple[storyboard_pb2.Storyboard | None, list[prose.Fault], list[prose.Fault]]:
    """The board it would make, what is worth knowing, and what is wrong."""
    if told.format == "text":
        board, faults = prose.board(told.text, told.name)
        return board, [], faults
    try:
        answer = await of.ask(request, "boards.ImportStoryboard", _asked(told, True))
    except grpc.aio.AioRpcError as fault:
        refused = refusals.of(fault)
        if refused.status != 422:
            raise
        return None, [], [_fault(*it) for it in refused.violations]
    return answer.storyboard, [prose.Fault(it.line, it.text, _place(it.field)) for it in answer.warnings], []


async def _made(
    of: site.Site, request: requests.Request, told: Told, board: storyboard_pb2.Storyboard
) -> storyboard_pb2.Storyboard:
    if told.format == "text":
        asked = pb.CreateStoryboardRequest(request_id=told.request_id, storyboard=board)
        made: storyboard_pb2.Storyboard = (await of.ask(request, "boards.CreateStoryboard", asked)).storyboard
        return made
    made = (await of.ask(request, "boards.ImportStoryboard", _asked(told, False))).storyboard
    return made


def _asked(told: Told, only_look: bool) -> pb.ImportStoryboardRequest:
    format = pb.FileFormat.Value(f"FILE_FORMAT_{told.format.upper()}")
    return pb.ImportStoryboardRequest(
        request_id=told.request_id, format=format, data=told.data, name=told.name, validate_only=only_look
    )


def _fault(field: str, wrong: str) -> prose.Fault:
    """The service says `line 3: is 'soon', not a whole number`."""
    found = re.match(r"line (\d+): ", wrong)
    return prose.Fault(int(found[1]) if found else 0, wrong[found.end() :] if found else wrong, _place(field))


def _place(field: str) -> str:
    """`scenes[2].duration` as people count: `scene 3, duration`; nothing for the file as a whole."""
    counted = re.sub(r"(\w+?)s?\[(\d+)\]", lambda it: f"{it[1]} {int(it[2]) + 1}", field.removeprefix("storyboard."))
    return "" if field == "data" else counted.replace(".", ", ").replace("_", " ")


def _lines(text: str, notes: Sequence[prose.Fault]) -> list[Line]:
    """The lines that something is to be said of, each with its neighbours."""
    told: dict[int, list[prose.Fault]] = {}
    for note in notes:
        if note.line:
            told.setdefault(note.line, []).append(note)
    near = {line + step for line in told for step in range(-_AROUND, _AROUND + 1)}
    numbered = enumerate(text.splitlines(), 1)
    return [Line(number, line, told.get(number, ())) for number, line in numbered if number in near]


def _guess(text: str) -> str:
    """What words look like that came without the name of a file."""
    start = text.lstrip("\ufeff \r\n\t")
    head, row = [*start.split("\n", 2), ""][:2]
    if start.startswith(("{", "[")):
        return "json" if '"subject"' in start else "browser_json"
    if re.search(r"^scenes:\s*$", text, re.MULTILINE):
        return "yaml"
    if _HEADING.search(text) or re.match(r"(title|credit|author):", start, re.IGNORECASE):
        return "fountain"
    return "csv" if any(head.count(mark) >= 2 and mark in row for mark in ",;\t") else "text"


def _decoded(data: bytes) -> str:
    """The words of a file for showing them; the service reads the bytes itself."""
    coding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return data.decode(coding, errors="replace")


def _scenes(board: storyboard_pb2.Storyboard) -> str:
    return f"{len(board.scenes)} scene{'s' * (len(board.scenes) != 1)}"


def _text(form: datastructures.FormData, name: str) -> str:
    told = form.get(name, "")
    return told if isinstance(told, str) else ""
