"""The `rushes` command: each verb in one place, each loading only the rooms it needs."""

import os
import types
from pathlib import Path
from typing import Annotated

import rich.console
import typer

from services.cli import (
    board_files,
    board_verbs,
    buying,
    config,
    credentials,
    environment,
    exits,
    film_verbs,
    ops,
    people,
    production,
    spending,
    takes,
    webhook,
)

app = typer.Typer(
    help="Turns a storyboard into a finished film by driving AI video providers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 money, 7 some scenes "
    "failed, 8 provider, 9 timeout, 10 unconfirmed, 75 not now but later, 78 settings, 130 interrupted (work goes on).",
)
board_app = typer.Typer(help="Check board files; keep, edit and find boards.", no_args_is_help=True)
board_app.add_typer(board_verbs.app)
board_app.add_typer(board_files.app)
app.add_typer(board_app, name="board")
app.add_typer(film_verbs.app)
app.add_typer(spending.app)
app.add_typer(buying.app)
app.add_typer(credentials.app, name="credentials")
app.add_typer(production.app, name="production")
app.add_typer(takes.job_app, name="job")
app.add_typer(takes.take_app, name="take")
app.add_typer(people.app, name="people")
app.add_typer(webhook.app, name="webhook")
app.add_typer(ops.app, name="ops")
app.add_typer(config.app, name="config")

out = rich.console.Console(highlight=False, soft_wrap=True)
err = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]


@app.command()
def up(
    home: Home = None,
    detach: Annotated[bool, typer.Option(help="Return when the house is ready; it keeps running.")] = False,
    while_used: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Start the whole house on this machine and keep it running; Ctrl-C drains it."""
    of = _folder(home)
    _household(of).up(of, detach, while_used, out, err)


@app.command()
def down(home: Home = None) -> None:
    """Stop the house: services drain first, then the bus, then the database."""
    of = _folder(home)
    _household(of).down(of, out)


@app.command()
def status(
    home: Home = None, as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False
) -> None:
    """Show every process of the house: pid, address, health, uptime, restarts. Exits with 1 when one is not healthy."""
    from services.cli import afar, house

    of = _folder(home)
    (afar if house.is_elsewhere(of) else _household(of)).status(of, as_json, out)


@app.command()
def doctor(home: Home = None) -> None:
    """Examine this machine and the house: what is wrong, and the remedy. Exits with 1 when something is."""
    from services.cli import afar, house

    of = _folder(home)
    (afar if house.is_elsewhere(of) else _household(of)).doctor(of, out)


@app.command()
def token(home: Home = None) -> None:
    """Print the bearer token of the house, for grpcurl and other clients."""
    from services.cli import house

    of = house.load(_folder(home))
    out.print(house.bearer(of))


@app.command("studio")
def studio_address(home: Home = None) -> None:
    """Print an address that lets a browser of yours into the studio: once, within ten minutes."""
    from services.cli import studio

    out.print(studio.show(_folder(home)), markup=False)


@app.command()
def watch(
    production_id: Annotated[str, typer.Argument(metavar="PRODUCTION_ID")],
    home: Home = None,
) -> None:
    """Follow a production to its end; leaving the view never stops the work of a running house."""
    from services.cli import screening

    screening.watch(production_id, _folder(home), err)


app.command()(production.costs)


@board_app.command("validate")
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Board files in YAML.")],
) -> None:
    """Check board files: every fault at once, with its line and the remedy. Exits with 2 when there is one."""
    from services.cli import board_file, yaml_file

    faults = []
    for path in files:
        try:
            read = board_file.read(path).board
            seconds = sum(scene.duration for scene in read.scenes)
            out.print(f"{path}: fine: {read.name}, {read.scene_count}, {seconds} s", markup=False)
        except yaml_file.Faulty as faulty:
            faults.append(str(faulty))
    if faults:
        raise exits.Ended("\n".join(faults), exits.Code.USAGE)


@board_app.command("schema")
def schema() -> None:
    """Print the JSON Schema of board files, for editors."""
    import json

    from services.cli import board

    print(json.dumps(board.schema(), indent=2), flush=True)  # here, not at exit, `| head` is gone without a word


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr and an exit code."""
    os.environ.update(environment.past_proxies())
    try:
        app()
    except exits.Ended as ended:
        if str(ended):
            err.print(str(ended), markup=False)
        raise SystemExit(int(ended.code)) from None
    except KeyboardInterrupt:
        raise SystemExit(int(exits.Code.INTERRUPTED)) from None


def _household(folder: Path) -> types.ModuleType:
    """The verbs about a house on this machine. Raises Ended where there can be none."""
    from services.cli import house

    if house.is_elsewhere(folder):
        raise exits.Ended(
            f"The house of {folder} runs elsewhere: whoever runs its containers starts and stops them.",
            exits.Code.CONFLICT,
        )
    try:
        from services.cli import household
    except ModuleNotFoundError as missing:
        raise exits.Ended(
            f"Only the command is installed here, as in an image, without {missing.name}: no house can run here, and "
            f"{folder} does not say where one runs. Name a folder that does with --home or RUSHES_HOME "
            "(docs/kubernetes.md), or install everything.",
            exits.Code.CONFIG,
        ) from None
    return household


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()


if __name__ == "__main__":
    main()
