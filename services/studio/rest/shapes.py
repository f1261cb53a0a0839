"""Messages as JSON: ProtoJSON with the names of the contract, written whole and read strictly."""

import base64
import binascii
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from google.protobuf import descriptor, duration_pb2, json_format, message, struct_pb2, timestamp_pb2

Descriptor = descriptor.Descriptor
FieldDescriptor = descriptor.FieldDescriptor
Schema = dict[str, Any]

_UNKNOWN = "is not known here"
_32, _64 = 1 << 31, 1 << 63
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001, all of them are UTC, and say so with a Z


@dataclass
class Faults:
    """What is wrong with a request: places, such as {"pointer": "/scenes/2/duration"}, and what they should be."""

    found: list[dict[str, str]] = field(default_factory=list)

    def add(self, pointer: str, detail: str) -> None:
        """Something in the body."""
        self.found.append({"pointer": pointer, "detail": detail})


class Kind(NamedTuple):
    """One type of value: its JSON schema; how it is written (None: as it is); how it is read.

    `read` takes JSON and raises ValueError saying what it should be; `parse` makes that JSON of a query's text.
    """

    schema: Schema
    write: Callable[[Any], Any] | None
    read: Callable[[Any], Any]
    parse: Callable[[str], Any] = str


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise ValueError("should be a text")
    if any("\ud800" <= character <= "\udfff" for character in told):
        raise ValueError("should be well-formed Unicode")
    return told


def _truth(told: Any) -> bool:
    if not isinstance(told, bool):
        raise ValueError("should be true or false")
    return told


def _number(told: Any) -> float:
    if isinstance(told, bool) or not isinstance(told, int | float):
        raise ValueError("should be a number")
    return float(told)


def _whole(limit: int) -> Callable[[Any], int]:
    def read(told: Any) -> int:
        if isinstance(told, float) and told.is_integer():
            told = int(told)
        if isinstance(told, str) and limit == _64 and told.isascii() and told.removeprefix("-").isdigit():
            told = int(told[:20])
        if isinstance(told, bool) or not isinstance(told, int) or not -limit <= told < limit:
            raise ValueError("should be a whole number")
        return told

    return read


def _bytes(told: Any) -> bytes:
    try:
        return base64.b64decode(_text(told), validate=True)
    except binascii.Error:
        raise ValueError("should be base64") from None


def _parse_truth(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _parse_number(text: str) -> Any:
    try:
        return int(text) if len(text) <= 20 else text
    except ValueError:
        return text


def _well_known(kind: type[Any], should: str) -> Callable[[Any], Any]:
    def read(told: Any) -> Any:
        made = kind()
        try:
            made.FromJsonString(_text(told))
        except ValueError:
            raise ValueError(should) from None
        return made

    return read


def _moment(told: timestamp_pb2.Timestamp) -> str:
    """What ToJsonString says, at a tenth of its cost: a list is mostly times."""
    whole = (_EPOCH + timedelta(seconds=told.seconds)).isoformat()
    nanos = f".{told.nanos:09}" if told.nanos else ""
    while nanos.endswith("000"):
        nanos = nanos[:-3]
    return f"{whole}{nanos}Z"


def _value(told: Any) -> struct_pb2.Value:
    return json_format.ParseDict(told, struct_pb2.Value())


_INT32 = Kind(
    {"type": "integer", "format": "int32", "minimum": -_32, "maximum": _32 - 1}, None, _whole(_32), _parse_number
)
_INT64 = Kind(
    {
        "type": ["string", "integer"],
        "pattern": "^-?[0-9]{1,18}$",
        "minimum": -_64,
        "maximum": _64 - 1,
    },
    str,
    _whole(_64),
    _parse_number,
)
_DOUBLE = Kind({"type": "number", "format": "double"}, None, _number, _parse_number)
_SCALARS = {
    FieldDescriptor.TYPE_STRING: Kind({"type": "string"}, None, _text),
    FieldDescriptor.TYPE_BOOL: Kind({"type": "boolean"}, None, _truth, _parse_truth),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_DOUBLE: _DOUBLE,
    FieldDescriptor.TYPE_BYTES: Kind(
        {"type": "string", "contentEncoding": "base64"}, lambda told: base64.b64encode(told).decode(), _bytes
    ),
}
_MESSAGES = {
    "google.protobuf.Timestamp": Kind(
        {"type": "string", "format": "date-time"},
        _moment,
        _well_known(timestamp_pb2.Timestamp, 'should be a time such as "2026-11-20T12:00:00Z"'),
    ),
    "google.protobuf.Duration": Kind(
        {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$", "examples": ["8s"]},
        duration_pb2.Duration.ToJsonString,
        _well_known(duration_pb2.Duration, 'should be a length of time such as "8s"'),
    ),
    "google.protobuf.FieldMask": Kind(
        {"type": "string", "description": "Names of fields, joined by commas."},
        lambda mask: ",".join(mask.paths),
        _text,
    ),
    "google.protobuf.Value": Kind({}, json_format.MessageToDict, _value),
}


def reference(of: Descriptor) -> str:
    """What the schema of a message is called: `job.v1.Job.State` is `JobState`; the packages' own names are theirs."""
    return of.full_name.removeprefix(of.file.package + ".").replace(".", "")


@functools.cache
def _enum(of: descriptor.EnumDescriptor) -> Kind:
    numbers = {value.name: value.number for value in of.values}
    names = {number: name for name, number in numbers.items()}

    def read(told: Any) -> int:
        if not isinstance(told, str) or told not in numbers:
            raise ValueError(f"should be one of {', '.join(numbers)}")
        return numbers[told]

    named = of.full_name.removeprefix(of.file.package + ".").replace(".", "")
    return Kind({"$ref": f"#/components/schemas/{named}"}, lambda number: names.get(number, number), read)


def kind(of: FieldDescriptor) -> Kind | None:
    """The kind of a field's values; None for messages that have fields of their own."""
    if of.enum_type:
        return _enum(of.enum_type)
    if of.message_type:
        return _MESSAGES.get(of.message_type.full_name)
    return _SCALARS[of.type]


class Field:
    """One field of a message: how all its values are written and read."""

    def __init__(self, of: FieldDescriptor) -> None:
        self.descriptor, self.name = of, of.name
        self.is_map = bool(of.message_type and of.message_type.GetOptions().map_entry)
        self.has_presence = of.has_presence
        self.value: Any = of.message_type.fields_by_name["value"] if self.is_map and of.message_type else of
        self.kind = kind(self.value)
        self._shape = None if self.kind else shape(self.value.message_type)
        one = self.kind.write if self.kind else shape(self.value.message_type).write
        self.write = self._writer(one)

    def _writer(self, one: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
        if self.is_map:
            return lambda told: {str(key): one(value) if one else value for key, value in told.items()}
        if self.descriptor.is_repeated:
            return (lambda told: [one(it) for it in told]) if one else list
        return one or _same

    def read(self, told: Any, into: message.Message, at: str, faults: Faults) -> None:
        """Set the field to this JSON; what is wrong goes to the faults."""
        if self.is_map:
            self._read_map(told, into, at, faults)
        elif self.descriptor.is_repeated:
            self._read_list(told, into, at, faults)
        elif self._shape:
            target = getattr(into, self.name)
            target.SetInParent()
            self._shape.read(told, target, at, faults)
        else:
            with_value = self._read_one(told, at, faults)
            if isinstance(with_value, message.Message):
                getattr(into, self.name).CopyFrom(with_value)
            elif isinstance(with_value, str) and self.descriptor.message_type:
                getattr(into, self.name).paths.extend(filter(None, with_value.split(",")))
            elif with_value is not None:
                setattr(into, self.name, with_value)

    def _read_one(self, told: Any, at: str, faults: Faults) -> Any:
        assert self.kind, "messages are read by their shape"
        try:
            return self.kind.read(told)
        except ValueError as wrong:
            faults.add(at, str(wrong))
            return None

    def _read_list(self, told: Any, into: message.Message, at: str, faults: Faults) -> None:
        if not isinstance(told, list):
            return faults.add(at, "should be a list")
        items = getattr(into, self.name)
        for index, one in enumerate(told):
            if self._shape:
                self._shape.read(one, items.add(), f"{at}/{index}", faults)
            elif (value := self._read_one(one, f"{at}/{index}", faults)) is not None:
                items.append(value)

    def _read_map(self, told: Any, into: message.Message, at: str, faults: Faults) -> None:
        if not isinstance(told, Mapping):
            return faults.add(at, "should be an object")
        for key, one in told.items():
            place = f"{at}/{escaped(key)}"
            try:
                _text(key)
            except ValueError as wrong:
                faults.add(place.encode(errors="replace").decode(), str(wrong))
                continue
            if (value := self._read_one(one, place, faults)) is not None:
                getattr(into, self.name)[key] = value


class Shape:
    """A message type as JSON objects."""

    def __init__(self, of: Descriptor) -> None:
        self.descriptor, self.name = of, reference(of)
        self.fields = {it.name: Field(it) for it in of.fields}
        self._always = [(it.name, it.write) for it in self.fields.values() if not it.has_presence]
        self._if_there = [(it.name, it.write) for it in self.fields.values() if it.has_presence]

    def write(self, told: message.Message) -> dict[str, Any]:
        """The message with all its fields; only those that can be absent may be."""
        made = {name: write(getattr(told, name)) for name, write in self._always}
        for name, write in self._if_there:
            if told.HasField(name):
                made[name] = write(getattr(told, name))
        return made

    def read(self, told: Any, into: message.Message, at: str, faults: Faults) -> None:
        """Fill the message from a JSON object; what is wrong goes to the faults."""
        if not isinstance(told, Mapping):
            return faults.add(at, "should be an object")
        for name, value in told.items():
            if name in self.fields:
                self.fields[name].read(value, into, f"{at}/{name}", faults)
            else:
                faults.add(f"{at}/{escaped(name)}", _UNKNOWN)


@functools.cache
def shape(of: Descriptor) -> Shape:
    """The shape of a message type."""
    return Shape(of)


def is_bytes(field: Field) -> bool:
    """Whether its values are bytes."""
    return bool(field.value.type == FieldDescriptor.TYPE_BYTES)


def escaped(name: str) -> str:
    """A step of a JSON pointer (RFC 6901)."""
    return name.encode(errors="replace").decode().replace("~", "~0").replace("/", "~1")


def _same(told: Any) -> Any:
    return told
