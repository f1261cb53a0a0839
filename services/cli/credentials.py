"""The verbs about keys, as a person types them: list, add, show, rotate, verify, disable, enable and delete."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer(
    help="Install and replace the keys that providers are paid with. A key is read from a hidden prompt, from stdin "
    "or from a file, never from the command line; it is encrypted at once and never shown again.",
    no_args_is_help=True,
)

out = rich.console.Console(highlight=False, soft_wrap=True)

_MOST = 1_000_000

Id = Annotated[str, typer.Argument(metavar="ID", help="The credential, as `rushes credentials list` names it.")]
Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
KeyFile = Annotated[Path | None, typer.Option(metavar="FILE", help="A file that holds the key and nothing else.")]
WebhookSecretFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A file with the secret that verifies the provider's callbacks.")
]


@app.command("list")
def list_all(
    endpoint: Annotated[str, typer.Option(metavar="NAME", help="Only those for one endpoint.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show every credential, without its key."""
    from services.cli import locksmith

    locksmith.show(locksmith.every(_folder(home), endpoint), as_json, out)


@app.command()
def add(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Where the key is good, such as `gemini`.")],
    name: Annotated[str, typer.Option(help="A name for people.")] = "main",
    base_url: Annotated[str, typer.Option(metavar="URL", help="The address of a server of your own.")] = "",
    setting: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the account, such as project=film; repeatable.")
    ] = None,
    per_minute: Annotated[
        int, typer.Option(min=0, max=_MOST, help="Orders a minute at most; 0: the endpoint's own limit.")
    ] = 0,
    most_at_once: Annotated[
        int, typer.Option(min=0, max=_MOST, help="Orders under way at most; 0: the endpoint's own.")
    ] = 0,
    key_file: KeyFile = None,
    webhook_secret_file: WebhookSecretFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Install a key for an endpoint; what is bought there is then paid with it."""
    from services.cli import locksmith

    wanted = locksmith.Wanted(endpoint, name, base_url, locksmith.settings(setting or []), per_minute, most_at_once)
    key, webhook_secret = locksmith.read_key(key_file), locksmith.read_file(webhook_secret_file)
    locksmith.show([locksmith.add(_folder(home), wanted, key, webhook_secret)], as_json, out)


@app.command()
def show(credential_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Show one credential, without its key."""
    from services.cli import locksmith

    locksmith.show([locksmith.get(_folder(home), credential_id)], as_json, out)


@app.command()
def rotate(
    credential_id: Id,
    key_file: KeyFile = None,
    webhook_secret_file: WebhookSecretFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key; what the old one has bought is finished with the new one."""
    from services.cli import locksmith

    key, webhook_secret = locksmith.read_key(key_file), locksmith.read_file(webhook_secret_file)
    locksmith.show([locksmith.rotate(_folder(home), credential_id, key, webhook_secret)], as_json, out)


@app.command()
def verify(credential_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Ask the provider in a free call whether it takes the key. Exits with 8 when it does not."""
    from services.cli import locksmith

    found = locksmith.verify(_folder(home), credential_id)
    locksmith.show([found], as_json, out)
    locksmith.judge(found)


@app.command()
def disable(credential_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Buy nothing more with a key; what it has bought is finished and fetched."""
    from services.cli import locksmith

    locksmith.show([locksmith.switch(_folder(home), credential_id, on=False)], as_json, out)


@app.command()
def enable(credential_id: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Buy with a key again."""
    from services.cli import locksmith

    locksmith.show([locksmith.switch(_folder(home), credential_id, on=True)], as_json, out)


@app.command()
def delete(
    credential_id: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
) -> None:
    """Destroy a key for good, once everything it has bought is over."""
    from services.cli import locksmith

    if not yes:
        locksmith.agree(f"Destroy the key of {credential_id}? [y/N]", out)
    locksmith.delete(_folder(home), credential_id)
    out.print(f"The key of {credential_id} is destroyed.", markup=False)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
