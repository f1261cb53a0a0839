"""What of a setting may be shown: everything but what lets anybody in somewhere."""

import json
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

HIDDEN = "***"
_SECRET = re.compile(r"secret|password|token|key(?!s?_url)", re.IGNORECASE)
_LOGIN = re.compile(r"://\S*@")
_PLAIN = (bool, int, float, Path)
_PUBLIC = ("base_url", "current")


def shown(name: str, value: object) -> str:
    """A value as text; hidden are what is typed or called a secret, and what an address says but its place."""
    seen = _seen(name, value)
    return seen if isinstance(seen, str) else json.dumps(seen, default=str)


def _seen(name: str, value: object) -> Any:
    if value is None or value == "":
        return ""
    if isinstance(value, pydantic.SecretStr) or (isinstance(value, str) and _SECRET.search(name)):
        return HIDDEN
    if isinstance(value, _PLAIN):
        return str(value)
    if isinstance(value, str):
        return _address(value) if "://" in value else value
    return _inside(value)


def _inside(value: object) -> Any:
    """Of what is made of parts, the names, the numbers, and what is known to be public."""
    if isinstance(value, pydantic.BaseModel):
        return _inside({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, Mapping):
        return {key: _seen(key, one) if key in _PUBLIC else _inside(one) for key, one in value.items()}
    return value if isinstance(value, bool | int | float) else HIDDEN


def _address(url: str) -> str:
    parts = urllib.parse.urlsplit(_LOGIN.sub(f"://{HIDDEN}@", url))  # first: a password may hold anything
    return urllib.parse.urlunsplit(parts._replace(query=HIDDEN if parts.query else ""))
