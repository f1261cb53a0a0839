"""Calls the services of a house as its person; a refusal becomes one sentence with its reason and exit code."""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import grpc.aio
from google.protobuf import any_pb2, message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from libs import auth, rpc
from rushes.access.v1 import session_service_pb2_grpc
from rushes.compiler.v1 import compiler_service_pb2, compiler_service_pb2_grpc, film_pb2
from rushes.job.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc
from rushes.storyboard.v1 import storyboard_service_pb2_grpc
from services.cli import exits, house

ENDS = (job_pb2.Production.STATE_SUCCEEDED, job_pb2.Production.STATE_FAILED, job_pb2.Production.STATE_CANCELED)
FILM_ENDS = (film_pb2.Film.STATE_COMPLETED, film_pb2.Film.STATE_FAILED, film_pb2.Film.STATE_CANCELED)

_CALL_S = 15.0
_PATIENCE_S = 30.0  # a service that was killed is back long before
_SILENCE_S = 45.0  # a watch that says less than this is broken: heartbeats come every 30 s at most
_LONGEST_PAUSE_S = 5.0
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)  # every call is safe to repeat
_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: exits.Code.USAGE,
    grpc.StatusCode.NOT_FOUND: exits.Code.NOT_FOUND,
    grpc.StatusCode.UNAUTHENTICATED: exits.Code.DENIED,
    grpc.StatusCode.PERMISSION_DENIED: exits.Code.DENIED,
    grpc.StatusCode.FAILED_PRECONDITION: exits.Code.CONFLICT,
    grpc.StatusCode.ABORTED: exits.Code.CONFLICT,
    grpc.StatusCode.DEADLINE_EXCEEDED: exits.Code.TIMEOUT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: exits.Code.LATER,
}
_CODES_OF_REASONS = {
    "BUDGET_EXCEEDED": exits.Code.MONEY,
    "QUOTE_EXPIRED": exits.Code.MONEY,
    "QUOTE_CHANGED": exits.Code.MONEY,
    "MODEL_NOT_FOUND": exits.Code.USAGE,
    "MODEL_RETIRED": exits.Code.PROVIDER,
    "MODEL_UNCONFIGURED": exits.Code.PROVIDER,
    "PROVIDER_UNREACHABLE": exits.Code.PROVIDER,
}


class Refused(exits.Ended):
    """A service said no: `reason` as in its ErrorReason, `facts` of the case, and the fields that are wrong.

    Unless `is_definite`, the call may have been done all the same.
    """

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        details = list(status.details) if status is not None else []
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        _unpack(details, info)
        _unpack(details, bad)
        self.reason: str = info.reason
        self.facts: Mapping[str, str] = info.metadata
        self.violations: Sequence[tuple[str, str]] = [(one.field, one.description) for one in bad.field_violations]
        self.is_definite = error.code() not in (*_AWAY, grpc.StatusCode.DEADLINE_EXCEEDED)
        code = _CODES_OF_REASONS.get(self.reason, _CODES.get(error.code(), exits.Code.ERROR))
        super().__init__(error.details() or error.code().name, code)


@dataclasses.dataclass(frozen=True)
class Client:
    """The services, by what they keep."""

    storyboards: storyboard_service_pb2_grpc.StoryboardServiceStub
    gateway: provider_gateway_service_pb2_grpc.ProviderGatewayServiceStub
    jobs: job_service_pb2_grpc.JobServiceStub
    films: compiler_service_pb2_grpc.CompilerServiceStub
    sessions: session_service_pb2_grpc.SessionServiceStub
    token: str = dataclasses.field(repr=False)
    name: str = "cli"

    async def call(self, method: Callable[..., Any], request: Any, within_s: float = _CALL_S) -> Any:
        """One call; repeated while the service, or one it needs, is away for a moment. Raises Refused."""
        loop, failures = asyncio.get_running_loop(), 0
        give_up = loop.time() + _PATIENCE_S
        while True:
            try:
                told = (*rpc.bearer(self.token), (auth.CLIENT, self.name))
                return await method(request, timeout=within_s, metadata=told, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _PASSING or loop.time() > give_up:
                    raise Refused(error) from None
            failures += 1
            await asyncio.sleep(_pause_s(failures))

    async def watch(
        self, production_id: str, away: Callable[[bool], None]
    ) -> AsyncGenerator[job_service_pb2.WatchProductionResponse, None]:
        """What happens to a production until its end, through restarts of the service. Raises Refused.

        `away` is told when the service cannot be reached, and when it is back.
        """
        token = ""

        def begin() -> Any:
            request = job_service_pb2.WatchProductionRequest(production_id=production_id, resume_token=token)
            return self.jobs.WatchProduction(request, metadata=rpc.bearer(self.token))

        async with contextlib.aclosing(_followed(begin, _is_end, away)) as pieces:
            async for news in pieces:
                token = news.resume_token or token
                yield news

    def watch_film(
        self, film_id: str, away: Callable[[bool], None]
    ) -> AsyncGenerator[compiler_service_pb2.WatchFilmResponse, None]:
        """A film as it stands and after each change until its end; otherwise as `watch`."""

        def begin() -> Any:
            request = compiler_service_pb2.WatchFilmRequest(film_id=film_id)
            return self.films.WatchFilm(request, metadata=rpc.bearer(self.token))

        return _followed(begin, lambda news: news.film.state in FILM_ENDS, away)


@contextlib.asynccontextmanager
async def connect(of: house.House, name: str = "cli") -> AsyncIterator[Client]:
    """A client with the token of the house; `name` is what the history says that changes came by."""
    async with contextlib.AsyncExitStack() as channels:

        async def channel(service: str) -> grpc.aio.Channel:
            return await channels.enter_async_context(rpc.connect(of.address(service)))

        storyboard = await channel("storyboard")
        yield Client(
            storyboards=storyboard_service_pb2_grpc.StoryboardServiceStub(storyboard),
            sessions=session_service_pb2_grpc.SessionServiceStub(storyboard),
            gateway=provider_gateway_service_pb2_grpc.ProviderGatewayServiceStub(await channel("provider_gateway")),
            jobs=job_service_pb2_grpc.JobServiceStub(await channel("job")),
            films=compiler_service_pb2_grpc.CompilerServiceStub(await channel("compiler")),
            token=house.bearer(of),
            name=name,
        )


async def _followed(
    begin: Callable[[], Any], is_end: Callable[[Any], bool], away: Callable[[bool], None]
) -> AsyncGenerator[Any, None]:
    """The news of a stream until its end; begun again when it breaks or hangs. Raises Refused."""
    failures = 0
    while True:
        stream = begin()
        try:
            while (news := await asyncio.wait_for(stream.read(), _SILENCE_S)) is not grpc.aio.EOF:
                failures = 0
                away(False)
                yield news
                if is_end(news):
                    return
        except grpc.aio.AioRpcError as error:
            if error.code() not in _AWAY:
                raise Refused(error) from None
        except TimeoutError:
            pass  # it hangs: ask again
        finally:
            stream.cancel()
        away(True)
        failures += 1
        await asyncio.sleep(_pause_s(failures))


def _pause_s(failures: int) -> float:
    return min(_LONGEST_PAUSE_S, 0.1 * 2.0**failures) * random.uniform(0.5, 1)


def _is_end(news: job_service_pb2.WatchProductionResponse) -> bool:
    return news.snapshot.state in ENDS or news.production.state in ENDS


def _unpack(details: Sequence[any_pb2.Any], into: message.Message) -> None:
    for detail in details:
        detail.Unpack(into)  # and does nothing when it is of another type
