"""A channel whose calls are counted, timed and traced, and are else what they were."""

from typing import Any

import grpc
import grpc.aio

from libs import telemetry
from libs.rpc import measures

_OPEN = "/grpc."  # health and reflection are asked all the time, and tell nothing


class _Calls:
    """One method of a channel. No interceptor: that would put a task and another kind of call before each."""

    def __init__(self, method: measures.Method, inner: Any) -> None:
        self._method, self._inner = method, inner
        measures.CLIENT.expect(self._method.service)

    def __call__(self, *arguments: Any, metadata: Any = None, **named: Any) -> Any:
        begun = measures.CLIENT.begun(self._method)
        span = telemetry.begin(self._method.title, telemetry.Kind.CLIENT, self._method.attributes)
        if span:
            kept = [(key, value) for key, value in metadata or () if key != "traceparent"]
            metadata = tuple(kept + list(telemetry.headers(span).items()))
        call = self._inner(*arguments, metadata=metadata, **named)

        def ended(_: Any) -> None:
            measures.CLIENT.ended(self._method, begun, _code(call), span)
            if span:
                span.end()

        call.add_done_callback(ended)
        return call


class Measured(grpc.aio.Channel):
    """Passes everything on to another channel."""

    def __init__(self, inner: grpc.aio.Channel) -> None:
        self._inner = inner

    def unary_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """See grpc.aio.Channel, as for all the others."""
        return _seen(self._inner.unary_unary(method, *arguments, **named), method, False, False)

    def unary_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """One question, many answers."""
        return _seen(self._inner.unary_stream(method, *arguments, **named), method, False, True)

    def stream_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Many parts, one answer."""
        return _seen(self._inner.stream_unary(method, *arguments, **named), method, True, False)

    def stream_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Many of both."""
        return _seen(self._inner.stream_stream(method, *arguments, **named), method, True, True)

    async def close(self, grace: float | None = None) -> None:
        """End it, and the calls under way after so many seconds."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Whether it is connected."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return once the state is another."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Return once it is connected."""
        await self._inner.channel_ready()

    async def __aenter__(self) -> "Measured":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _seen(inner: Any, path: str, asks_many: bool, answers_many: bool) -> Any:
    return inner if path.startswith(_OPEN) else _Calls(measures.of(path, asks_many, answers_many), inner)


def _code(call: Any) -> grpc.StatusCode:
    """How a call that is over has ended: then the question is answered without a wait."""
    asking = call.code()
    try:
        asking.send(None)
    except StopIteration as answer:
        return answer.value  # type: ignore[no-any-return]
    asking.close()
    return grpc.StatusCode.UNKNOWN
