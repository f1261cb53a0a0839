"""The verbs that make a film or follow one, from what a person typed: film, watch and cut."""

import asyncio
import decimal
import os
from collections.abc import Callable
from pathlib import Path

import rich.console

from services.cli import board_file, client, cutting, edit_file, exits, state, visit
from services.cli import film as filming


def film(
    board: Path,
    output: Path | None,
    yes: bool,
    max_cost: str | None,
    model: str,
    resolution: str,
    home: Path,
    keep: bool,
    as_json: bool,
    out: rich.console.Console,
    err: rich.console.Console,
) -> None:
    """Film a board; what can be refused without a house is refused first."""
    wanted = filming.Wanted(
        board=board_file.read(board),
        output=_output(output or Path(board.name).with_suffix(".mp4")),
        home=home,
        yes=yes,
        max_cost_micros=None if max_cost is None else _micros(max_cost),
        keep=keep,
        as_json=as_json,
        model=model,
        resolution=resolution,
    )
    interruptible(home, lambda: asyncio.run(filming.make(wanted, out, err)))


def watch(production_id: str, home: Path, err: rich.console.Console) -> None:
    """Follow a production; Ended when it fails."""

    async def follow() -> None:
        async with visit.visiting(home, lambda note: err.print(note, markup=False)) as of:
            async with client.connect(of) as services:
                filming.judge(await filming.watch(services, production_id, err))

    interruptible(home, lambda: asyncio.run(follow()))


def cut(
    file: Path | None,
    output: Path | None,
    home: Path,
    keep: bool,
    as_json: bool,
    out: rich.console.Console,
    err: rich.console.Console,
) -> None:
    """Cut the film of an edit file; what can be refused without a house is refused first."""
    if file is None:
        raise exits.Ended("Give an edit file; `rushes cut --from PRODUCTION` writes one.", exits.Code.USAGE)
    edit = edit_file.read(file)
    wanted = cutting.Wanted(edit, _output(output or Path(file.name).with_suffix(".mp4")), home, keep, as_json)
    interruptible(home, lambda: asyncio.run(cutting.make(wanted, out, err)))


def write_edit(of: str, file: Path | None, output: Path | None, home: Path) -> None:
    """Write the edit file of a film or production. A file that is there is never written over."""
    if file:
        raise exits.Ended(f"{file}: --from writes an edit file; name it with --output.", exits.Code.USAGE)
    text = cutting.text(home, of)
    if output is None:
        print(text, end="", flush=True)
        return
    try:
        with output.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise exits.Ended(f"{output} is there already; name another.", exits.Code.USAGE) from None
    except OSError as error:
        raise exits.Ended(f"{output} cannot be written: {error.strerror}.") from None


def interruptible(home: Path, work: Callable[[], None]) -> None:
    """Do it; when the person leaves, say that it goes on without. Raises Ended."""
    try:
        work()
    except KeyboardInterrupt:
        raise exits.Ended(_goes_on(home), exits.Code.INTERRUPTED) from None


def _goes_on(home: Path) -> str:
    if state.read(home) is None:
        return "The house is stopped; the same command starts it and resumes."
    return "The work goes on; the same command shows it again."


def _output(path: Path) -> Path:
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise exits.Ended(
            f"-o {path}: no file can be written there. Name a file in a folder of yours.", exits.Code.USAGE
        )
    if path.suffix.lower() != ".mp4":
        raise exits.Ended(f"-o {path}: a film is an MP4 file. Name it {path.with_suffix('.mp4')}.", exits.Code.USAGE)
    return path


def _micros(amount: str) -> int:
    try:
        micros = int(decimal.Decimal(amount) * 1_000_000)
    except (decimal.InvalidOperation, ValueError, OverflowError):
        micros = -1
    if micros < 0:
        raise exits.Ended(f"--max-cost {amount}: write an amount such as 5.00.", exits.Code.USAGE)
    return micros
