"""The main job in a straight line: a board becomes a storyboard, a quote, a production, and a film on this disk."""

import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

import rich.console

from rushes.job.v1 import job_pb2, job_service_pb2
from services.cli import (
    board_file,
    client,
    consent,
    delivery,
    exits,
    plan_lines,
    progress,
    runs,
    shelf,
    visit,
    wire,
    yaml_file,
)

_NEVER_ACCEPTED = (
    "QUOTE_EXPIRED",
    "QUOTE_NOT_FOUND",
    "PLAN_CHANGED",
)  # what CreateProduction says only when it made nothing before
_OF_A_MODEL = ("MODEL_RETIRED", "MODEL_NOT_FOUND", "MODEL_UNCONFIGURED")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the person asked for; `max_cost_micros` is None without --max-cost; an empty option is the board's."""

    board: board_file.BoardFile
    output: Path
    home: Path
    yes: bool
    max_cost_micros: int | None
    keep: bool
    as_json: bool
    model: str = ""
    resolution: str = ""

    @property
    def options(self) -> job_service_pb2.PlanOptions:
        """In what the film is to be otherwise than its board."""
        return job_service_pb2.PlanOptions(model=self.model, resolution=self.resolution)

    @property
    def words(self) -> bytes:
        """The same bytes for the same wish."""
        return self.board.words + self.options.SerializeToString(deterministic=True)


async def make(wanted: Wanted, out: rich.console.Console, err: rich.console.Console) -> None:
    """Film the board. Raises Ended, or Faulty when a service finds the board faulty."""

    def say(note: str) -> None:
        err.print(note, markup=False)

    async with visit.visiting(wanted.home, say, wanted.keep) as of, client.connect(of) as services:
        with runs.claim(wanted.home, wanted.words) as run:
            try:
                production = await _begin(services, run, wanted, say)
            except client.Refused as refused:
                if refused.reason not in (_NEVER_ACCEPTED if run.resumed else ("PLAN_CHANGED",)):
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
    """Storyboard, plan, the person's yes, production. Raises Refused or Ended; nothing is spent before the yes."""
    if run.kept:
        say("Resuming the run of this board that was interrupted.")
        request = job_service_pb2.CreateProductionRequest.FromString(run.kept)
    else:
        request = await _agreed(services, run, wanted, say)
        run.keep(request.SerializeToString())
    production: job_pb2.Production = (await services.call(services.jobs.CreateProduction, request)).production
    return production


async def _agreed(
    services: client.Client, run: runs.Run, wanted: Wanted, say: Callable[[str], None]
) -> job_service_pb2.CreateProductionRequest:
    board = await shelf.storyboard(services, wanted.home, run.request_id("storyboard"), wanted.board)
    asked = job_service_pb2.PlanProductionRequest(
        storyboard_id=board.id, revision=board.revision, options=wanted.options
    )
    plan: job_pb2.Plan = (await services.call(services.jobs.PlanProduction, asked)).plan
    try:
        agree(wanted, plan, say)
    except exits.Ended:
        run.finish()
        raise
    return job_service_pb2.CreateProductionRequest(
        request_id=run.request_id("production"),
        storyboard_id=board.id,
        revision=board.revision,
        quote_id=plan.quote_id,
        plan_digest=plan.digest,
        options=wanted.options,
    )


def agree(wanted: Wanted, plan: job_pb2.Plan, say: Callable[[str], None]) -> None:
    """Tell what would be made and the price, and get a yes. Raises Ended with MONEY."""
    board = wanted.board.board
    seconds = sum(scene.duration for scene in board.scenes)
    models = ", ".join(dict.fromkeys(scene.model for scene in plan.scenes))
    say(f"{board.name} · {board.scene_count} · {seconds} s · {models}")
    for line in plan_lines.changes(plan):
        say(line)
    if not plan.clips:
        say("Nothing has to be bought: every scene has a take that fits.")
        return
    most = wire.amount(plan.most_you_can_pay)
    say(f"The most you can pay: {most}{' (the sandbox charges nothing)' if plan.play_money else ''}")
    for warning in plan.warnings:
        say(f"Note: {warning}")
    if wanted.max_cost_micros is not None and plan.most_you_can_pay.micros > wanted.max_cost_micros:
        raise exits.Ended(f"That is more than --max-cost {wanted.max_cost_micros / 1e6:.2f}.", exits.Code.MONEY)
    if plan.play_money:
        return
    consent.ask(f"Film it for up to {most}?", wanted.yes and (wanted.max_cost_micros is not None or consent.asks()))


def _refusal(of: board_file.BoardFile, run: runs.Run, refused: client.Refused) -> Exception:
    """A refusal as the person should read it. A run that may have been accepted is kept: its repeat pays once."""
    if run.resumed:
        return exits.Ended(f"{refused} Remove {run.path} to begin this board anew.", refused.code)
    if refused.is_definite:
        run.finish()
    return _in_the_board(of, refused)


def _in_the_board(of: board_file.BoardFile, refused: client.Refused) -> Exception:
    """A refusal as faults of an option, or of the board file where it names a field or a model of it."""
    options = [
        f"--{field.removeprefix('options.')}: {wrong}" for field, wrong in refused.violations if "options." in field
    ]
    if options:
        return exits.Ended("\n".join(options), refused.code)
    if refused.violations:
        return of.refuse([(wire.place(field), wrong) for field, wrong in refused.violations])
    if refused.reason in _OF_A_MODEL:
        named: list[tuple[yaml_file.Loc, str]] = [(("model",), of.board.model)]
        named += [(("scenes", index, "model"), scene.model) for index, scene in enumerate(of.board.scenes)]
        places = [(loc, str(refused)) for loc, model in named if model == refused.facts["model"]]
        if places:
            return exits.Ended(str(of.refuse(places)), refused.code)
    return refused
