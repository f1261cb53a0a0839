"""The verbs of webhooks, as a person types them."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer(help="Have an address of yours told what happens.", no_args_is_help=True)

out = rich.console.Console(highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL")],
    event: Annotated[list[str] | None, typer.Option(help="Such as job.succeeded or production.*; all without.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    concurrency: Annotated[int, typer.Option(min=1, max=10, help="Requests under way at once.")] = 1,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add an endpoint, and show its secret; it is not shown again."""
    from services.cli import postbox

    postbox.add(_folder(home), url, event or [], description, concurrency, as_json, out)


@app.command("list")
def list_endpoints(home: Home = None, as_json: AsJson = False) -> None:
    """Show all endpoints."""
    from services.cli import postbox

    postbox.list_endpoints(_folder(home), as_json, out)


@app.command()
def show(endpoint: Endpoint, home: Home = None, as_json: AsJson = False) -> None:
    """Show one endpoint, or one delivery with each of its attempts."""
    from services.cli import postbox

    postbox.show(_folder(home), endpoint, as_json, out)


@app.command()
def pause(endpoint: Endpoint, home: Home = None, as_json: AsJson = False) -> None:
    """Send nothing for now; what happens is kept for 30 days."""
    from services.cli import postbox

    postbox.switch(_folder(home), endpoint, False, as_json, out)


@app.command()
def resume(endpoint: Endpoint, home: Home = None, as_json: AsJson = False) -> None:
    """Send again, and what was kept."""
    from services.cli import postbox

    postbox.switch(_folder(home), endpoint, True, as_json, out)


@app.command()
def rotate(endpoint: Endpoint, home: Home = None, as_json: AsJson = False) -> None:
    """Replace the secret, and show the new one; for a day both sign."""
    from services.cli import postbox

    postbox.rotate(_folder(home), endpoint, as_json, out)


@app.command("test")
def try_out(endpoint: Endpoint, home: Home = None, as_json: AsJson = False) -> None:
    """Send a test now. Exits with 1 when it is not answered with 2xx."""
    from services.cli import postbox

    postbox.try_out(_folder(home), endpoint, as_json, out)


@app.command()
def deliveries(
    endpoint: Endpoint,
    state: Annotated[str, typer.Option(metavar="STATE", help="Only pending, delivered or failed.")] = "",
    count: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what was sent and will be, newest first."""
    from services.cli import postbox

    postbox.deliveries(_folder(home), endpoint, state, count, as_json, out)


@app.command()
def replay(
    endpoint: Endpoint,
    delivery: Annotated[str, typer.Argument(metavar="[DELIVERY]")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="All since then, such as 2026-11-21T10:00.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="All before then.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only what has failed.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Send again, under the same ids; times are in UTC."""
    from services.cli import postbox

    postbox.replay(_folder(home), endpoint, delivery, postbox.Times(since, until), failed, as_json, out)


@app.command()
def delete(endpoint: Endpoint, home: Home = None) -> None:
    """Send nothing there any more; what is pending is dropped."""
    from services.cli import postbox

    postbox.delete(_folder(home), endpoint, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
