"""Reads what people type into forms; every fault names its field."""

import datetime
import decimal
import uuid
from typing import Any

from google.protobuf import timestamp_pb2
from starlette import datastructures

from libs import moments
from rushes.type.v1 import money_pb2
from services.studio.rest import refusals

Form = datastructures.FormData
_MOST = decimal.Decimal(9_000_000_000)


def text(form: Form, name: str) -> str:
    """What stands in the field, without the spaces around it; empty when it is not there."""
    told = form.get(name)
    return told.strip() if isinstance(told, str) else ""


def request_id(form: Form) -> str:
    """The one that the form was shown with, so that sending it twice makes one thing. Raises Refusal."""
    try:
        return str(uuid.UUID(text(form, "request_id")))
    except ValueError:
        raise _refused("request_id", "is missing; load the page again") from None


def whole(form: Form, name: str) -> int:
    """A number of things; 0 when nothing is said. Raises Refusal."""
    told = text(form, name) or "0"
    if not (told.isascii() and told.isdigit() and len(told) < 10):
        raise _refused(name, "should be a whole number")
    return int(told)


def money(form: Form, name: str, currency: str) -> money_pb2.Money:
    """An amount such as 12.50. Raises Refusal."""
    try:
        amount = decimal.Decimal(text(form, name).replace(",", "").lstrip("$€£"))
    except decimal.InvalidOperation:
        raise _refused(name, "should be an amount such as 12.50") from None
    if not (amount.is_finite() and 0 <= amount < _MOST):
        raise _refused(name, "should be an amount that is not negative")
    return money_pb2.Money(currency=currency, micros=int(amount * 1_000_000))


def pairs(form: Form, name: str) -> dict[str, str]:
    """Lines such as `project=reel`. Raises Refusal."""
    told = {}
    for line in filter(None, map(str.strip, text(form, name).splitlines())):
        key, sign, value = line.partition("=")
        if not sign:
            raise _refused(name, f"should have a line such as project=reel, and not {line!r}")
        told[key.strip()] = value.strip()
    return told


def one_of(enum: Any, name: str, told: str) -> Any:
    """The value of an enum that is called so. Raises Refusal."""
    if told not in enum.keys():
        raise _refused(name, "should be one of those that the page offers")
    return enum.Value(told)


def days_from(now: datetime.datetime, days: int) -> timestamp_pb2.Timestamp:
    """The moment so many days on."""
    return moments.stamp(now + datetime.timedelta(days=days))


def _refused(name: str, detail: str) -> refusals.Refusal:
    return refusals.bad_request([{"pointer": f"/{name}", "detail": detail}])
