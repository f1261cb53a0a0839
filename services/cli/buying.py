"""The verbs about buying, as a person types them: models, providers, and the submissions behind the jobs."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer()
submissions_app = typer.Typer(help="Follow paid calls, and decide about unknown outcomes.", no_args_is_help=True)
app.add_typer(submissions_app, name="submissions")

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Id = Annotated[str, typer.Argument(metavar="SUBMISSION")]


@app.command()
def models(
    search: Annotated[str, typer.Argument(metavar="[TEXT]", help="Only what holds this text.")] = "",
    endpoint: Annotated[str, typer.Option(metavar="NAME", help="Only what one endpoint sells.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Retired ones too, and those without a key here.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what can be bought: lengths, sizes, prices, and until when."""
    from services.cli import calls

    calls.models(_folder(home), search, endpoint, everything, as_json, out)


@app.command()
def providers(home: Home = None, as_json: AsJson = False) -> None:
    """Show where you can buy, and how it is going there: breakers, what is under way, what is at stake."""
    from services.cli import calls

    calls.providers(_folder(home), as_json, out)


@submissions_app.command("list")
def list_all(
    state: Annotated[str, typer.Option(metavar="STATE", help="Only those in one state, such as unknown.")] = "",
    job: Annotated[str, typer.Option(metavar="ID", help="Only one job's.")] = "",
    count: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show paid calls, newest first."""
    from services.cli import calls

    calls.submissions(_folder(home), state, job, count, as_json, out)


@submissions_app.command()
def show(submission_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Show one paid call, and what was learned about it."""
    from services.cli import calls

    calls.show(_folder(home), submission_id, as_json, out)


@submissions_app.command()
def watch(submission_id: Id, home: Home = None) -> None:
    """Follow a paid call to its end."""
    from services.cli import calls

    calls.watch(_folder(home), submission_id, out)


@submissions_app.command()
def cancel(submission_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Stop a paid call where that is free, and ask the provider to stop where it can; what is paid is kept."""
    from services.cli import calls

    calls.cancel(_folder(home), submission_id, as_json, out)


@submissions_app.command()
def reconcile(
    submission_id: Id,
    provider_job: Annotated[str, typer.Option(metavar="ID", help="The provider's id, as its own pages show it.")] = "",
    note: Annotated[str, typer.Option(help="Where it was found, for the record.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Look again for an unknown outcome; or name the provider's job that it is."""
    from services.cli import calls

    calls.reconcile(_folder(home), submission_id, provider_job, note, as_json, out)


@submissions_app.command()
def settle(
    submission_id: Id,
    note: Annotated[str, typer.Option(help="How you know it, for the record.")],
    charged: Annotated[str, typer.Option(metavar="AMOUNT", help="What the bill says; 0 when nothing was charged.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Close an unknown outcome by your word: charged so much, or nothing."""
    from services.cli import calls

    calls.settle(_folder(home), submission_id, charged, note, as_json, out)


@submissions_app.command()
def fetch(submission_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Download a paid clip again now; it costs nothing."""
    from services.cli import calls

    calls.fetch(_folder(home), submission_id, as_json, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
