"""The verbs of productions, as a person types them: plan, create, and whatever is done to them afterwards."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer(help="Plan, begin, watch and hold productions.", no_args_is_help=True)

out = rich.console.Console(highlight=False, soft_wrap=True)
err = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Board = Annotated[str, typer.Argument(metavar="STORYBOARD", help="A storyboard's id, or a board file.")]
Id = Annotated[str, typer.Argument(metavar="PRODUCTION")]
Revision = Annotated[int, typer.Option(min=0, metavar="NUMBER", help="The revision to film; the newest without it.")]
Remake = Annotated[
    list[str] | None,
    typer.Option(metavar="SCENE", help="Make this scene anew though a take fits: its number or id, or `all`."),
]
Takes = Annotated[int, typer.Option(min=1, max=10, metavar="COUNT", help="Takes of each scene that is made.")]
Model = Annotated[str, typer.Option(metavar="ID", help="Make all that is made with this model; `rushes models`.")]
Resolution = Annotated[
    str,
    typer.Option(metavar="NAME", help="Make it at this resolution, such as 480p for a draft; the board's without it."),
]
ByHand = Annotated[bool, typer.Option("--pick-by-hand", help="Wait for a person to pick the takes.")]
ApproveAbove = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="Wait for approval when it can cost more, such as 5.00.")
]


@app.command()
def plan(
    board: Board,
    revision: Revision = 0,
    remake: Remake = None,
    takes: Takes = 1,
    model: Model = "",
    resolution: Resolution = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show for each scene whether a take is used again or made, why, and for how much; nothing is spent."""
    from services.cli import productions

    wanted = productions.Wanted(board, revision, tuple(remake or ()), takes, model, resolution)
    productions.plan(_folder(home), wanted, as_json, out)


@app.command()
def create(
    board: Board,
    revision: Revision = 0,
    remake: Remake = None,
    takes: Takes = 1,
    model: Model = "",
    resolution: Resolution = "",
    pick_by_hand: ByHand = False,
    approve_above: ApproveAbove = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; in a script, give --max-cost too.")] = False,
    max_cost: Annotated[str | None, typer.Option(metavar="AMOUNT", help="Refuse when it can cost more.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Plan, ask, and begin exactly what was shown; prints the production's id."""
    from services.cli import productions

    told = (board, revision, tuple(remake or ()), takes, model, resolution)
    wanted = productions.Wanted(*told, pick_by_hand, approve_above)
    productions.create(_folder(home), wanted, yes, max_cost, as_json, out, err)


@app.command("list")
def list_all(
    storyboard: Annotated[
        str, typer.Option(metavar="STORYBOARD", help="Only those of one: its id, or a board file that was filmed.")
    ] = "",
    count: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show productions, newest first."""
    from services.cli import productions

    productions.list_all(_folder(home), storyboard, count, as_json, out)


@app.command()
def show(production_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Show one production with its scenes and jobs."""
    from services.cli import productions

    productions.show(_folder(home), production_id, as_json, out)


@app.command()
def watch(production_id: Id, home: Home = None) -> None:
    """Follow a production to its end; leaving the view never stops the work."""
    from services.cli import screening

    screening.watch(production_id, _folder(home), err)


@app.command()
def pause(production_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Ask for no more clips; those that are asked for are finished and kept."""
    from services.cli import productions

    productions.turn(_folder(home), "PauseProduction", production_id, as_json, out)


@app.command()
def resume(production_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Go on with a paused production."""
    from services.cli import productions

    productions.turn(_folder(home), "ResumeProduction", production_id, as_json, out)


@app.command()
def approve(production_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Let a production that waits for it spend its money."""
    from services.cli import productions

    productions.turn(_folder(home), "ApproveProduction", production_id, as_json, out)


@app.command()
def cancel(production_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Stop what costs nothing to stop; what is paid is finished and kept. Says what it costs."""
    from services.cli import productions

    productions.cancel(_folder(home), production_id, as_json, out)


def costs(
    by: Annotated[
        str,
        typer.Option(metavar="KEY", help="tenant, storyboard, production, scene, model, account or day."),
    ] = "tenant",
    storyboard: Annotated[
        str, typer.Option(metavar="STORYBOARD", help="Only one's: its id, or a board file that was filmed.")
    ] = "",
    production: Annotated[str, typer.Option(metavar="ID", help="Only one production's.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what was quoted, spent and held, and what is in suspense."""
    from services.cli import productions

    productions.costs(_folder(home), by, storyboard, production, as_json, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
