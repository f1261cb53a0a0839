"""The environment files of docs/recipes/vm.md with their passwords filled in, as its reader has them."""

import base64
import re
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = ("storyboard", "job", "provider_gateway", "compiler", "studio")
PASSWORD = re.compile(r"@([a-z_]+)@")


def passwords() -> dict[str, str]:
    """One for each name between `@`; the vault's key has a form of its own."""
    texts = [path.read_text() for path in [*(FOLDER / "env").glob("*.env"), FOLDER / "databases.sql"]]
    named = {name: secrets.token_hex(24) for text in texts for name in PASSWORD.findall(text)}
    return named | {"vault": base64.b64encode(secrets.token_bytes(32)).decode()}


def text(path: Path, known: Mapping[str, str]) -> str:
    """A file with its passwords."""
    return PASSWORD.sub(lambda found: known[found[1]], path.read_text())


def variables(known: Mapping[str, str], *names: str) -> dict[str, str]:
    """What the environment files of these names tell, the later ones last, read as systemd reads them."""
    told: dict[str, str] = {}
    for name in names:
        for word in shlex.split(text(FOLDER / "env" / f"{name}.env", known), comments=True):
            variable, _, value = word.partition("=")
            told[variable] = value
    return told
