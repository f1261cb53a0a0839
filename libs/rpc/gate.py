"""What every call passes on its way in: trace, metrics, identity, deadline, and errors on the way out."""

import asyncio
import contextlib
import dataclasses
import logging
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio

from libs import auth, errors, telemetry
from libs.rpc import access, measures, status

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]

UNARY_DEADLINE_S = 15.0
_HEAR_OUT_S = 1.0
_AT_ITS_END_S = 0.25  # a caller's clock began earlier than ours: it takes its call back before our deadline has come
_CLIENT = re.compile("[a-z][a-z0-9.-]{0,29}")
_OPEN = "/grpc."  # health and reflection need no token


class ServiceAway(errors.Unavailable):
    """A service this one depends on is out of reach; retry in a moment."""


Count = Callable[[str, str], Awaitable[None]]
"""Counts a call of somebody towards a limit. Raises Exhausted."""


class Gate(grpc.aio.ServerInterceptor):
    """The one interceptor; `domain` is `<service>.rushes`, `rules` say who may call each path, `deadlines` are the
    seconds of those that may take longer than others, and `count` counts the calls that have a limit.
    """

    def __init__(
        self,
        verifier: auth.Verifies,
        domain: str,
        rules: Mapping[str, access.Access],
        deadlines: Mapping[str, float] = MappingProxyType({}),
        count: Count | None = None,
    ) -> None:
        self._verifier, self._domain, self._rules = verifier, domain, rules
        self._deadlines, self._count = deadlines, count

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of our own methods; health and reflection pass as they are."""
        handler = await continuation(details)
        if handler is None or details.method.startswith(_OPEN):
            return handler
        asks_many, wire = handler.request_streaming, (handler.request_deserializer, handler.response_serializer)
        if handler.response_streaming:
            behaviour = handler.stream_stream if asks_many else handler.unary_stream
            made = grpc.stream_stream_rpc_method_handler if asks_many else grpc.unary_stream_rpc_method_handler
            return made(self._stream(details.method, behaviour, asks_many), *wire)
        behaviour = handler.stream_unary if asks_many else handler.unary_unary
        made = grpc.stream_unary_rpc_method_handler if asks_many else grpc.unary_unary_rpc_method_handler
        return made(self._unary(details.method, behaviour, asks_many), *wire)

    def _unary(
        self, path: str, behaviour: Callable[..., Awaitable[Any]], asks_many: bool
    ) -> Callable[..., Awaitable[Any]]:
        most, method = self._deadlines.get(path, UNARY_DEADLINE_S), measures.of(path, asks_many, False)

        async def call(request: Any, context: Context) -> Any:
            async with self._pass(method, context):
                remaining = context.time_remaining()
                async with asyncio.timeout(most if remaining is None else min(remaining, most)):
                    try:
                        return await behaviour(request, context)
                    except errors.Error:
                        if asks_many:
                            await _hear_out(request)
                        raise

        return call

    def _stream(
        self, path: str, behaviour: Callable[..., AsyncGenerator[Any] | Awaitable[None]], asks_many: bool
    ) -> Callable[..., Awaitable[None]]:
        method = measures.of(path, asks_many, True)

        # No generator: when the caller leaves, that would be closed later, in a context that is not this call's.
        async def call(request: Any, context: Context) -> None:
            async with self._pass(method, context):
                with telemetry.beneath():
                    answering = behaviour(request, context)
                    if isinstance(answering, Awaitable):  # it writes its answers by itself
                        await answering
                        return
                    async with contextlib.aclosing(answering) as responses:
                        async for response in responses:
                            await context.write(response)

        return call

    @contextlib.asynccontextmanager
    async def _pass(self, method: measures.Method, context: Context) -> AsyncIterator[None]:
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        with _measured(method, headers, context):
            try:
                rule = self._rules[method.path]
                if rule.is_open:
                    await self._counted(rule, _address(context.peer()))
                    yield
                    return
                caller = await self._verifier.verify(_token(headers))
                rule.check(caller)
                await self._counted(rule, f"{caller.tenant_id}/{caller.subject}")
                with auth.acting_as(_by_client(caller, headers)):
                    yield
            except access.RoleMissing as error:
                log.warning("access_denied", extra={"method": method.path, "role": error.facts["role"]})
                await status.abort(context, error, self._domain)
            except errors.Error as error:
                await status.abort(context, error, self._domain)
            except TimeoutError:
                await status.abort(context, status.DeadlinePassed(), self._domain)
            except grpc.aio.AioRpcError as fault:
                log.warning("service_away", extra={"method": method.path, "code": fault.code().name})
                await status.abort(context, ServiceAway(), self._domain)
            except (grpc.aio.AbortError, asyncio.CancelledError, GeneratorExit):
                raise
            except Exception:
                error_id = secrets.token_hex(8)
                log.exception("call_failed", extra={"method": method.path, "error_id": error_id})
                await status.abort(context, status.Faulty(error_id=error_id), self._domain)

    async def _counted(self, rule: access.Access, who: str) -> None:
        if self._count and rule.limit:
            await self._count(who, rule.limit)


async def _hear_out(requests: AsyncIterable[Any]) -> None:
    """Take what is still being sent, for a moment: whoever is answered while it sends may not hear the answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HEAR_OUT_S):
            async for _ in requests:
                pass


def _address(peer: str) -> str:
    """Without the port, which is another for every connection: `ipv4:10.0.0.7:52144` and `ipv6:%5B::1%5D:52144`."""
    return peer.rpartition(":")[0]


def _token(headers: dict[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _by_client(caller: auth.Caller, headers: Mapping[str, str]) -> auth.Caller:
    told = headers.get(auth.CLIENT, "")
    return dataclasses.replace(caller, client=told) if _CLIENT.fullmatch(told) else caller


@contextlib.contextmanager
def _measured(method: measures.Method, headers: Mapping[str, str], context: Context) -> Iterator[None]:
    begun = measures.SERVER.begun(method)
    with telemetry.span(method.title, headers, telemetry.Kind.SERVER, method.attributes, faults=()) as span:
        try:
            yield
        except asyncio.CancelledError:
            remaining = context.time_remaining()
            is_late = remaining is not None and remaining < _AT_ITS_END_S
            context.set_code(grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED)
            raise
        finally:
            measures.SERVER.ended(method, begun, context.code() or grpc.StatusCode.OK, span)
