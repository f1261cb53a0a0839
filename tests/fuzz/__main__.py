"""`python -m tests.fuzz SCHEMATHESIS`: strangers try all that the OpenAPI document says of a house with films in it."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from services.cli import house
from tests.bench import home
from tests.fuzz import things

_SERVICES = ("sandbox", "provider_gateway", "storyboard", "job", "compiler", "studio")
_CONFIG = Path(__file__).parents[1] / "contract" / "schemathesis.toml"


async def main() -> int:
    """0 when neither who has a token nor who has none has found anything."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("schemathesis")
    arguments.add_argument("--examples", type=int, default=15, help="of each operation, besides those that cover it")
    arguments.add_argument("--only", default="", help="operations whose path is like this regular expression")
    asked = arguments.parse_args()
    os.environ |= {"RUSHES_LOG_LEVEL": "ERROR"}
    async with home.running(_SERVICES) as of:
        token = of.token.read_text().strip()
        known = await things.make(f"http://{of.address('studio')}", token)
        config = of.folder / "schemathesis.toml"
        config.write_text(_CONFIG.read_text() + things.dictionaries(known))
        ends = [
            await _try(of, asked, config, who, headers)
            for who, headers in (("nobody", []), ("the owner", ["-H", f"Authorization: Bearer {token}"]))
        ]
    return int(any(ends))


async def _try(of: house.House, asked: argparse.Namespace, config: Path, who: str, headers: list[str]) -> int:
    """One run of every check; what it came to is printed in one line."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [asked.schemathesis, "--config-file", str(config), "run"]
        command += [f"http://{of.address('studio')}/v1/openapi.json", *headers, "-n", str(asked.examples)]
        command += ["--continue-on-failure", "--report-json-path", report.name, "--workers", "2"]
        command += ["--include-path-regex", asked.only] if asked.only else []
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, cwd=of.folder)
        end = await process.wait()
        _sum(who, json.load(report))
    return end


def _sum(who: str, told: dict[str, Any]) -> None:
    cases, operations = told["test_cases"], told["operations"]
    phases = ", ".join(f"{name} {phase['status']}" for name, phase in told["phases"].items())
    print(
        f"{who}: {operations['tested']} of {operations['total']} operations, {cases['generated']} cases, "
        f"{cases['unique_failures']} findings; {phases}"
    )


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
