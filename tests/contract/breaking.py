"""Refuses a change of the contract that breaks callers: `python tests/contract/breaking.py`."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUF = Path(sys.executable).with_name("buf")


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False)


def commit(name: str) -> str:
    """The id of the commit with this name; empty when there is none."""
    found = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return found.stdout.decode().strip()


def bases() -> Iterator[str]:
    """What callers may already use, best first: main, else what is committed, else the commit before."""
    head = commit("HEAD")
    for main in ("origin/main", "main"):
        if commit(main) not in ("", head):
            yield git("merge-base", head, main).stdout.decode().strip()
    if git("diff", "--quiet", "HEAD", "--", "proto/rushes").returncode != 0:
        yield head
    yield commit("HEAD^")


def main() -> int:
    """Compare with the first base that has a contract; buf prints what breaks."""
    base = next((it for it in bases() if it and git("cat-file", "-e", f"{it}:proto/rushes").returncode == 0), None)
    if base is None:
        sys.stdout.write("breaking: no earlier commit has a contract to compare with\n")
        return 0
    with tempfile.TemporaryDirectory() as before:
        archive = git("archive", base, "buf.yaml", "proto")
        archive.check_returncode()
        # The tool, not the module: what is safe there differs between the versions of Python we run on.
        subprocess.run(["tar", "--extract", "--directory", before], input=archive.stdout, check=True)
        return subprocess.run([BUF, "breaking", "--against", before], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
