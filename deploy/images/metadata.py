"""Says which distribution the code in a folder is, as an installation would: `metadata.py PYPROJECT FOLDER`."""

import pathlib
import sys
import tomllib


def main(pyproject: pathlib.Path, folder: pathlib.Path) -> None:
    """Write what `importlib.metadata` reads of it."""
    project = tomllib.loads(pyproject.read_text())["project"]
    place = folder / f"{project['name']}-{project['version']}.dist-info"
    place.mkdir()
    lines = ["Metadata-Version: 2.4", f"Name: {project['name']}", f"Version: {project['version']}", ""]
    place.joinpath("METADATA").write_text("\n".join(lines))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
