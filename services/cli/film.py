"""The main job in a straight line: a board becomes a storyboard, a quote, a production, and a film on this disk."""

import contextlib
import dataclasses
import datetime
import sys
from collections.abc import Callable
from pathlib import Path

import rich.console

from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2, quote_pb2
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from services.cli import board_file, board_rules, client, delivery, exits, progress, runs, visit, wire

_NEVER_ACCEPTED = ("QUOTE_EXPIRED", "QUOTE_NOT_FOUND")  # what CreateProduction says only when it made nothing before
_OF_A_MODEL = ("MODEL_RETIRED", "MODEL_NOT_FOUND", "MODEL_UNCONFIGURED")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the person asked for; `max_cost_micros` is None without --max-cost."""

    board: board_file.BoardFile
    output: Path
    home: Path
    yes: bool
    max_cost_micros: int | None
    keep: bool
    as_json: bool


async def make(wanted: Wanted, out: rich.console.Console, err: rich.console.Console) -> None:
    """Film the board. Raises Ended, or Faulty when a service finds the board faulty."""

    def say(note: str) -> None:
        err.print(note, markup=False)

    async with visit.visiting(wanted.home, say, wanted.keep) as of, client.connect(of) as services:
        with runs.claim(wanted.home, wanted.board.board) as run:
            try:
                production = await _begin(services, run, wanted, say)
            except client.Refused as refused:
                if not (run.resumed and refused.reason in _NEVER_ACCEPTED):
                    raise _refusal(wanted.board, run, refused) from None
                run.renew()
                production = await _begin(services, run, wanted, say)
            say(f"Production {production.id}")
            told = await watch(services, production.id, err)
            say(f"Cost: {wire.spent(told.told.cost, told.told.most_you_can_pay)}")
            if told.told.state == job_pb2.Production.STATE_SUCCEEDED:
                await delivery.deliver(services, told, wanted.output, wanted.as_json, out, say)
            run.finish()  # only now: a film that could not be fetched is fetched by the next run, not made again
            judge(told)


async def watch(services: client.Client, production_id: str, err: rich.console.Console) -> progress.Production:
    """Show a production to its end."""
    seen = progress.Production()

    def away(gone: bool) -> None:
        seen.away = gone

    with progress.showing(seen, err, lambda: datetime.datetime.now(datetime.UTC)) as tell:
        async with contextlib.aclosing(services.watch(production_id, away)) as news:
            async for piece in news:
                tell(seen.hear(piece))
    return seen


def judge(told: progress.Production) -> None:
    """Raises Ended when the production did not succeed: each scene that failed, and the exit code that fits."""
    failed = [job for job in told.lines() if job.state == job_pb2.Job.STATE_FAILED]
    if told.told.state == job_pb2.Production.STATE_SUCCEEDED:
        return
    if told.told.state == job_pb2.Production.STATE_CANCELED:
        raise exits.Ended("The production was cancelled.", exits.Code.SCENES_FAILED)
    if not failed:
        raise exits.Ended(f"The film could not be made: {told.told.error.message}")
    unsure = any(job.error.reason == "OUTCOME_UNKNOWN" for job in failed)
    lines = [f"Scene {job.scene_number} {job.scene_title} failed: {progress.detail(job)}" for job in failed]
    raise exits.Ended("\n".join(lines), exits.Code.UNCONFIRMED if unsure else exits.Code.SCENES_FAILED)


async def _begin(
    services: client.Client, run: runs.Run, wanted: Wanted, say: Callable[[str], None]
) -> job_pb2.Production:
    """Storyboard, quote, the person's yes, production. Raises Refused or Ended; nothing is spent before the yes."""
    board = await _storyboard(services, run, wanted)
    quote = await _quote(services, run, board)
    if run.resumed:
        say("Resuming the run of this board that was interrupted.")
    try:
        agree(wanted, quote, say)
    except exits.Ended:
        if not run.resumed:
            run.finish()
        raise
    request = job_service_pb2.CreateProductionRequest(
        request_id=run.request_id("production"), storyboard_id=board.id, revision=board.revision, quote_id=quote.id
    )
    production: job_pb2.Production = (await services.call(services.jobs.CreateProduction, request)).production
    return production


async def _storyboard(services: client.Client, run: runs.Run, wanted: Wanted) -> storyboard_pb2.Storyboard:
    request = storyboard_service_pb2.CreateStoryboardRequest(
        request_id=run.request_id("storyboard"), storyboard=wire.storyboard(wanted.board.board)
    )
    created: storyboard_pb2.Storyboard = (
        await services.call(services.storyboards.CreateStoryboard, request)
    ).storyboard
    return created


async def _quote(services: client.Client, run: runs.Run, board: storyboard_pb2.Storyboard) -> quote_pb2.Quote:
    asked = storyboard_service_pb2.ComposePromptsRequest(storyboard_id=board.id, revision=board.revision)
    composed = await services.call(services.storyboards.ComposePrompts, asked)
    request = provider_gateway_service_pb2.CreateQuoteRequest(
        request_id=run.request_id("quote"), items=wire.items(composed.prompts)
    )
    quote: quote_pb2.Quote = (await services.call(services.gateway.CreateQuote, request)).quote
    return quote


def agree(wanted: Wanted, quote: quote_pb2.Quote, say: Callable[[str], None]) -> None:
    """Tell the price and get a yes. Raises Ended with MONEY."""
    most = wire.amount(quote.most_you_can_pay)
    board = wanted.board.board
    seconds = sum(scene.duration for scene in board.scenes)
    models = ", ".join(dict.fromkeys(item.spec.model for item in quote.items))
    say(f"{board.name} · {board.scene_count} · {seconds} s · {models}")
    say(f"The most you can pay: {most}{' (the sandbox charges nothing)' if quote.play_money else ''}")
    for warning in quote.warnings:
        say(f"Note: {warning}")
    if wanted.max_cost_micros is not None and quote.most_you_can_pay.micros > wanted.max_cost_micros:
        raise exits.Ended(f"That is more than --max-cost {wanted.max_cost_micros / 1e6:.2f}.", exits.Code.MONEY)
    if quote.play_money or (wanted.yes and (wanted.max_cost_micros is not None or sys.stdin.isatty())):
        return
    if not sys.stdin.isatty():
        raise exits.Ended("Nobody can be asked here: give --yes and --max-cost.", exits.Code.MONEY)
    say(f"Film it for up to {most}? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise exits.Ended("Nothing was spent.", exits.Code.MONEY)


def _refusal(of: board_file.BoardFile, run: runs.Run, refused: client.Refused) -> Exception:
    """A refusal as the person should read it. A run that may have been accepted is kept: its repeat pays once."""
    if run.resumed:
        return exits.Ended(f"{refused} Remove {run.path} to begin this board anew.", refused.code)
    if refused.is_definite:
        run.finish()
    return _in_the_board(of, refused)


def _in_the_board(of: board_file.BoardFile, refused: client.Refused) -> Exception:
    """A refusal as faults of the board file, where it names a field or a model of it."""
    if refused.violations:
        return of.refuse([(wire.place(field), wrong) for field, wrong in refused.violations])
    if refused.reason in _OF_A_MODEL:
        named: list[tuple[board_rules.Loc, str]] = [(("model",), of.board.model)]
        named += [(("scenes", index, "model"), scene.model) for index, scene in enumerate(of.board.scenes)]
        places = [(loc, str(refused)) for loc, model in named if model == refused.facts["model"]]
        if places:
            return exits.Ended(str(of.refuse(places)), refused.code)
    return refused
