"""What a house leaves on a machine: processes and files."""

from pathlib import Path


def processes(home: Path) -> dict[int, str]:
    """Every living process that names this folder on its command line or in its environment, by pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:  # it ended, or is another user's
            continue
        if any(str(home).encode() in one for one in told):
            found[int(folder.name)] = told[0].replace(b"\0", b" ").decode(errors="replace")
    return found


def files(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
