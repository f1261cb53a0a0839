"""The verbs of board files of every format, and of the language model, as a person types them."""

from pathlib import Path
from typing import Annotated

import rich.console
import typer

app = typer.Typer()

out = rich.console.Console(highlight=False, soft_wrap=True)
err = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)

Id = Annotated[str, typer.Argument(metavar="BOARD", help="The sb_… of a board, as `rushes board list` names it.")]
Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Apply = Annotated[bool, typer.Option("--apply", help="Send the proposal; without it nothing is changed.")]
Format = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="yaml, json, fountain, csv or browser_json; by the ending.")
]


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A board file, screenplay or shot list; - is stdin.")],
    format: Format = "",
    name: Annotated[str, typer.Option(help="The board's name, if the file has none.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only say what would be made.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a board of a file. Exits with 2 when the file is faulty: every fault with its line and the remedy."""
    from services.cli import board_exchange, board_lines, gateway

    answer = board_exchange.bring(_folder(home), file, format, name, check)
    board_exchange.warn(answer.warnings, err)
    lines = board_lines.whole if check else lambda board: [board_lines.brief(board)]
    gateway.show(answer.storyboard, lines, as_json, out)


@app.command("export")
def export_file(
    board: Id,
    format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="yaml, json, fountain, csv, browser_json or html.")
    ] = "yaml",
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; - is stdout. Named after the board without it."),
    ] = "",
    revision: Annotated[int, typer.Option(metavar="N", min=0, help="As it was then; 0 is as it is now.")] = 0,
    home: Home = None,
) -> None:
    """Write a board as a file; an import brings it back. html is a shot list to print."""
    from services.cli import board_exchange

    answer = board_exchange.take(_folder(home), board, format, revision)
    board_exchange.warn(answer.warnings, err)
    if path := board_exchange.save(answer, output):
        out.print(str(path), markup=False)


@app.command()
def propose(
    board: Id,
    script: Annotated[Path, typer.Option("--script", metavar="FILE", help="Prose or a screenplay; - is stdin.")],
    most: Annotated[int, typer.Option(min=1, max=100, help="How many scenes at most.")] = 30,
    apply: Apply = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let the language model break a script into scenes, and show what would change."""
    from services.cli import board_exchange

    answer = board_exchange.propose(_folder(home), board, script, most)
    board_exchange.decide(_folder(home), answer, apply, as_json, out, err)


@app.command()
def refine(
    board: Id,
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="The scene_… of a scene, or its place counted from 0.")],
    instruction: Annotated[str, typer.Option("--instruction", "-i", help="What should become better.")] = "",
    apply: Apply = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let the language model rewrite the words of one scene, and show what would change."""
    from services.cli import board_exchange

    answer = board_exchange.refine(_folder(home), board, scene, instruction)
    board_exchange.decide(_folder(home), answer, apply, as_json, out, err)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
