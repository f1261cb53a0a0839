"""The verbs of dead letters, as a person types them."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer(help="Look after events that a service could not handle.", no_args_is_help=True)

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Event = Annotated[str, typer.Argument(metavar="EVENT")]


@app.command("list")
def list_letters(
    state: Annotated[str, typer.Option(metavar="STATE", help="Only dead, handled or discarded ones.")] = "dead",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the letters of every service: why, how often tried, how old, and the money that hangs on each."""
    from services.cli import undertaker

    undertaker.list_letters(_folder(home), state, as_json, out)


@app.command()
def show(event: Event, home: Home = None, as_json: AsJson = False) -> None:
    """Show one letter: ids and numbers, and where in the code it failed."""
    from services.cli import undertaker

    undertaker.show(_folder(home), event, as_json, out)


@app.command()
def retry(event: Event, home: Home = None, as_json: AsJson = False) -> None:
    """Have it handled again, now. Exits with 1 when that fails."""
    from services.cli import undertaker

    undertaker.retry(_folder(home), event, as_json, out)


@app.command()
def discard(
    event: Event,
    note: Annotated[str, typer.Option(help="Why it need not be handled.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Settle it without handling it; the event never counts."""
    from services.cli import undertaker

    undertaker.discard(_folder(home), event, note, as_json, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
