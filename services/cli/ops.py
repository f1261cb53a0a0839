"""The verbs of operating, as a person types them: how all does, what is stuck, and what can be done about it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import rich.console
import typer

from services.cli import audits, dead

app = typer.Typer(help="Operate an installation.", no_args_is_help=True)
app.add_typer(dead.app, name="dead")
app.add_typer(audits.app, name="audit")

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Service = Annotated[str, typer.Argument(metavar="SERVICE", help="storyboard, job, provider_gateway or compiler.")]
_SHOWN = 20


@app.callback()
def main() -> None:
    """Operate an installation."""


@app.command()
def check(
    home: Home = None,
    gateway_database: Annotated[str, typer.Option(metavar="URL", help="The gateway's, instead of the house's.")] = "",
    job_database: Annotated[str, typer.Option(metavar="URL", help="The jobs', instead of the house's.")] = "",
    blobs: Annotated[str, typer.Option(metavar="URL", help="The media store, instead of the house's.")] = "",
    sandbox_ledger: Annotated[Path | None, typer.Option(help="What a sandbox noted, to compare with.")] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds for which things may be under way.")] = 300,
    as_json: AsJson = False,
) -> None:
    """Compare all books with each other, changing nothing. Exits with 1 when a promise is broken."""
    import asyncio

    from services.cli import check as examiner
    from services.cli import exits

    sources = examiner.Sources(gateway_database, job_database, blobs, sandbox_ledger)
    report = asyncio.run(examiner.examine(examiner.of_house(_folder(home), sources), grace))
    if as_json:
        out.print_json(report.as_json())
    else:
        for finding in report.findings:
            out.print(f"{len(finding.wrong):>4} of {finding.looked_at}: {finding.promise}", markup=False)
            for wrong in finding.wrong[:_SHOWN]:
                out.print(f"       {wrong}", markup=False)
        for name, figure in sorted(report.figures.items()):
            out.print(f"{name}: {figure}", markup=False)
    if report.violations:
        raise exits.Ended(f"{report.violations} violations.")


@app.command()
def status(home: Home = None, as_json: AsJson = False) -> None:
    """Show how each service does: loops, schema, events to publish, dead letters."""
    from services.cli import steward

    steward.status(_folder(home), as_json, out)


@app.command()
def stuck(
    overdue: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="For how long at least.")] = 300,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show work that does not go on, why, and the money that hangs on it."""
    from services.cli import steward

    steward.stuck(_folder(home), overdue, as_json, out)


@app.command()
def config(service: Service, home: Home = None, as_json: AsJson = False) -> None:
    """Show the settings a service runs with; secrets are hidden."""
    from services.cli import steward

    steward.config(_folder(home), service, as_json, out)


@app.command("log-level")
def log_level(
    service: Service,
    level: Annotated[str, typer.Argument(metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR.")],
    lifetime: Annotated[float, typer.Option("--for", min=0, metavar="SECONDS", help="0: until a restart.")] = 600,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Change what a service logs, for ten minutes unless told otherwise."""
    from services.cli import steward

    steward.log_level(_folder(home), service, level, lifetime, as_json, out)


@app.command()
def replay(
    service: Service,
    since: Annotated[datetime | None, typer.Option(help="Events written then or later, in UTC.")] = None,
    event: Annotated[str, typer.Option(help="That event, and those after it.")] = "",
    event_type: Annotated[str, typer.Option(help="Only these, such as rushes.job.v1.ClipRequested.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Have a service publish its events again; who has handled one does nothing about it."""
    from services.cli import steward

    steward.replay(_folder(home), service, since, event, event_type, as_json, out)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder: secrets come into it.")],
    home: Home = None,
) -> None:
    """Copy a house that runs: its databases and secrets. Media are not in it."""
    import asyncio

    from services.cli import backup as copier

    asyncio.run(copier.take(_folder(home), target.expanduser().absolute(), _say))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `rushes ops backup` made.")],
    home: Home = None,
) -> None:
    """Bring a copy back to a house that does not run; what it may have bought since, it looks for when it starts."""
    import asyncio

    from services.cli import backup as copier

    asyncio.run(copier.bring_back(_folder(home), source.expanduser().absolute(), _say))


def _say(note: str) -> None:
    out.print(note, markup=False)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
