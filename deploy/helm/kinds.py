"""Writes what Kubernetes and its operators accept, as JSON schemas: `kinds.py OUT VERSION=SWAGGER… CRD…`."""

import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import yaml

Schema = dict[str, Any]
_ANY_OF_BOTH: Schema = {"oneOf": [{"type": "string"}, {"type": "number"}]}
_BOTH = ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity")
_HERE = "#/definitions/"


def main(out: str, *sources: str) -> None:
    """One file for each kind: OUT/v1.36.3/apps/deployment_v1.json, OUT/crds/keda.sh/scaledobject_v1alpha1.json."""
    for source in sources:
        version, _, swagger = source.rpartition("=")
        text = pathlib.Path(swagger).read_text()
        found = _built_in(json.loads(text)) if version else _custom(text)
        for (group, of, kind), schema in found:
            file = pathlib.Path(out, version or "crds", group or of, f"{kind.lower()}_{of}.json")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(schema))


def _built_in(swagger: Schema) -> Iterator[tuple[tuple[str, str, str], Schema]]:
    definitions = {name: _strict(one) for name, one in swagger["definitions"].items()}
    definitions |= {name: _ANY_OF_BOTH for name in _BOTH}
    for name, one in definitions.items():
        for kind in one.get("x-kubernetes-group-version-kind", []):
            needed = dict.fromkeys(_needed(definitions, name))
            yield (
                (kind["group"], kind["version"], kind["kind"]),
                one | {"definitions": {other: definitions[other] for other in needed}},
            )


def _needed(definitions: dict[str, Schema], name: str) -> set[str]:
    seen, ahead = set[str](), [name]
    while ahead:
        for other in _named(definitions[ahead.pop()]):
            if other not in seen:
                seen.add(other)
                ahead.append(other)
    return seen


def _named(node: Any) -> Iterator[str]:
    """The definitions that a schema refers to."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.removeprefix(_HERE)
        node = list(node.values())
    for one in node if isinstance(node, list) else []:
        yield from _named(one)


def _custom(text: str) -> Iterator[tuple[tuple[str, str, str], Schema]]:
    for document in yaml.safe_load_all(text):
        if (document or {}).get("kind") == "CustomResourceDefinition":
            spec = document["spec"]
            for version in spec["versions"]:
                schema = _strict(version["schema"]["openAPIV3Schema"])
                yield (spec["group"], version["name"], spec["names"]["kind"]), schema


def _strict(node: Any) -> Any:
    """The same schema, in which an object has no properties but those that are written down."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string"):
        return _ANY_OF_BOTH
    strict = {key: _strict(one) for key, one in node.items() if key != "description"}
    is_open = "additionalProperties" in node or node.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(node.get("properties"), dict) and not is_open and node.get("type") == "object":
        strict["additionalProperties"] = False
    return strict


if __name__ == "__main__":
    main(*sys.argv[1:])
