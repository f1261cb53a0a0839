"""Checks docker-compose.yml against the JSON Schema of the specification: `python -m tests.images.schema SCHEMA`."""

import json
import pathlib
import sys

import jsonschema
import yaml

from tests.images import compose


def main(schema: pathlib.Path) -> None:
    """Print every fault and where it is; ends with 1 when there is one."""
    written = yaml.safe_load(compose.FILE.read_text())
    checker = jsonschema.validators.validator_for(told := json.loads(schema.read_text()))(told)
    faults = [f"{error.json_path}: {error.message}" for error in checker.iter_errors(written)]
    print("\n".join(faults or [f"{compose.FILE.name} is as the specification wants it"]))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
