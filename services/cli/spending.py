"""The verbs about money, as a person types them: budget, ledger, balance, stop and resume."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer()
budget_app = typer.Typer(help="Show and move budgets: nothing is bought beyond them.", no_args_is_help=True)
app.add_typer(budget_app, name="budget")

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Play = Annotated[bool, typer.Option("--play", help="In play money, which the sandbox is paid in.")]
Storyboard = Annotated[str | None, typer.Option(metavar="ID", help="Around all productions of one storyboard.")]
Production = Annotated[str | None, typer.Option(metavar="ID", help="Around one production.")]
Credential = Annotated[str | None, typer.Option(metavar="ID", help="Around what is bought with one credential.")]
Period = Annotated[str, typer.Option(metavar="PERIOD", help="How often it begins anew, in UTC: ever, day or month.")]


@budget_app.command("show")
def show(
    storyboard: Storyboard = None,
    production: Production = None,
    credential: Credential = None,
    period: Period = "ever",
    play: Play = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show one budget: its limit, and what is left, reserved, spent and in suspense."""
    from services.cli import purse

    place = purse.place(storyboard, production, credential, period)
    purse.show(purse.budget(_folder(home), place, play), as_json, out)


@budget_app.command("set")
def set_limit(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="The limit that shall hold, such as 5.00.")],
    storyboard: Storyboard = None,
    production: Production = None,
    credential: Credential = None,
    period: Period = "ever",
    play: Play = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put a budget up, or change its limit; it counts what is ordered from then on, and what waits is tried again."""
    from services.cli import purse

    place = purse.place(storyboard, production, credential, period)
    purse.show(purse.set_budget(_folder(home), place, amount, play), as_json, out)


@budget_app.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """Show every budget that stands."""
    from services.cli import purse

    purse.show(purse.budgets(_folder(home)), as_json, out)


@budget_app.command("delete")
def delete(
    storyboard: Storyboard = None,
    production: Production = None,
    credential: Credential = None,
    period: Period = "ever",
    play: Play = False,
    home: Home = None,
) -> None:
    """Take a budget down; the one around everything for ever stays."""
    from services.cli import purse

    purse.delete_budget(_folder(home), purse.place(storyboard, production, credential, period), play)
    out.print("The budget is gone.")


@app.command()
def ledger(
    submission: Annotated[str, typer.Option(metavar="ID", help="Only the entries of one paid call.")] = "",
    count: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what was set aside, charged and given back, newest first; in UTC."""
    from services.cli import purse

    purse.show(purse.entries(_folder(home), submission, count), as_json, out)


@app.command()
def balance(home: Home = None, as_json: AsJson = False) -> None:
    """Show where you stand in each currency, what is at stake, and what waits or is stopped."""
    from services.cli import purse

    purse.show(purse.balances(_folder(home)), as_json, out)
    if not as_json:
        purse.show_stopped(_folder(home), out)


@app.command()
def stop(
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why, for the record.")],
    endpoint: Annotated[str | None, typer.Option(metavar="NAME", help="Stop buying at one endpoint only.")] = None,
    model: Annotated[str | None, typer.Option(metavar="ID", help="Stop buying one model only.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Stop every tenant; for operators.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Stop buying at once; what is paid is finished and kept, and what is asked for waits."""
    from services.cli import purse

    purse.show(purse.stop(_folder(home), reason, endpoint, model, everyone), as_json, out)


@app.command()
def resume(
    switch_id: Annotated[
        str | None, typer.Argument(metavar="[SWITCH]", help="What to let go on, where several stop.")
    ] = None,
    home: Home = None,
) -> None:
    """Let buying go on; what has waited is tried again."""
    from services.cli import purse

    out.print(purse.resume(_folder(home), switch_id), markup=False)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
