"""The verbs of jobs and takes, as a person types them."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

job_app = typer.Typer(help="Look at jobs and their queues, stop jobs, and take them up again.", no_args_is_help=True)
take_app = typer.Typer(help="Look at takes, and choose between them.", no_args_is_help=True)

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Job = Annotated[str, typer.Argument(metavar="JOB")]
Take = Annotated[str, typer.Argument(metavar="TAKE")]
Count = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]


@job_app.command("list")
def list_jobs(
    state: Annotated[str, typer.Option(metavar="STATE", help="Only jobs in this state, such as running.")] = "",
    production: Annotated[str, typer.Option(metavar="ID", help="Only one production's.")] = "",
    stuck: Annotated[bool, typer.Option("--stuck", help="Only those that nothing was heard of for long.")] = False,
    count: Count = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show jobs, newest first."""
    from services.cli import slate

    slate.list_jobs(_folder(home), state, production, stuck, count, as_json, out)


@job_app.command("show")
def show_job(job_id: Job, home: Home = None, as_json: AsJson = False) -> None:
    """Show one job."""
    from services.cli import slate

    slate.show_job(_folder(home), job_id, as_json, out)


@job_app.command("retry")
def retry(job_id: Job, home: Home = None, as_json: AsJson = False) -> None:
    """Take a job up where it stands; what may be paid is looked for or fetched, never bought again."""
    from services.cli import slate

    slate.retry(_folder(home), job_id, as_json, out)


@job_app.command("cancel")
def cancel(job_id: Job, home: Home = None, as_json: AsJson = False) -> None:
    """Stop one job where that is free; what is paid is finished and kept."""
    from services.cli import slate

    slate.cancel(_folder(home), job_id, as_json, out)


@job_app.command("history")
def history(job_id: Job, home: Home = None, as_json: AsJson = False) -> None:
    """Show what happened to a job, step by step, and its paid calls."""
    from services.cli import slate

    slate.history(_folder(home), job_id, as_json, out)


@job_app.command("queues")
def queues(
    by: Annotated[str, typer.Option(metavar="KEY", help="provider, model or tenant.")] = "model",
    every_tenant: Annotated[bool, typer.Option("--every-tenant", help="The jobs of all; operators only.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Count the jobs that wait, are parked, run, and are stuck, and say since when."""
    from services.cli import slate

    slate.queues(_folder(home), by, every_tenant, as_json, out)


@take_app.command("list")
def list_takes(
    board: Annotated[str, typer.Argument(metavar="STORYBOARD", help="Its id, or a board file that was filmed.")],
    scene: Annotated[str, typer.Option(metavar="ID", help="Only one scene's.")] = "",
    picked: Annotated[bool, typer.Option("--picked", help="Only picked takes.")] = False,
    count: Count = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the takes of a storyboard, newest first."""
    from services.cli import slate

    slate.list_takes(_folder(home), board, scene, picked, count, as_json, out)


@take_app.command("show")
def show_take(take_id: Take, home: Home = None, as_json: AsJson = False) -> None:
    """Show one take."""
    from services.cli import slate

    slate.show_take(_folder(home), take_id, as_json, out)


@take_app.command("pick")
def pick(take_id: Take, home: Home = None, as_json: AsJson = False) -> None:
    """Make it the one of its scene; says which takes start on what is no longer picked."""
    from services.cli import slate

    slate.pick(_folder(home), take_id, as_json, out)


@take_app.command("unpick")
def unpick(take_id: Take, home: Home = None, as_json: AsJson = False) -> None:
    """Leave its scene without a picked take."""
    from services.cli import slate

    slate.unpick(_folder(home), take_id, as_json, out)


@take_app.command("note")
def note(
    take_id: Take,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to remember of it; empty removes it.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a note on a take."""
    from services.cli import slate

    slate.note(_folder(home), take_id, text, as_json, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
