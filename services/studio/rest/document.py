"""The OpenAPI 3.1 document of /v1, made of the table of routes, the contract and its comments."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import descriptor

from services.studio.rest import binding, events, refusals, routes, shapes

Json = dict[str, Any]

_TEXT = {"type": "string"}
_PROBLEM: Json = {
    "type": "object",
    "description": "What went wrong (RFC 9457), what it has cost, and what can be done about it.",
    "required": "type title status detail instance reason retryable charged errors remedies request_id".split(),
    "properties": {
        "type": _TEXT | {"format": "uri-reference", "description": "Address of what is known about the reason."},
        "title": _TEXT | {"description": "The reason in words; the same for every problem of its kind."},
        "status": {"type": "integer"},
        "detail": _TEXT | {"description": "What happened this time, for people."},
        "instance": _TEXT | {"format": "uri-reference"},
        "reason": _TEXT | {"description": "For programs: one of the names under x-problems."},
        "retryable": {"type": "boolean", "description": "Whether the same request can succeed later."},
        "charged": {
            "type": "object",
            "required": ["state"],
            "properties": {"state": {"type": "string", "enum": ["none", "amount", "unknown"]}},
        },
        "errors": {
            "type": "array",
            "description": "The places that are wrong: a JSON pointer into the body, a parameter, or a header.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {"pointer": _TEXT, "parameter": _TEXT, "header": _TEXT, "detail": _TEXT},
            },
        },
        "remedies": {
            "type": "array",
            "description": "What can be done, best first.",
            "items": {
                "type": "object",
                "required": ["rel", "title"],
                "properties": {"rel": _TEXT, "title": _TEXT, "method": _TEXT, "href": _TEXT},
            },
        },
        "facts": {"type": "object", "additionalProperties": _TEXT},
        "request_id": _TEXT,
        "trace_id": _TEXT,
    },
}
_LONGEST = re.compile(r"(?:up to|1 to) (\d+) characters")
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A UUID, or another text of your own. The same key is the same request: it is done once, for ever.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the version that you saw; `*` changes whatever is there.",
    "schema": {"type": "string", "minLength": 1, "pattern": "^[!-~]+$"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags of what you have: if it is still so, the answer is 304.",
    "schema": {"type": "string"},
}
_LAST_EVENT = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event seen: what came after it follows.",
    "schema": {"type": "string"},
}
_COUNTED = {
    "RateLimit-Policy": "How many calls of this kind count in how many seconds.",
    "RateLimit": "How many are left, and in how many seconds there are more.",
}


class Writer:
    """Writes the document; `comments` of the contract by full name."""

    def __init__(self, table: Iterable[routes.Route], comments: Mapping[str, str]) -> None:
        self._comments = comments
        self._table = [(route, binding.Binding(route, routes.find(route.call))) for route in table]
        self._schemas: dict[str, Json] = {}
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        self._ids = _operation_ids([route for route, _ in self._table])

    def write(self, reasons: Mapping[str, str]) -> Json:
        """The whole; `reasons` are all that can go wrong, with what they mean."""
        for _, bound in self._table:
            for fields in self._body_fields(bound):
                self._schema(fields)
        self._taken = set(self._schemas)
        self._schemas, self._names = {}, {}
        paths: dict[str, Json] = {}
        for route, bound in self._table:
            place = paths.setdefault(route.path.replace("*}", "}"), {})
            place[route.method.lower()] = self._operation(route, bound)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Rushes",
                "version": "1",
                "description": "Storyboards into films: the services as REST. It is only ever added to.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
                "responses": {
                    "Problem": {
                        "description": "It was not done.",
                        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                    }
                },
                "schemas": {"Problem": _PROBLEM, **dict(sorted(self._schemas.items()))},
            },
            "x-problems": dict(sorted({**reasons, **refusals.OWN}.items())),
        }

    def _operation(self, route: routes.Route, bound: binding.Binding) -> Json:
        method = bound.call.method
        said = route.summary or _after_name(self._comments[method.full_name], method.name)
        told: Json = {
            "operationId": self._ids[id(route)],
            "tags": [route.path.split("/")[2].partition(":")[0]],
            "summary": said.split(". ")[0].rstrip(".") + ".",
            "description": said,
        }
        if parameters := self._parameters(route, bound):
            told["parameters"] = parameters
        if route.body or route.takes or route.asks:
            told["requestBody"] = self._request_body(route, bound)
        told["responses"] = {**self._answers(route, bound), "default": {"$ref": "#/components/responses/Problem"}}
        if route.call == "boards.CreateGuestStoryboard":
            told["security"] = []
        return told

    def _parameters(self, route: routes.Route, bound: binding.Binding) -> list[Json]:
        told = [self._of_path(name, bound) for name in _named(route.path)]
        for name, field in bound.query.items():
            told.append({"name": name, "in": "query", **self._described(field), "schema": self._value(field)})
        told += [{"name": name, "in": "query", "schema": schema} for name, schema in bound.extra.items()]
        if bound.has_key or (route.call == "boards.ComposePrompts" and route.method == "POST"):
            told.append(_IDEMPOTENCY_KEY | ({"required": True} if route.paid else {}))
        if bound.etag_in or route.seen:
            told.append(_IF_MATCH | ({"required": True} if route.seen else {}))
        if route.do is events.stream:
            told.append(_LAST_EVENT)
        elif _is_read(route):
            told.append(_IF_NONE_MATCH)
        return told

    def _of_path(self, name: str, bound: binding.Binding) -> Json:
        told: Json = {"name": name, "in": "path", "required": True, "schema": _TEXT | {"minLength": 1}}
        if field := bound.shape.fields.get(name):
            told |= self._described(field)
            schema = self._value(field)
            told["schema"] = schema | ({"minLength": 1} if schema.get("type") == "string" else {})
        return told

    def _request_body(self, route: routes.Route, bound: binding.Binding) -> Json:
        if route.takes:
            return {"required": True, "content": {kind: {"schema": {}} for kind in route.takes}}
        if bound.asks:
            return {"required": True, "content": {"application/json": {"schema": self._part(bound.asks, route)}}}
        assert bound.body_shape, "a body is JSON or has a media type"
        if route.body != "*" and not bound.patches:
            schema = self._schema(bound.body_shape.descriptor)
        else:
            hidden = bound.hidden()
            fields = {name: it for name, it in bound.body_shape.fields.items() if name not in hidden}
            if bound.patches:
                fields = {name: it for name, it in fields.items() if not self._is_output(it)}
            properties = {name: self._property(it, bound.patches) for name, it in fields.items()}
            properties |= {name: properties[name] | {"readOnly": True} for name in route.filled}
            schema = {"type": "object", "properties": properties, "additionalProperties": False}
            if bound.patches:
                schema["minProperties"] = 1
        kinds = ["application/json", *(["application/merge-patch+json"] if bound.patches else [])]
        content = {kind: {"schema": schema} for kind in kinds}
        return {"content": content} if route.body == "*" else {"required": True, "content": content}

    def _part(self, shape: shapes.Shape, route: routes.Route) -> Json:
        """A thing as it is sent: what the server assigns is left out, and a patch may clear."""
        fields = {name: it for name, it in shape.fields.items() if name != "id" and not self._is_output(it)}
        properties = {name: self._property(it, route.method == "PATCH") for name, it in fields.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def _answers(self, route: routes.Route, bound: binding.Binding) -> Json:
        if route.status == 204:
            return {"204": {"description": "Done."}}
        answered: Any = bound.call.response.DESCRIPTOR
        if route.answers:
            answered = routes.message_of(route.answers)
        elif route.answer:
            answered = answered.fields_by_name[route.answer].message_type
        if route.do is events.stream:
            return self._events(answered)
        if route.gives:
            return {str(route.status): {"description": "The file.", "content": {route.gives: {"schema": {}}}}}
        told: Json = {
            "description": self._comments.get(answered.full_name, answered.name),
            "content": {"application/json": {"schema": self._schema(answered)}},
        }
        leads, reads = route.location or route.status == 307, _is_read(route)
        headers = {"Location": "Address of what was made, or of the bytes."} if leads else {}
        headers |= {"ETag": "Changes with every change."} if "etag" in answered.fields_by_name or reads else {}
        headers |= {"Link": 'rel="next": the next page.'} if "next_page_token" in answered.fields_by_name else {}
        headers |= _COUNTED if bound.call.is_counted else {}
        headers |= {"Idempotency-Replayed": "`true`: it was done before."} if bound.has_key else {}
        if headers:
            told["headers"] = {name: {"description": why, "schema": _TEXT} for name, why in headers.items()}
        return {str(route.status): told} | ({"304": {"description": "It is as you have it."}} if reads else {})

    def _events(self, of: descriptor.Descriptor) -> Json:
        kinds = {it.name: self._schema(it.message_type) for it in of.fields if it.message_type}
        lines = ", ".join(f"`{name}` ({self._comments[f'{of.full_name}.{name}']})" for name in kinds)
        content = {"text/event-stream": {"schema": _TEXT, "x-events": kinds}}
        return {
            "200": {"description": f"Server-sent events, their data JSON: {lines}", "content": content},
            "204": {"description": "The story has ended: there is nothing more to come."},
        }

    def _body_fields(self, bound: binding.Binding) -> list[descriptor.Descriptor]:
        if bound.asks:
            return [it.value.message_type for it in bound.asks.fields.values() if it.kind is None]
        if not bound.body_shape:
            return []
        if bound.route.body != "*" and not bound.patches:
            return [bound.body_shape.descriptor]
        fields = [it for name, it in bound.body_shape.fields.items() if name not in bound.hidden()]
        return [it.value.message_type for it in fields if it.kind is None]

    def _schema(self, of: descriptor.Descriptor) -> Json:
        name = shapes.reference(of)
        if self._names.setdefault(name, of.full_name) != of.full_name:
            raise ValueError(f"{of.full_name} and {self._names[name]} have the same name")
        if name not in self._schemas:
            self._schemas[name] = {}
            self._schemas[name] = self._object(of)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, of: descriptor.Descriptor) -> Json:
        fields = shapes.shape(of).fields
        told: Json = {
            "type": "object",
            "description": self._comments.get(of.full_name, ""),
            "properties": {name: self._property(it) for name, it in fields.items()},
        }
        if shapes.reference(of) in self._taken:
            return told | {"additionalProperties": False}
        always = [name for name, it in fields.items() if not it.has_presence]
        return told | ({"required": always} if always else {})

    def _property(self, field: shapes.Field, or_null: bool = False) -> Json:
        told = self._value(field)
        if field.is_map:
            told = {"type": "object", "additionalProperties": told}
        elif field.descriptor.is_repeated:
            told = {"type": "array", "items": told}
        if or_null:
            told = {"anyOf": [told, {"type": "null"}]}
        return told | self._described(field) | ({"readOnly": True} if self._is_output(field) else {})

    def _value(self, field: shapes.Field) -> Json:
        """The schema of one value; of the whole list for a parameter."""
        if field.kind is None:
            return self._schema(field.value.message_type)
        if of := field.value.enum_type:
            name = field.kind.schema["$ref"].rpartition("/")[2]
            self._schemas[name] = {
                "type": "string",
                "enum": [value.name for value in of.values],
                "description": " ".join(self._comments[f"{of.full_name}.{value.name}"] for value in of.values),
            }
        return {**field.kind.schema, **self._limits(field)}

    def _limits(self, field: shapes.Field) -> Json:
        """What the comment says of the longest text; how short it may be depends on where it stands."""
        if field.name == "page_size":
            return {"minimum": 0}
        found = _LONGEST.search(self._comments[field.descriptor.full_name])
        return {"maxLength": int(found[1])} if found and field.kind and field.kind.schema == _TEXT else {}

    def _described(self, field: shapes.Field) -> Json:
        return {"description": self._comments[field.descriptor.full_name]}

    def _is_output(self, field: shapes.Field) -> bool:
        return "output only" in self._comments[field.descriptor.full_name]


def _operation_ids(table: list[routes.Route]) -> dict[int, str]:
    """The name of the call; where several routes have it, all but the shortest get the words of their paths besides."""
    calls = Counter(route.call.partition(".")[2] for route in table)
    told, used = {}, set[str]()
    for route in sorted(table, key=lambda it: len(it.path)):
        name = route.call.partition(".")[2]
        if calls[name] > 1 and name in used:
            steps = route.path.replace(":", "/").split("/")[2:]
            name += "".join(step.title().replace("_", "") for step in steps if not step.startswith("{"))
            name += route.method.title() if name in used else ""
        used.add(name)
        told[id(route)] = name
    return told


def _is_read(route: routes.Route) -> bool:
    """Whether the answer has an ETag, and need not be sent to who has it."""
    return route.method == "GET" and route.status == 200 and not route.gives and route.do is None


def _named(path: str) -> list[str]:
    return [step[1:-1].rstrip("*") for step in path.replace(":", "/").split("/") if step.startswith("{")]


def _after_name(comment: str, name: str) -> str:
    """`GetJob returns one job.` as `Returns one job.`"""
    said = comment.removeprefix(name).strip()
    return said[:1].upper() + said[1:]
