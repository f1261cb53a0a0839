"""Asks the job service about productions and costs, and shows what it says to a person."""

import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rich.console

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from rushes.storyboard.v1 import storyboard_pb2
from services.cli import consent, exits, floor, gateway, plan_lines, purse, slate, wire

_ALL = "all"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a person wants filmed, and how."""

    board: str
    revision: int
    remake: tuple[str, ...]
    takes: int
    model: str
    resolution: str
    pick_by_hand: bool = False
    approve_above: str | None = None


def plan(home: Path, wanted: Wanted, as_json: bool, out: rich.console.Console) -> None:
    """Print what would be done."""
    planned = floor.ask(home, pb.PlanProductionResponse, _request(home, wanted))
    gateway.show(planned, lambda answer: plan_lines.scenes(answer.plan), as_json, out)


def create(
    home: Path,
    wanted: Wanted,
    yes: bool,
    max_cost: str | None,
    as_json: bool,
    out: rich.console.Console,
    err: rich.console.Console,
) -> None:
    """Plan, get a yes, and begin. Raises Ended."""
    request = _request(home, wanted)
    planned = floor.ask(home, pb.PlanProductionResponse, request).plan
    for line in plan_lines.scenes(planned):
        err.print(line, markup=False)
    if max_cost is not None and planned.most_you_can_pay.micros > purse.micros(max_cost):
        raise exits.Ended(f"That is more than --max-cost {max_cost}.", exits.Code.MONEY)
    is_given = not planned.clips or planned.play_money or (yes and (max_cost is not None or consent.asks()))
    consent.ask(f"Begin it for up to {wire.amount(planned.most_you_can_pay)}?", is_given)
    begin = pb.CreateProductionRequest(
        request_id=str(uuid.uuid4()),
        storyboard_id=request.storyboard_id,
        revision=request.revision,
        quote_id=planned.quote_id,
        plan_digest=planned.digest,
        options=request.options,
    )
    made = floor.ask(home, pb.CreateProductionResponse, begin)
    gateway.show(made, lambda answer: [answer.production.id], as_json, out)


def list_all(home: Path, storyboard: str, count: int, as_json: bool, out: rich.console.Console) -> None:
    """Print productions."""
    request = pb.ListProductionsRequest(storyboard_id=floor.storyboard_id(home, storyboard), page_size=count)
    answer = floor.ask(home, pb.ListProductionsResponse, request)
    gateway.show(answer, lambda one: map(_production, one.productions), as_json, out)


def show(home: Path, production_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Print one production with what is in it."""
    answer = floor.ask(home, pb.GetProductionResponse, pb.GetProductionRequest(production_id=production_id))
    gateway.show(answer, lambda one: _whole(one.production), as_json, out)


def turn(home: Path, verb: str, production_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Pause, resume or approve it."""
    kind: Any = getattr(pb, f"{verb}Response")
    answer = floor.ask(home, kind, getattr(pb, f"{verb}Request")(production_id=production_id))
    gateway.show(answer, lambda one: [_production(one.production)], as_json, out)


def cancel(home: Path, production_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Cancel it, and say what it costs."""
    answer = floor.ask(home, pb.CancelProductionResponse, pb.CancelProductionRequest(production_id=production_id))
    gateway.show(answer, _cancelled, as_json, out)


def costs(home: Path, by: str, storyboard: str, production: str, as_json: bool, out: rich.console.Console) -> None:
    """Print what things cost. Raises Ended with USAGE."""
    groups = pb.GetCostsRequest.GroupBy
    name = f"GROUP_BY_{by.upper()}"
    if name not in groups.keys()[1:]:
        known = ", ".join(one.removeprefix("GROUP_BY_").lower() for one in groups.keys()[1:])
        raise exits.Ended(f"--by {by}: write one of {known}.", exits.Code.USAGE)
    request = pb.GetCostsRequest(
        group_by=groups.Value(name),
        storyboard_id=floor.storyboard_id(home, storyboard),
        production_id=production,
    )
    gateway.show(floor.ask(home, pb.GetCostsResponse, request), lambda one: map(_cost, one.costs), as_json, out)


def _request(home: Path, wanted: Wanted) -> pb.PlanProductionRequest:
    board = floor.storyboard(home, wanted.board)
    options = pb.PlanOptions(
        remake_scene_ids=[_scene_id(board, told) for told in wanted.remake],
        takes=wanted.takes,
        model=wanted.model,
        resolution=wanted.resolution,
        auto_pick=job_pb2.AUTO_PICK_NEVER if wanted.pick_by_hand else job_pb2.AUTO_PICK_FIRST,
        approve_above_micros=None if wanted.approve_above is None else purse.micros(wanted.approve_above),
    )
    revision = wanted.revision or board.revision
    return pb.PlanProductionRequest(storyboard_id=board.id, revision=revision, options=options)


def _scene_id(board: storyboard_pb2.Storyboard, told: str) -> str:
    if told == _ALL:
        return "*"
    if not told.isdecimal():
        return told
    if not 1 <= int(told) <= len(board.scenes):
        raise exits.Ended(f"--remake {told}: there are {len(board.scenes)} scenes.", exits.Code.USAGE)
    return board.scenes[int(told) - 1].id


def _production(of: job_pb2.Production) -> str:
    state = job_pb2.Production.State.Name(of.state).removeprefix("STATE_").lower().replace("_", " ")
    parts = [f"{of.id} {of.title}, revision {of.revision}", state]
    parts.append(wire.spent(of.cost, of.most_you_can_pay))
    otherwise = [f"{word} {told}" for word, told in (("with", of.model), ("at", of.resolution)) if told]
    if otherwise:
        parts.append(" ".join(otherwise))
    if of.film_id:
        parts.append(of.film_id)
    if of.error.message:
        parts.append(of.error.message)
    return "; ".join(parts) + plan_lines.time_left(of)


def _whole(of: job_pb2.Production) -> Iterator[str]:
    yield _production(of)
    for scene in of.scenes:
        yield f"scene {scene.scene_number} {scene.scene_title}: {scene.take_id or 'no take yet'}"
    yield from map(slate.job, of.jobs)


def _cancelled(answer: pb.CancelProductionResponse) -> Iterator[str]:
    yield _production(answer.production)
    yield f"spent {wire.amount(answer.spent)}, and what it bought is kept"
    if answer.at_stake.micros:
        yield f"at most {wire.amount(answer.at_stake)} more for what was under way; what is paid is kept"
    yield f"saved {wire.amount(answer.saved)}"


def _cost(of: pb.Cost) -> str:
    name = " ".join(filter(None, [of.key, of.title])) or "all"
    parts = [
        f"{name}: {of.jobs} job{'' if of.jobs == 1 else 's'}, quoted {wire.amount(of.quoted)}",
        f"spent {wire.amount(of.spent)}",
    ]
    for word, money in (("held", of.held), ("in suspense", of.suspense)):
        if money.micros:
            parts.append(f"{word} {wire.amount(money)}")
    return ", ".join(parts)
