"""The verbs of operating, as a person types them: check, and what dead letters need."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

from services.cli import dead

app = typer.Typer(help="Operate an installation.", no_args_is_help=True)
app.add_typer(dead.app, name="dead")

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
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


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
