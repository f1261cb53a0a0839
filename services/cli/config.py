"""The verbs about settings, as a person types them: check, show and docs."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer(help="Examine what processes are told by their environment.", no_args_is_help=True)

out = rich.console.Console(highlight=False, soft_wrap=True)

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="As in `python -m services.SERVICE`.")]


@app.command()
def check(
    services: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]...", help="All without it.")] = None,
) -> None:
    """Say every fault of this environment, changing nothing. Exits with 78 when there is one."""
    from libs import settings
    from services.cli import config_guide, exits

    wrong: dict[str, list[str]] = {}
    for service in services or config_guide.SERVICES:
        _, faults = settings.read(config_guide.class_of(_known(service)))
        for fault in faults:
            wrong.setdefault(fault, []).append(service)
    for fault, readers in wrong.items():
        out.print(f"{fault} ({', '.join(readers)})", markup=False)
    if wrong:
        raise exits.Ended(f"{len(wrong)} fault{'s' if len(wrong) > 1 else ''}.", exits.Code.CONFIG)
    out.print("fine", markup=False)


@app.command()
def show(
    service: Service,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print what a service makes of this environment, secrets masked; `*` marks what is not as by default."""
    import json

    from libs import settings
    from services.cli import config_guide, exits

    told, faults = settings.read(config_guide.class_of(_known(service)))
    if told is None or faults:
        raise exits.Ended("\n".join(faults), exits.Code.CONFIG)
    values = {settings.variable(name): value for name, value in settings.shown(told).items()}
    if as_json:
        out.print_json(json.dumps(values))
        return
    given = {settings.variable(name) for name in told.model_fields_set}
    for name, value in values.items():
        out.print(f"{'*' if name in given else ' '} {name}={value}", markup=False)


@app.command()
def docs(
    write: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Of the sources: write .env.example, docs and the list.")
    ] = None,
) -> None:
    """Print an example of an environment file with every variable there is."""
    from services.cli import config_guide

    if write is None:
        print(config_guide.example(), end="", flush=True)
        return
    for path, text in config_guide.files(write).items():
        path.write_text(text, encoding="utf-8")


def _known(service: str) -> str:
    from services.cli import config_guide, exits

    if service not in config_guide.SERVICES:
        known = ", ".join(config_guide.SERVICES)
        raise exits.Ended(f"There is no service {service}; there are {known}.", exits.Code.USAGE)
    return service
