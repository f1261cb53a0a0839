"""Asks the gateway about models, providers and paid calls, and shows what it says to a person."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import rich.console

from libs import rpc
from rushes.provider_gateway.v1 import endpoint_pb2, model_pb2, submission_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from rushes.type.v1 import money_pb2
from services.cli import client, exits, gateway, purse, wire

_FINAL = ("STORED", "CLIP_EXPIRED", "REJECTED", "ABSENT", "PROVIDER_FAILED", "CANCELED_FREE")
_LOST = (submission_pb2.Submission.STATE_UNKNOWN, submission_pb2.Submission.STATE_UNRESOLVED)
_PAUSE_S = 1.0


def models(home: Path, search: str, endpoint: str, everything: bool, as_json: bool, out: rich.console.Console) -> None:
    """Print what can be bought."""
    request = pb.ListModelsRequest(usable_only=not everything, endpoint=endpoint, family=search)
    gateway.show(gateway.ask(home, pb.ListModelsResponse, request), _models, as_json, out)


def providers(home: Path, as_json: bool, out: rich.console.Console) -> None:
    """Print the endpoints that have an account here, and how each is doing."""
    gateway.show(gateway.ask(home, pb.ListEndpointsResponse, pb.ListEndpointsRequest()), _endpoints, as_json, out)


def submissions(home: Path, state: str, job: str, count: int, as_json: bool, out: rich.console.Console) -> None:
    """Print paid calls. Raises Ended with USAGE."""
    states = submission_pb2.Submission.State
    name = f"STATE_{state.upper()}" if state else "STATE_UNSPECIFIED"
    if name not in states.keys():
        known = ", ".join(one.removeprefix("STATE_").lower() for one in states.keys()[1:])
        raise exits.Ended(f"--state {state}: write one of {known}.", exits.Code.USAGE)
    request = pb.ListSubmissionsRequest(state=states.Value(name), job_id=job, page_size=count)
    answer = gateway.ask(home, pb.ListSubmissionsResponse, request)
    gateway.show(answer, lambda one: map(_submission, one.submissions), as_json, out)


def show(home: Path, submission_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Print one paid call, then what was learned about it."""
    one = gateway.ask(home, pb.GetSubmissionResponse, pb.GetSubmissionRequest(submission_id=submission_id))
    gateway.show(one, lambda answer: _whole(answer.submission), as_json, out)
    if not as_json:
        learned = gateway.ask(home, pb.ListEvidenceResponse, pb.ListEvidenceRequest(submission_id=submission_id))
        gateway.show(learned, lambda answer: map(_evidence, answer.evidence), as_json, out)


def watch(home: Path, submission_id: str, out: rich.console.Console) -> None:
    """Print a paid call each time it changes, until it is final."""

    async def follow() -> None:
        async for one in _changes(home, submission_id):
            out.print(_submission(one), markup=False)

    asyncio.run(follow())


async def _changes(home: Path, submission_id: str) -> AsyncIterator[submission_pb2.Submission]:
    """The call as it stands, then after each change, through restarts of the gateway. Raises Ended or Refused."""
    version = 0
    while True:
        async with client.connect(gateway.running(home)) as services:
            request = pb.WatchSubmissionRequest(submission_id=submission_id, after_version=version)
            stream: Any = services.gateway.WatchSubmission(request, metadata=rpc.bearer(services.token))
            try:
                async for news in stream:
                    version = news.submission.version
                    yield news.submission
                return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:  # connections have an age, and gateways restart
                    raise client.Refused(error) from None
        await asyncio.sleep(_PAUSE_S)


def cancel(home: Path, submission_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Ask to stop it."""
    request = pb.CancelSubmissionRequest(submission_id=submission_id)
    _done(gateway.ask(home, pb.CancelSubmissionResponse, request), as_json, out)


def reconcile(
    home: Path, submission_id: str, provider_job: str, note: str, as_json: bool, out: rich.console.Console
) -> None:
    """Look again, or take the person's word."""
    request = pb.ReconcileSubmissionRequest(submission_id=submission_id, provider_job_id=provider_job, note=note)
    _done(gateway.ask(home, pb.ReconcileSubmissionResponse, request), as_json, out)


def settle(home: Path, submission_id: str, charged: str, note: str, as_json: bool, out: rich.console.Console) -> None:
    """Close it. Raises Ended with USAGE."""
    micros = purse.micros(charged)
    before = gateway.ask(home, pb.GetSubmissionResponse, pb.GetSubmissionRequest(submission_id=submission_id))
    money = money_pb2.Money(currency=before.submission.reserved.currency, micros=micros)
    request = pb.SettleSubmissionRequest(submission_id=submission_id, charged=money, note=note)
    _done(gateway.ask(home, pb.SettleSubmissionResponse, request), as_json, out)


def fetch(home: Path, submission_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Download its clip again."""
    request = pb.FetchSubmissionRequest(submission_id=submission_id)
    _done(gateway.ask(home, pb.FetchSubmissionResponse, request), as_json, out)


def _done(answer: Any, as_json: bool, out: rich.console.Console) -> None:
    gateway.show(answer, lambda one: [_submission(one.submission)], as_json, out)


def _models(answer: pb.ListModelsResponse) -> Iterator[str]:
    for model in answer.models:
        lengths = _lengths(list(model.duration_seconds))
        sizes = ", ".join(f"{size.width}x{size.height}" for size in model.sizes)
        default = " (default)" if model.id == answer.default_model else ""
        yield f"{model.id}{default}: {model.title}; {lengths} s; {sizes}; {_price(model)}{_life(model)}"


def _lengths(seconds: list[int]) -> str:
    if len(seconds) > 2 and seconds == list(range(seconds[0], seconds[-1] + 1)):
        return f"{seconds[0]} to {seconds[-1]}"
    return ", ".join(map(str, seconds))


def _price(model: model_pb2.Model) -> str:
    per_second = [price.per_second for price in model.prices if price.HasField("per_second")]
    if not per_second:
        return "ask for a quote"
    least, most = (pick(per_second, key=lambda one: one.micros) for pick in (min, max))
    if least.micros == most.micros:
        return f"{wire.amount(most)} a second"
    return f"{wire.amount(least)} to {wire.amount(most)} a second"


def _life(model: model_pb2.Model) -> str:
    if model.state == model_pb2.Model.STATE_UNCONFIGURED:
        return f"; no key for {model.endpoint} here"
    if not model.HasField("retire_time"):
        return ""
    verb = "retired" if model.state == model_pb2.Model.STATE_RETIRED else "retires"
    instead = f", use {model.replacement}" if model.replacement else ""
    return f"; {verb} {model.retire_time.ToDatetime():%Y-%m-%d}{instead}"


def _endpoints(answer: pb.ListEndpointsResponse) -> Iterator[str]:
    for endpoint in answer.endpoints:
        for account in endpoint.accounts:
            yield f"{endpoint.name} ({endpoint.dialect}), {account.name}: {_account(account)}"


def _account(of: endpoint_pb2.Account) -> str:
    state = endpoint_pb2.Account.Breaker.Name(of.breaker).removeprefix("BREAKER_").lower().replace("_", " ")
    reason, closed = of.reason.rstrip("."), of.breaker == endpoint_pb2.Account.BREAKER_CLOSED
    parts = [(reason or "buying") if closed else f"breaker {state}: {reason}"]
    if of.HasField("probe_time"):
        parts.append(f"tried again at {wire.clock(of.probe_time)}")
    counts = {"waiting": of.waiting, "under way": of.under_way, "to fetch": of.to_fetch}
    parts += [f"{count} {what}" for what, count in counts.items() if count]
    if of.unknown:
        parts.append(f"{of.unknown} with an unknown outcome, at most {wire.amount(of.at_stake)}")
    if of.HasField("first_expire_time"):
        parts.append(f"the first clip expires at {wire.clock(of.first_expire_time)}")
    return "; ".join(parts)


def _submission(of: submission_pb2.Submission) -> str:
    state = submission_pb2.Submission.State.Name(of.state).removeprefix("STATE_")
    cost = f"cost {wire.amount(of.cost)}" if of.HasField("cost") else f"at most {wire.amount(of.reserved)}"
    parts = [f"{of.id} {state}", of.model, cost, f"ordered {wire.clock(of.create_time)}"]
    if of.error.message:
        parts.append(of.error.message.rstrip("."))
    if of.HasField("cancel_time") and state not in _FINAL:
        parts.append("its cancel is asked for; what is paid is kept")
    if of.HasField("retry_time") and state not in _FINAL:
        parts.append(f"next at {wire.clock(of.retry_time)}")
    return "; ".join(parts)


def _whole(of: submission_pb2.Submission) -> Iterator[str]:
    yield _submission(of)
    yield f"job {of.job_id}, attempt {of.attempt}, production {of.production_id}, with {of.account}"
    if of.provider_job_id:
        yield f"the provider calls it {of.provider_job_id}"
    if of.state in _LOST:
        yield "its answer was lost: it may be charged, and is not sent again on suspicion, but looked for"
        yield f"`rushes submissions reconcile {of.id}` looks at once, `settle` closes it by what the bill says"
    if of.HasField("clip"):
        yield f"clip {of.clip.key}, {of.clip.size_bytes} bytes, sha256 {of.clip.sha256}"


def _evidence(of: submission_pb2.Evidence) -> str:
    kind = submission_pb2.Evidence.Kind.Name(of.kind).removeprefix("KIND_").lower().replace("_", " ")
    return " ".join(filter(None, [wire.clock(of.create_time), kind, of.provider_job_id, of.note]))
