"""Refuses an OpenAPI document of REST that is stale or breaks callers; `--write` makes it anew."""

import importlib.resources
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "proto/gen")]

import grpc_tools.protoc  # noqa: E402, the path comes first
from google.protobuf import descriptor_pb2  # noqa: E402

from services.studio.rest import document, table  # noqa: E402
from tests.contract import breaking  # noqa: E402

PLACE = "services/studio/rest/openapi.json"
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_NESTED = {"message": {2: "field", 3: "message", 4: "enum"}, "enum": {2: "value"}, "service": {2: "method"}}


def comments() -> dict[str, str]:
    """What the contract says about each of its things, in one line, by full name."""
    told: dict[str, str] = {}
    for file in _contract().file:
        for location in file.source_code_info.location:
            name = _name(file, list(location.path))
            if name and location.leading_comments:
                told[name] = " ".join(location.leading_comments.split())
    return told


def made(said: Mapping[str, str]) -> str:
    """The document as it should be."""
    reasons = {
        name.rpartition(".ERROR_REASON_")[2]: text.partition(": ")[2]
        for name, text in said.items()
        if ".ERROR_REASON_" in name and not name.endswith("_UNSPECIFIED")
    }
    told = document.Writer(table.ROUTES, said).write(reasons)
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def promises(told: Mapping[str, Any]) -> set[str]:
    """All that a caller can rely on, one line each; a line that goes away breaks somebody."""
    return {line for line in _lines(told) if not line.startswith("needs ")}


def needs(told: Mapping[str, Any]) -> set[str]:
    """All that a caller has to send, one line each; a line that is new breaks somebody, unless its address is new."""
    return {line for line in _lines(told) if line.startswith("needs ")}


def broken(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What callers of before would find otherwise."""
    gone = [f"gone: {line}" for line in promises(before) - promises(now)]
    old = promises(before)
    asked = [line for line in needs(now) - needs(before) if line.split(" ", 1)[1].partition(" | ")[0] in old]
    return sorted([*gone, *asked])


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            yield name
            for parameter in operation.get("parameters", ()):
                place = f"{parameter['in']} {parameter['name']}"
                yield f"{name} | {place}: {_brief(parameter['schema'])}"
                if parameter.get("required"):
                    yield f"needs {name} | {place}"
            for kind, body in operation.get("requestBody", {}).get("content", {}).items():
                yield from (f"{name} | {kind}{line}" for line in _schema_lines("", body["schema"]))
            for status, answer in operation["responses"].items():
                for kind, body in answer.get("content", {}).items():
                    yield from (f"{name} | {status} {kind}{line}" for line in _schema_lines("", body["schema"]))
    for name, schema in told["components"]["schemas"].items():
        yield from _schema_lines(name, schema)


def _schema_lines(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name}: {_brief(schema)}"
    for value in schema.get("enum", ()):
        yield f"{name}: can be {value}"
    for field in schema.get("required", ()):
        yield f"{name}.{field}: is always there"
    for field, inner in schema.get("properties", {}).items():
        yield from _schema_lines(f"{name}.{field}", inner)


def _brief(schema: Mapping[str, Any]) -> str:
    if "items" in schema:
        return f"list of {_brief(schema['items'])}"
    if "anyOf" in schema:
        return " or ".join(map(_brief, schema["anyOf"]))
    return str(schema.get("$ref", schema.get("type", "anything")))


def _contract() -> descriptor_pb2.FileDescriptorSet:
    protos = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto/rushes").rglob("*.proto"))
    known = importlib.resources.files("grpc_tools") / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "contract"
        options = ["--include_source_info", f"--descriptor_set_out={place}", f"-I{known}", f"-I{ROOT / 'proto'}"]
        if grpc_tools.protoc.main(["protoc", *options, *protos]):
            raise SystemExit("openapi: the contract does not compile")
        return descriptor_pb2.FileDescriptorSet.FromString(place.read_bytes())


def _name(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """The full name of what a path of SourceCodeInfo leads to; empty for what has none."""
    kinds = {_MESSAGES: "message", _ENUMS: "enum", _SERVICES: "service"}
    lists: dict[str, Any] = {"message": file.message_type, "enum": file.enum_type, "service": file.service}
    names, kind = [file.package], kinds.get(path[0] if path else 0, "")
    while kind and len(path) >= 2:
        one = lists[kind][path[1]]
        names.append(one.name)
        path = path[2:]
        if not path:
            return ".".join(names)
        kind = _NESTED.get(kind, {}).get(path[0], "")
        lists = {
            "field": getattr(one, "field", ()),
            "message": getattr(one, "nested_type", ()),
            "enum": getattr(one, "enum_type", ()),
            "value": getattr(one, "value", ()),
            "method": getattr(one, "method", ()),
        }
    return ""


def _before() -> Mapping[str, Any] | None:
    for base in breaking.bases():
        found = breaking.git("show", f"{base}:{PLACE}") if base else None
        if found and found.returncode == 0:
            told: Mapping[str, Any] = json.loads(found.stdout)
            return told
    return None


def main(words: list[str]) -> int:
    """Write the document, or see that it is fresh and breaks nobody."""
    place, fresh = ROOT / PLACE, made(comments())
    if "--write" in words:
        place.write_text(fresh)
    elif not place.exists() or place.read_text() != fresh:
        sys.stdout.write(f"openapi: {PLACE} is stale; `make openapi` makes it anew\n")
        return 1
    found = broken(before, json.loads(fresh)) if (before := _before()) else []
    sys.stdout.writelines(f"openapi: {line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as fault:
        sys.exit(str(fault))
