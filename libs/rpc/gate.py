"""What every call passes on its way in: trace, metrics, identity, deadline, and errors on the way out."""

import asyncio
import contextlib
import dataclasses
import logging
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio

from libs import auth, errors, telemetry
from libs.rpc import access, asides, measures, status

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]

UNARY_DEADLINE_S = 15.0
_HEAR_OUT_S = 1.0
_AT_ITS_END_S = 0.25  # a caller's clock began earlier than ours: it takes its call back before our deadline has come
_CLIENT = re.compile("[a-z][a-z0-9.-]{0,29}")
_OPEN = "/grpc."  # health and reflection need no token


class ServiceAway(errors.Unavailable):
    """A service this one depends on is out of reach; retry in a moment."""


Count = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""Counts a call of somebody towards a limit; answers with what to say of what is left. Raises Exhausted."""


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
        self._guarded = dict[str, Any]()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of one of our own methods, wrapped once; health and reflection pass as they are."""
        if guarded := self._guarded.get(details.method):
            return guarded
        handler = await continuation(details)
        if handler is None or details.method.startswith(_OPEN):
            return handler
        guarded = self._guarded[details.method] = self._guard(details.method, handler)
        return guarded

    def _guard(self, path: str, handler: Any) -> Any:
        asks_many, wire = handler.request_streaming, (handler.request_deserializer, handler.response_serializer)
        if handler.response_streaming:
            behaviour = handler.stream_stream if asks_many else handler.unary_stream
            made = grpc.stream_stream_rpc_method_handler if asks_many else grpc.unary_stream_rpc_method_handler
            return made(self._stream(path, behaviour, asks_many), *wire)
        behaviour = handler.stream_unary if asks_many else handler.unary_unary
        made = grpc.stream_unary_rpc_method_handler if asks_many else grpc.unary_unary_rpc_method_handler
        return made(self._unary(path, behaviour, asks_many), *wire)

    def _unary(
        self, path: str, behaviour: Callable[..., Awaitable[Any]], asks_many: bool
    ) -> Callable[..., Awaitable[Any]]:
        most, method = self._deadlines.get(path, UNARY_DEADLINE_S), measures.of(path, asks_many, False)

        async def answer(request: Any, context: Context) -> Any:
            remaining = context.time_remaining()
            async with asyncio.timeout(most if remaining is None else min(remaining, most)):
                try:
                    return await behaviour(request, context)
                except errors.Error:
                    if asks_many:
                        await _hear_out(request)
                    raise

        return self._behind(method, answer)

    def _stream(
        self, path: str, behaviour: Callable[..., AsyncGenerator[Any] | Awaitable[None]], asks_many: bool
    ) -> Callable[..., Awaitable[None]]:
        # No generator: when the caller leaves, that would be closed later, in a context that is not this call's.
        async def answer(request: Any, context: Context) -> None:
            with telemetry.beneath():
                answering = behaviour(request, context)
                if isinstance(answering, Awaitable):  # it writes its answers by itself
                    await answering
                    return
                async with contextlib.aclosing(answering) as responses:
                    async for response in responses:
                        await context.write(response)

        return self._behind(measures.of(path, asks_many, True), answer)

    def _behind(self, method: measures.Method, answer: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """What answers those who may ask this; what goes wrong is told them as google.rpc.Status."""
        rule = self._rules[method.path]

        async def told(request: Any, context: Context, headers: Mapping[str, str]) -> Any:
            asides.begin(context)
            try:
                await self._admit(rule, headers, context)
                return await answer(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as fault:
                await status.abort(context, _told(fault, method), self._domain)

        return _measured(method, told)

    async def _admit(self, rule: access.Access, headers: Mapping[str, str], context: Context) -> None:
        """From here on the call acts for its caller; of a method that is open, for nobody."""
        if rule.is_open:
            await self._counted(rule, _address(context.peer()))
        else:
            auth.act_as(await self._caller(rule, headers))

    async def _caller(self, rule: access.Access, headers: Mapping[str, str]) -> auth.Caller:
        caller = await self._verifier.verify(_token(headers))
        rule.check(caller)
        await self._counted(rule, f"{caller.tenant_id}/{caller.subject}")
        return _by_client(caller, headers)

    async def _counted(self, rule: access.Access, who: str) -> None:
        if self._count and rule.limit:
            asides.say(await self._count(who, rule.limit))


def _told(fault: Exception, method: measures.Method) -> errors.Error:
    """What a caller hears of it, and the log of what is not theirs to mend."""
    if isinstance(fault, access.RoleMissing):
        log.warning("access_denied", extra={"method": method.path, "role": fault.facts["role"]})
    if isinstance(fault, errors.Error):
        return fault
    if isinstance(fault, TimeoutError):
        return status.DeadlinePassed()
    if isinstance(fault, grpc.aio.AioRpcError):
        log.warning("service_away", extra={"method": method.path, "code": fault.code().name})
        return ServiceAway()
    error_id = secrets.token_hex(8)
    log.exception("call_failed", extra={"method": method.path, "error_id": error_id})
    return status.Faulty(error_id=error_id)


async def _hear_out(requests: AsyncIterable[Any]) -> None:
    """Take what is still being sent, for a moment: whoever is answered while it sends may not hear the answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HEAR_OUT_S):
            async for _ in requests:
                pass


def _address(peer: str) -> str:
    """Without the port, which is another for every connection: `ipv4:10.0.0.7:52144` and `ipv6:%5B::1%5D:52144`."""
    return peer.rpartition(":")[0]


def _token(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _by_client(caller: auth.Caller, headers: Mapping[str, str]) -> auth.Caller:
    told = headers.get(auth.CLIENT, "")
    return dataclasses.replace(caller, client=told) if _CLIENT.fullmatch(told) else caller


def _measured(method: measures.Method, told: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """What answers a call, counted, timed and traced: in one function, for each context manager costs a microsecond."""
    title, attributes = method.title, method.attributes

    async def call(request: Any, context: Context) -> Any:
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        begun = measures.SERVER.begun(method)
        with telemetry.span(title, headers, telemetry.Kind.SERVER, attributes, faults=()) as span:
            try:
                return await told(request, context, headers)
            except asyncio.CancelledError:
                remaining = context.time_remaining()
                is_late = remaining is not None and remaining < _AT_ITS_END_S
                context.set_code(grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED)
                raise
            finally:
                measures.SERVER.ended(method, begun, context.code() or grpc.StatusCode.OK, span)

    return call
