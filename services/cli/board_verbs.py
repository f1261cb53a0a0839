"""The verbs about stored boards, as a person types them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import rich.console
import typer

if TYPE_CHECKING:
    from rushes.storyboard.v1 import storyboard_pb2

app = typer.Typer()
scenes_app = typer.Typer(help="Add, move and remove the scenes of a board.", no_args_is_help=True)
app.add_typer(scenes_app, name="scenes")

out = rich.console.Console(highlight=False, soft_wrap=True)

Id = Annotated[str, typer.Argument(metavar="BOARD", help="The sb_… of a board, as `rushes board list` names it.")]
Scene = Annotated[str, typer.Argument(metavar="SCENE", help="The scene_… of a scene, or its place counted from 0.")]
Before = Annotated[str, typer.Option(metavar="SCENE", help="Stand before this scene; at the end without it.")]
Number = Annotated[int, typer.Argument(metavar="REVISION", min=1, help="As `rushes board history` counts.")]
Home = Annotated[Path | None, typer.Option(help="Folder of the house; RUSHES_HOME or the XDG data folder without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Count = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]
State = Annotated[str, typer.Option(metavar="STATE", help="active, archived, deleted or all.")]
Etag = Annotated[str, typer.Option(metavar="ETAG", help="What you have seen; else what is there now.")]
Revision = Annotated[int, typer.Option(metavar="N", min=0, help="As it was then; 0 is as it is now.")]


@app.command()
def new(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A board file in YAML.")] = None,
    name: Annotated[str, typer.Option(help="Instead of a file: an empty board of this name.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep a board in the house, from a file or empty."""
    from services.cli import board_calls

    _tell(board_calls.new(_folder(home), file, name), as_json)


@app.command()
def show(board: Id, revision: Revision = 0, home: Home = None, as_json: AsJson = False) -> None:
    """Show a board whole, or as it was in a revision."""
    from services.cli import board_calls, board_lines, gateway

    gateway.show(board_calls.get(_folder(home), board, revision), board_lines.whole, as_json, out)


@app.command("list")
def list_all(state: State = "active", count: Count = 50, home: Home = None, as_json: AsJson = False) -> None:
    """Show the boards, last updated first."""
    _page("", state, count, home, as_json)


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="All of them must be there.")],
    state: State = "active",
    count: Count = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Find boards by words of their names and texts."""
    _page(" ".join(words), state, count, home, as_json)


@app.command()
def edit(
    board: Id,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Such as name, or scenes[2].action.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The new value; an empty one clears the field.")],
    etag: Etag = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Set one field. Exits with 5, and says with whom, when somebody else has changed the same."""
    from services.cli import board_calls

    _tell(board_calls.edit(_folder(home), board, path, value, etag), as_json)


@scenes_app.command("add")
def add_scene(
    board: Id,
    words: Annotated[list[str] | None, typer.Argument(metavar="FIELD=VALUE...", help="Such as subject=Fog.")] = None,
    template: Annotated[str, typer.Option(metavar="KEY", help="Begin with one of `rushes board templates`.")] = "",
    before: Before = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add a scene."""
    from services.cli import board_calls

    answer = board_calls.add_scene(_folder(home), board, template, words or [], before)
    if not as_json:
        out.print(answer.scene_id)
    _tell(answer.storyboard, as_json)


@scenes_app.command("move")
def move_scene(board: Id, scene: Scene, before: Before = "", home: Home = None, as_json: AsJson = False) -> None:
    """Put a scene before another, or at the end."""
    from services.cli import board_calls

    _tell(board_calls.move_scene(_folder(home), board, scene, before), as_json)


@scenes_app.command("remove")
def remove_scene(board: Id, scene: Scene, home: Home = None, as_json: AsJson = False) -> None:
    """Take a scene out; its takes stay, and undo brings it back."""
    from services.cli import board_calls

    _tell(board_calls.remove_scene(_folder(home), board, scene), as_json)


@app.command()
def reference(
    board: Id,
    who: Annotated[str, typer.Argument(metavar="WHO", help="A character or location, by name or id.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A PNG, JPEG or WebP of at most 10 MB.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep a still of a character or location, as its newest reference."""
    from services.cli import board_stills

    _tell(board_stills.upload(_folder(home), board, who, file), as_json)


@app.command()
def history(board: Id, count: Count = 20, home: Home = None, as_json: AsJson = False) -> None:
    """Show who changed a board, when and how; newest first."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls, board_lines, gateway

    request = pb.ListRevisionsRequest(storyboard_id=board, page_size=count)
    answer = board_calls.ask(_folder(home), pb.ListRevisionsResponse, request)
    gateway.show(answer, lambda it: map(board_lines.revision, it.revisions), as_json, out)


@app.command()
def diff(
    board: Id,
    older: Annotated[int, typer.Argument(metavar="[FROM]", min=0, help="0: the one before.")] = 0,
    newer: Annotated[int, typer.Argument(metavar="[TO]", min=0, help="0: the newest.")] = 0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two revisions."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls, board_lines, gateway

    request = pb.DiffRevisionsRequest(storyboard_id=board, from_number=older, to_number=newer)
    answer = board_calls.ask(_folder(home), pb.DiffRevisionsResponse, request)
    gateway.show(answer, board_lines.changes, as_json, out)


@app.command()
def restore(board: Id, revision: Number, home: Home = None, as_json: AsJson = False) -> None:
    """Bring an old revision back, as a new one."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    request = pb.RestoreRevisionRequest(storyboard_id=board, number=revision)
    _tell(board_calls.ask(_folder(home), pb.RestoreRevisionResponse, request).storyboard, as_json)


@app.command()
def name(
    board: Id,
    revision: Number,
    title: Annotated[str, typer.Argument(metavar="NAME", help="An empty one takes the name away.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give a revision a name."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls, board_lines, gateway

    request = pb.NameRevisionRequest(storyboard_id=board, number=revision, name=title)
    answer = board_calls.ask(_folder(home), pb.NameRevisionResponse, request)
    gateway.show(answer, lambda it: [board_lines.revision(it.revision)], as_json, out)


@app.command()
def undo(board: Id, etag: Etag = "", home: Home = None, as_json: AsJson = False) -> None:
    """Take the last change back, whoever made it."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    request = pb.UndoRequest(storyboard_id=board, etag=etag)
    _tell(board_calls.ask(_folder(home), pb.UndoResponse, request).storyboard, as_json)


@app.command()
def redo(board: Id, etag: Etag = "", home: Home = None, as_json: AsJson = False) -> None:
    """Take the last undo back."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    request = pb.RedoRequest(storyboard_id=board, etag=etag)
    _tell(board_calls.ask(_folder(home), pb.RedoResponse, request).storyboard, as_json)


@app.command()
def delete(board: Id, home: Home = None) -> None:
    """Delete a board; within 30 days `rushes board undelete` brings it back."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    board_calls.ask(_folder(home), pb.DeleteStoryboardResponse, pb.DeleteStoryboardRequest(storyboard_id=board))
    out.print(f"{board} is deleted; `rushes board undelete {board}` brings it back within 30 days.", markup=False)


@app.command()
def undelete(board: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Bring a deleted board back."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    request = pb.UndeleteStoryboardRequest(storyboard_id=board)
    _tell(board_calls.ask(_folder(home), pb.UndeleteStoryboardResponse, request).storyboard, as_json)


@app.command()
def archive(board: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Put a board out of sight; `rushes board list --state archived` names it."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    request = pb.ArchiveStoryboardRequest(storyboard_id=board)
    _tell(board_calls.ask(_folder(home), pb.ArchiveStoryboardResponse, request).storyboard, as_json)


@app.command()
def unarchive(board: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Bring an archived board back among the others."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    request = pb.UnarchiveStoryboardRequest(storyboard_id=board)
    _tell(board_calls.ask(_folder(home), pb.UnarchiveStoryboardResponse, request).storyboard, as_json)


@app.command()
def duplicate(
    board: Id,
    title: Annotated[str, typer.Option("--name", help="The name of the copy.")] = "",
    revision: Revision = 0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Copy a board; its history begins anew, and its prompts stay the same."""
    import uuid

    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls

    request = pb.DuplicateStoryboardRequest(
        request_id=str(uuid.uuid4()), storyboard_id=board, revision=revision, name=title
    )
    _tell(board_calls.ask(_folder(home), pb.DuplicateStoryboardResponse, request).storyboard, as_json)


@app.command()
def templates(home: Home = None, as_json: AsJson = False) -> None:
    """Show scenes to begin with."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls, board_lines, gateway

    answer = board_calls.ask(_folder(home), pb.ListSceneTemplatesResponse, pb.ListSceneTemplatesRequest())
    gateway.show(answer, board_lines.templates, as_json, out)


@app.command()
def presets(home: Home = None, as_json: AsJson = False) -> None:
    """Show the looks, and the exact words that each adds."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls, board_lines, gateway

    answer = board_calls.ask(_folder(home), pb.ListPresetsResponse, pb.ListPresetsRequest())
    gateway.show(answer, board_lines.presets, as_json, out)


@app.command()
def prompts(board: Id, revision: Revision = 0, home: Home = None, as_json: AsJson = False) -> None:
    """Show what would reach the provider, and where each word comes from; it spends nothing."""
    from rushes.storyboard.v1 import storyboard_service_pb2 as pb
    from services.cli import board_calls, board_lines, gateway

    request = pb.ComposePromptsRequest(storyboard_id=board, revision=revision)
    answer = board_calls.ask(_folder(home), pb.ComposePromptsResponse, request)
    gateway.show(answer, board_lines.prompts, as_json, out)


@app.command()
def claim(board: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Make a guest's board your own; the claim code is typed unseen, or piped in."""
    from services.cli import board_calls

    _tell(board_calls.claim(_folder(home), board), as_json)


def _page(query: str, state: str, count: int, home: Path | None, as_json: bool) -> None:
    from services.cli import board_calls, board_lines, gateway

    answer = board_calls.page(_folder(home), query, state, count)
    gateway.show(answer, lambda it: map(board_lines.brief, it.storyboards), as_json, out)


def _tell(board: "storyboard_pb2.Storyboard", as_json: bool) -> None:
    from services.cli import board_lines, gateway

    gateway.show(board, lambda it: [board_lines.brief(it)], as_json, out)


def _folder(home: Path | None) -> Path:
    from services.cli import house

    return (home or house.default_folder()).expanduser().absolute()
