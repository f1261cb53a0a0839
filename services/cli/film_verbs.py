"""The verbs of films, as a person types them: a board is filmed, an edit file cut, and films are looked after."""

from pathlib import Path
from typing import Annotated, Any

import rich.console
import typer
import typer.core

from services.cli import production as production_verbs

app = typer.Typer()

out = rich.console.Console(highlight=False, soft_wrap=True)
err = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Keep = Annotated[bool, typer.Option("--keep", help="Leave a house that this run starts running.")]
Film = Annotated[str, typer.Argument(metavar="FILM", help="The film_… of a film, as `rushes film list` names it.")]

Shown = Annotated[str, typer.Argument(metavar="ID", help="The film_… or take_… to show.")]


class BoardOrVerb(typer.core.TyperGroup):
    """What is no verb of films is a board to be filmed: `rushes film board.yaml` is `rushes film make board.yaml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb before what begins otherwise."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["make", *args]
        return super().parse_args(ctx, args)


film_app = typer.Typer(
    cls=BoardOrVerb, help="Make the film of a board, `rushes film BOARD`, and look after films.", no_args_is_help=True
)
app.add_typer(film_app, name="film")


@film_app.command()
def make(
    board: Annotated[Path, typer.Argument(metavar="BOARD", help="A board file in YAML.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the film goes, an MP4; the board file's name without it."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; in a script, give --max-cost too.")] = False,
    max_cost: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Refuse when the film can cost more, such as 5.00.")
    ] = None,
    model: production_verbs.Model = "",
    resolution: production_verbs.Resolution = "",
    home: Home = None,
    keep: Keep = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Make the film of a board: quote, clips, cut; the film, its poster and its contact sheet are left here.

    The verb may be left out: `rushes film BOARD`.
    """
    from services.cli import screening

    screening.film(board, output, yes, max_cost, model, resolution, _folder(home), keep, as_json, out, err)


@film_app.command("list")
def list_all(
    production: Annotated[str, typer.Option(metavar="ID", help="Only those of one production.")] = "",
    storyboard: Annotated[str, typer.Option(metavar="ID", help="Only the cuts of one storyboard.")] = "",
    count: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show films, newest first."""
    from services.cli import reels

    reels.list_all(_folder(home), production, storyboard, count, as_json, out)


@film_app.command()
def show(film: Film, home: Home = None, as_json: AsJson = False) -> None:
    """Show a film and what belongs to it."""
    from services.cli import film_files

    film_files.show(_folder(home), film, as_json, out)


@film_app.command()
def download(
    film: Film,
    folder: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go.")] = Path(),
    home: Home = None,
) -> None:
    """Bring a film here, with its poster, stills, captions and manifest."""
    from services.cli import film_files

    film_files.bring(_folder(home), film, folder, out)


@film_app.command()
def export(
    film: Film,
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help="hls, scenes, otio, fcpxml, edl or csv.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the file goes; its own name without it.")
    ] = None,
    home: Home = None,
) -> None:
    """Bring a film here in another form: for streaming, as its clips, or as a timeline for an editor."""
    from services.cli import film_files

    film_files.export(_folder(home), film, kind, output, out)


@film_app.command()
def watch(film: Film, home: Home = None) -> None:
    """Follow the cutting of a film to its end; leaving the view never stops it."""
    from services.cli import reels, screening

    screening.interruptible(_folder(home), lambda: reels.watch(_folder(home), film, err))


@film_app.command()
def cancel(film: Film, home: Home = None, as_json: AsJson = False) -> None:
    """Stop the cutting of a film."""
    from services.cli import reels

    reels.cancel(_folder(home), film, as_json, out)


@film_app.command()
def share(
    of: Shown,
    expires: Annotated[str, typer.Option(metavar="7d", help="When it ends: days or hours, at most a year.")] = "7d",
    passphrase_stdin: Annotated[
        bool, typer.Option("--passphrase-stdin", help="Ask for a passphrase besides: from a hidden prompt, or stdin.")
    ] = False,
    download: Annotated[bool, typer.Option("--download", help="Let people keep the file.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a link that shows a film or a take to whoever has it; its address is shown once."""
    from services.cli import links

    passphrase = links.read_passphrase() if passphrase_stdin else ""
    links.show_made(*links.share(_folder(home), of, expires, passphrase, download), as_json, out, err)


@film_app.command()
def shares(of: Shown, home: Home = None, as_json: AsJson = False) -> None:
    """Show the links to a film or a take, and how often each was opened."""
    from services.cli import links

    links.list_of(_folder(home), of, as_json, out)


@film_app.command()
def unshare(
    share: Annotated[str, typer.Argument(metavar="SHARE", help="The share_… of a link, as `shares` names it.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a link back, at once and for ever."""
    from services.cli import links

    links.revoke(_folder(home), share, as_json, out)


@app.command()
def cut(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="An edit file in YAML or JSON.")] = None,
    begin: Annotated[
        str,
        typer.Option(
            "--from", metavar="ID", help="Write an edit file instead, from this film or production, to begin with."
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the film goes, an MP4; or the edit file of --from, else stdout."),
    ] = None,
    home: Home = None,
    keep: Keep = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Cut the film of an edit file: takes and cards in order, joins, captions, music. It buys nothing."""
    from services.cli import screening

    if begin:
        screening.write_edit(begin, file, output, _folder(home))
    else:
        screening.cut(file, output, _folder(home), keep, as_json, out, err)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
