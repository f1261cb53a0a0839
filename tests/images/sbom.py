"""Writes what an image is made of, as CycloneDX: the Python distributions that are in its root, with their licences."""

import json
import os
import pathlib
import subprocess

from tests.images import build

CYCLONEDX = build.TOOLS / "cyclonedx-bom-7.5.0"


def write(root: pathlib.Path, target: str) -> int:
    """Write sbom/rushes-<target>.cdx.json among the tools; how many components it names."""
    output = build.TOOLS / "sbom" / f"rushes-{target}.cdx.json"
    output.parent.mkdir(exist_ok=True)
    # A Python is asked where it looks for distributions: this one looks into the image, and runs nothing of it.
    asked = output.with_suffix(".python")
    places = ":".join(map(str, [*root.glob("app/venv/lib/python3*/site-packages"), root / "app"]))
    asked.write_text(f'#!/bin/sh\nPYTHONPATH={places} exec python3 -S -s "$@"\n')
    asked.chmod(0o755)
    words = ("environment", "-S", "--output-reproducible", "--output-format", "JSON", "-o", str(output), str(asked))
    subprocess.run((str(CYCLONEDX / "bin" / "cyclonedx-py"), *words), check=True, env={"PATH": os.environ["PATH"]})
    asked.unlink()
    return len(json.loads(output.read_text())["components"])
