"""The verbs about people, as a person types them: list, role, remove, restore, invite, invitations and revoke."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer(help="See who belongs to the house, say what they may, and invite others.", no_args_is_help=True)

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="The person, as `rushes people list` names them.")]


@app.command("list")
def list_people(
    removed: Annotated[bool, typer.Option("--removed", help="Also those who were removed.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show everybody, with their role."""
    from services.cli import porter

    porter.list_people(_folder(home), removed, as_json, out)


@app.command()
def role(
    person: Person,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, editor or owner; or issuer, for what it says.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody a role; it counts everywhere within 30 seconds."""
    from services.cli import porter

    porter.give(_folder(home), person, role, as_json, out)


@app.command()
def remove(person: Person, home: Home = None, as_json: AsJson = False) -> None:
    """Sign somebody out for good: their sessions, API tokens and invitations end."""
    from services.cli import porter

    porter.remove(_folder(home), person, as_json, out)


@app.command()
def restore(person: Person, home: Home = None, as_json: AsJson = False) -> None:
    """Let somebody sign in again who was removed; what was ended stays ended."""
    from services.cli import porter

    porter.restore(_folder(home), person, as_json, out)


@app.command()
def invite(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Whom it is for.")] = "",
    role: Annotated[str, typer.Option(help="viewer, editor or owner.")] = "viewer",
    person: Annotated[
        str, typer.Option(metavar="PERSON", help="Somebody who was invited before; no name, no role.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=30, help="How long the address is good.")] = 7,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print an address that lets one person in, once, without an account; it is not shown again."""
    from services.cli import porter

    porter.invite(_folder(home), porter.Wish(name, role, person, days), as_json, out)


@app.command()
def invitations(home: Home = None, as_json: AsJson = False) -> None:
    """Show the invitations that nobody has used yet."""
    from services.cli import porter

    porter.invitations(_folder(home), as_json, out)


@app.command()
def revoke(
    invitation: Annotated[str, typer.Argument(metavar="INVITATION")], home: Home = None, as_json: AsJson = False
) -> None:
    """Take an invitation back that nobody has used yet."""
    from services.cli import porter

    porter.revoke(_folder(home), invitation, as_json, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
