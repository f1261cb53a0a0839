"""The verbs of the audit, as a person types them."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer(help="See what was decided about money, keys and access.", no_args_is_help=True)

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command("list")
def list_entries(
    target: Annotated[str, typer.Option(help="Only what was done to the thing with this id.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest decisions of every service: when, who, what, and to which thing."""
    from services.cli import auditor

    auditor.list_entries(_folder(home), target, as_json, out)


@app.command()
def verify(home: Home = None, as_json: AsJson = False) -> None:
    """Compute every hash of every service anew. Exits with 1 when something was changed or removed, and says where."""
    from services.cli import auditor

    auditor.verify(_folder(home), as_json, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
