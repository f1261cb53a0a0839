"""Fills the message of a call from an HTTP request: address, query, headers and body each have their fields."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from google.protobuf import message
from starlette import requests

from services.studio.rest import refusals, routes, shapes

_MOST_BYTES = 4_000_000
_MOST_KEY = 200
_KEYS = uuid.UUID("6f6d5c1e-6f9e-5d5c-9a0f-5d3f2f0a6c11")
"""Idempotency keys that are no UUIDs become UUIDs in this namespace."""
_MERGE_PATCH = "application/merge-patch+json"


class Binding:
    """Where each field of a route's call comes from; made once for each route."""

    def __init__(self, route: routes.Route, call: routes.Call) -> None:
        self.route, self.call = route, call
        self.shape = shapes.shape(call.request.DESCRIPTOR)
        self.path = {step[1:-1].rstrip("*") for step in _steps(route.path) if step.startswith("{")}
        self.resource = self.shape.fields.get(route.body)
        self.body_shape = _shape_of(self.shape, route.body)
        self.asks = shapes.shape(routes.message_of(route.asks)) if route.asks else None
        self.id_field = self._id_of_resource()
        self.has_key = "request_id" in self.shape.fields
        self.patches = route.method == "PATCH" and "update_mask" in self.shape.fields
        self.etag_in = self._place_of_etag()
        self.query = {name: it for name, it in self.shape.fields.items() if self._is_asked_for(name, it)}
        self.extra = dict(route.query or {})

    def _id_of_resource(self) -> str:
        """The one part of the path that names the body's resource: `storyboard_id` is `storyboard.id`."""
        if not self.resource or not self.body_shape:
            return ""
        free = [name for name in self.path if name not in self.shape.fields]
        return free[0] if free else ""

    def _place_of_etag(self) -> str:
        if "etag" in self.shape.fields:
            return "etag"
        if self.patches and self.body_shape and "etag" in self.body_shape.fields:
            return self.route.body
        return ""

    def _is_asked_for(self, name: str, field: shapes.Field) -> bool:
        if self.route.body == "*" or name in self.path or name in ("request_id", "etag", "update_mask"):
            return False
        is_value = field.kind is not None and not field.is_map and not shapes.is_bytes(field)
        return name != self.route.body and is_value

    def hidden(self) -> set[str]:
        """Fields of the body's message that come from elsewhere."""
        own = {"request_id", "etag", "update_mask"} | self.path if self.route.body == "*" else set()
        return own | ({"id", "etag"} if self.id_field else set())

    async def fill(self, request: requests.Request, path: Mapping[str, str]) -> message.Message:
        """The message. Raises Refusal with everything that is wrong."""
        made, faults = self.call.request(), shapes.Faults()
        await self._read_body(request, made, faults)
        self._read_path(path, made, faults)
        self._read_query(request, made, faults)
        self._read_headers(request, made)
        if faults.found:
            raise refusals.bad_request(faults.found)
        return made

    def _read_path(self, path: Mapping[str, str], into: Any, faults: shapes.Faults) -> None:
        for name, text in path.items():
            target = into
            if name == self.id_field:
                target, name = getattr(into, self.route.body), "id"
            if name in shapes.shape(target.DESCRIPTOR).fields:
                _parameter(shapes.shape(target.DESCRIPTOR).fields[name], name, [text], target, faults)

    def _read_query(self, request: requests.Request, into: Any, faults: shapes.Faults) -> None:
        if not request.scope["query_string"] and not self.extra:
            return
        given = request.query_params
        for name in dict.fromkeys(given.keys()):
            if name in self.query:
                _parameter(self.query[name], name, given.getlist(name), into, faults)
            elif name not in self.extra:
                faults.found.append({"parameter": name, "detail": "is not known here"})
        for name, schema in self.extra.items():
            text = given.get(name, schema["default"])
            if "enum" in schema and text not in schema["enum"]:
                faults.found.append({"parameter": name, "detail": f"should be one of {', '.join(schema['enum'])}"})
            if len(text) > schema.get("maxLength", len(text)):
                faults.found.append(
                    {"parameter": name, "detail": f"should have up to {schema['maxLength']} characters"}
                )

    def _read_headers(self, request: requests.Request, into: Any) -> None:
        if self.has_key:
            into.request_id = request_id(request, self.route.paid)
        tag = seen(request)
        if self.route.seen and "if-match" not in request.headers:
            raise refusals.Refusal(428, "IF_MATCH_MISSING", "Say with the header If-Match which version you saw.")
        if self.etag_in:
            target = into if self.etag_in == "etag" else getattr(into, self.etag_in)
            target.etag = tag

    async def _read_body(self, request: requests.Request, into: Any, faults: shapes.Faults) -> None:
        if not self.route.body:
            return
        if not self.body_shape:  # one field of bytes: the body as it is
            setattr(into, self.route.body, await content(request))
            return
        told = await document(request, needed=self.route.body != "*")
        target = into if self.route.body == "*" else getattr(into, self.route.body)
        if self.resource:
            target.SetInParent()
        if not isinstance(told, dict):
            return faults.add("", "should be an object")
        hidden = self.hidden() | set(self.route.filled)
        for name in [it for it in told if it in hidden and self.route.body == "*"]:
            faults.add(f"/{name}", "is not for the body: it belongs to the address or to a header")
        told = {name: value for name, value in told.items() if name not in hidden}
        if self.patches:
            if not told:
                faults.add("", "should have a field to change")
            into.update_mask.paths.extend(name for name in told if name in self.body_shape.fields)
            told = {
                name: value for name, value in told.items() if value is not None or name not in self.body_shape.fields
            }
        self.body_shape.read(told, target, "", faults)


async def content(request: requests.Request, most: int = _MOST_BYTES) -> bytes:
    """The body. Raises Refusal when it is larger than so many bytes."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise refusals.Refusal(413, "TOO_LARGE", f"The body is larger than {most} bytes.")
    return bytes(body)


async def document(request: requests.Request, needed: bool = True) -> Any:
    """The body as JSON; an empty object when there is none and none is needed. Raises Refusal."""
    body = await content(request)
    if not body and not needed:
        return {}
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in ("application/json", _MERGE_PATCH):
        raise refusals.Refusal(415, "MEDIA_TYPE_UNKNOWN", f"The body is {kind}, and should be application/json.")
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise refusals.bad_request([{"pointer": "", "detail": "is no JSON document"}], 400) from None


async def an_object(request: requests.Request) -> dict[str, Any]:
    """The body as a JSON object. Raises Refusal."""
    told = await document(request)
    if not isinstance(told, dict):
        raise refusals.bad_request([{"pointer": "", "detail": "should be an object"}])
    return told


def request_id(request: requests.Request, needed: bool = False) -> str:
    """The request_id of an Idempotency-Key: itself when it is a UUID, a new one when there is none. Raises Refusal."""
    told = _header(request, "Idempotency-Key")
    if not told:
        if needed:
            remedy = "This can cost money: send an Idempotency-Key, so that a repeat is not paid twice."
            raise refusals.Refusal(400, "IDEMPOTENCY_KEY_MISSING", remedy)
        return str(uuid.uuid4())
    if len(told) > _MOST_KEY:
        raise refusals.bad_request(
            [{"header": "Idempotency-Key", "detail": f"should be {_MOST_KEY} characters at most"}]
        )
    try:
        return str(uuid.UUID(told))
    except ValueError:
        return str(uuid.uuid5(_KEYS, told))


def seen(request: requests.Request) -> str:
    """The ETag of the version that was seen; empty for whatever is there, and when nothing is said. Raises Refusal."""
    tag = _header(request, "If-Match")
    if " " in tag:
        raise refusals.bad_request([{"header": "If-Match", "detail": "should be one ETag, or *"}], 400)
    return "" if tag == "*" else tag.removeprefix("W/").strip('"')


def _header(request: requests.Request, name: str) -> str:
    """A header of printable ASCII; empty when it is not there. Raises Refusal."""
    told = request.headers.get(name)
    if told is not None and not (told and told.isascii() and told.isprintable()):
        raise refusals.bad_request([{"header": name, "detail": "should be printable ASCII, and not empty"}], 400)
    return (told or "").strip()


def _parameter(field: shapes.Field, name: str, texts: list[str], into: Any, faults: shapes.Faults) -> None:
    assert field.kind, "parameters are no messages"
    found, parsed = shapes.Faults(), [field.kind.parse(text) for text in texts]
    is_list = field.descriptor.is_repeated
    if len(texts) > 1 and not is_list:
        found.add("", "should be there once")
    else:
        field.read(parsed if is_list else parsed[0], into, "", found)
    faults.found += [{"parameter": name, "detail": fault["detail"]} for fault in found.found]


def _shape_of(shape: shapes.Shape, body: str) -> shapes.Shape | None:
    if body == "*":
        return shape
    if not body or shape.fields[body].kind:
        return None
    return shapes.shape(shape.fields[body].descriptor.message_type)


def _steps(path: str) -> list[str]:
    return path.replace(":", "/").split("/")


def _refuse(constant: str) -> None:
    raise ValueError(constant)
