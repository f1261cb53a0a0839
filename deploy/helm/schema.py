"""Writes values.schema.json from the values, their comments, and the classes that read each service's settings."""

import importlib
import json
import pathlib
import re
from typing import Any

import yaml

from libs import settings

CHART = pathlib.Path(__file__).parent / "rushes"
OURS = re.compile(r"listen|metrics_listen|auth_.*|.*_address|callbacks_listen|public_url|secrets_dir")
"""Settings that the templates tell; nobody else may."""

Schema = dict[str, Any]
_OF_PYDANTIC = ("title", "format", "default")
_SCALARS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def main() -> None:
    """Write the file beside the values."""
    (CHART / "values.schema.json").write_text(document())


def document() -> str:
    """What the file should hold."""
    text = (CHART / "values.yaml").read_text()
    lines = text.splitlines()
    values = yaml.compose(text)
    whole = _object(values, lines)
    of = whole["properties"]
    of["defaults"]["properties"]["settings"] = _told(settings.Process, set())
    services = of["services"]["properties"]
    for name, own in services.items():
        own["properties"]["settings"] = _settings_of(name, own)
        services[name] = _over(of["defaults"], own)
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "rushes", **whole}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def settings_of(service: str) -> type[settings.Settings]:
    """The class that reads a service's environment."""
    found: type[settings.Settings] = importlib.import_module(f"services.{service}.settings").Settings
    return found


def _settings_of(service: str, own: Schema) -> Schema:
    properties = own["properties"]
    folders = properties.get("folders", {}).get("properties", {}).values()
    by_folder = {folder["properties"]["setting"]["default"] for folder in folders if "setting" in folder["properties"]}
    return _told(settings_of(service), {*properties["secrets"]["properties"], *by_folder})


def _told(of: type[settings.Settings], otherwise: set[str]) -> Schema:
    """The fields that a person may set here; those that are secrets, or that a template sets, are not among them."""
    fields = of.model_json_schema()["properties"]
    mine = {name: field for name, field in fields.items() if name not in otherwise and not OURS.fullmatch(name)}
    return _closed({name: {k: v for k, v in field.items() if k not in _OF_PYDANTIC} for name, field in mine.items()})


def _object(node: yaml.MappingNode, lines: list[str]) -> Schema:
    return _closed({key.value: _described(key, value, lines) for key, value in node.value})


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _described(key: yaml.ScalarNode, value: yaml.Node, lines: list[str]) -> Schema:
    said, at = list[str](), key.start_mark.line - 1
    own_line = lines[at + 1][: key.start_mark.column].isspace() or key.start_mark.column == 0
    while own_line and lines[at].lstrip().startswith("# "):
        said.insert(0, lines[at].lstrip()[2:])
        at -= 1
    tags = {words[0]: words[1:] for line in said if line.startswith("@") and (words := line.split())}
    schema = _of(value, lines, tags)
    text = " ".join(line for line in said if not line.startswith("@"))
    return {"description": text, **schema} if text else schema


def _of(node: yaml.Node, lines: list[str], tags: dict[str, list[str]]) -> Schema:
    if "@enum" in tags:
        return {"enum": tags["@enum"], "default": node.value}
    if isinstance(node, yaml.MappingNode):
        is_open = "@any" in tags or (not node.value and "@secrets" not in tags)
        if "@map" in tags:
            return {"type": "object", "additionalProperties": _object(node.value[0][1], lines)}
        return {"type": "object"} if is_open else _object(node, lines)
    if isinstance(node, yaml.SequenceNode):
        return {"type": "array"}
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    return {"type": _SCALARS[kind], "default": yaml.safe_load(node.value) if kind != "str" else node.value}


def _over(base: Schema, own: Schema) -> Schema:
    """What may stand in `base`, or here; the description, and what is by default, are those said last."""
    if "properties" not in base:
        return base
    properties = {**base["properties"]}
    for name, schema in own["properties"].items():
        is_both = properties.get(name, {}).get("type") == "object" and name not in ("settings", "secrets")
        properties[name] = _over(properties[name], schema) if is_both else schema | _kind(properties.get(name, {}))
    return {**base, **own, "properties": properties}


def _kind(base: Schema) -> Schema:
    return {"enum": base["enum"]} if "enum" in base else {}


if __name__ == "__main__":
    main()
