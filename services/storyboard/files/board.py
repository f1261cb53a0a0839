"""Our own board files, in YAML and in JSON."""

import json
from typing import Any

import yaml

from services.storyboard import domain
from services.storyboard.files import draft, plain, tree

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WIDTH = 110


def read_yaml(text: str) -> draft.Draft:
    """A board of YAML. Raises FileFaulty."""
    return tree.from_yaml(text)


def read_json(text: str) -> draft.Draft:
    """A board of JSON. Raises FileFaulty."""
    return tree.from_json(text)


def write_yaml(content: domain.Content) -> str:
    """The board as `rushes film` takes it."""
    text: str = yaml.dump(plain.of(content), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH)
    return text


def write_json(content: domain.Content) -> str:
    """The same fields."""
    return json.dumps(plain.of(content), ensure_ascii=False, indent=2) + "\n"
