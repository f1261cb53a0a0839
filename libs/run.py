"""Runs the parts of a process together until it is told to stop; drains; then cancels."""

import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

import prometheus_client

log = logging.getLogger(__name__)

Part = Callable[[asyncio.Event], Awaitable[None]]
"""Something that runs until the event it is given is set, then finishes what it has begun and returns."""

_LAST_SUCCESS = prometheus_client.Gauge(
    "rushes_loop_last_success_timestamp_seconds", "When a tick of the loop last succeeded.", ["loop"]
)
_FAILURES = prometheus_client.Counter("rushes_loop_failures", "Ticks that raised.", ["loop"])
_BACKOFF_S = (0.5, 10.0)
_CANCEL_S = 5.0
_LAST = "relay"
_GC = (10_000, 20, 20)  # rarely: what lives as long as a request would only be looked at in vain
_SWITCH_S = 0.0005  # a thread that comes back from the disk waits so long for the loop's: ten times in each clip
_last_success: dict[str, float] = {}
_told_to_stop = False


def is_draining() -> bool:
    """Whether this process was told to stop, and is not done yet."""
    return _told_to_stop


def freshness() -> dict[str, float]:
    """For each running loop, the seconds since its last success, or since its start when it has had none."""
    now = time.monotonic()
    return {name: now - then for name, then in _last_success.items()}


def every(
    name: str,
    seconds: float,
    tick: Callable[[], Awaitable[int]],
    wake: asyncio.Event | None = None,
    rest_s: float = 0.0,
) -> Part:
    """A part that calls `tick` for ever; what it returns is the work it did.

    After some work it is called again at once; after none it waits `seconds`, or less when `wake` is set (one
    loop per `wake`: the loop clears it). Between two ticks it rests for `rest_s` at least: what comes alone is done at
    once, what comes behind it is done together. A tick that raises is logged, counted and retried after 0.5 to 10 s.
    """

    async def loop(stop: asyncio.Event) -> None:
        events = [stop, wake] if wake else [stop]
        backoff = _BACKOFF_S[0]
        _last_success[name] = time.monotonic()
        while not stop.is_set():
            if wake:
                wake.clear()  # before the tick: a wake that comes during it must not be lost
            try:
                done = await tick()
            except Exception:
                log.exception("tick_failed", extra={"loop": name})
                _FAILURES.labels(name).inc()
                await _pause(backoff, [stop])
                backoff = min(backoff * 2, _BACKOFF_S[1])
                continue
            backoff = _BACKOFF_S[0]
            _last_success[name] = time.monotonic()
            _LAST_SUCCESS.labels(name).set_to_current_time()
            if rest_s:
                await asyncio.sleep(rest_s)
            if done == 0:
                await _pause(seconds, events)
        _last_success.pop(name, None)

    return loop


async def _pause(seconds: float, events: list[asyncio.Event]) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiting:
            waiter.cancel()


async def together(parts: Mapping[str, Part], grace_s: float = 25) -> None:
    """Run the parts until SIGTERM or SIGINT, then let them drain for `grace_s` seconds, then cancel them.

    The part called `relay` is told when the others have ended: until then there may be something to say. A second
    signal cancels at once. There is no half-alive process: when a part ends or raises before it was told to stop, all
    the others are stopped too. Raises SystemExit(1) when a part failed.
    """
    gc.freeze()  # what is loaded by now stays for good: collections need not walk through it again and again
    gc.set_threshold(*_GC)
    sys.setswitchinterval(_SWITCH_S)
    stop, end = asyncio.Event(), asyncio.Event()
    tasks = [
        asyncio.create_task(_run(name, part, end if name == _LAST else stop), name=name) for name, part in parts.items()
    ]
    told = asyncio.create_task(stop.wait())

    def signalled() -> None:
        for task in tasks if stop.is_set() else []:
            task.cancel()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    try:
        await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
        failed = not stop.is_set()
        stop.set()
        _note_stop(True)
        log.info("draining", extra={"grace_s": grace_s})
        await _drain([task for task in tasks if task.get_name() != _LAST], grace_s)
        end.set()
        await _drain([task for task in tasks if task.get_name() == _LAST], _CANCEL_S)
    finally:
        for task in [told, *tasks]:
            task.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        _note_stop(False)
    if failed or any(task.exception() for task in tasks if task.done() and not task.cancelled()):
        raise SystemExit(1)


def _note_stop(told: bool) -> None:
    global _told_to_stop
    _told_to_stop = told


async def _run(name: str, part: Part, stop: asyncio.Event) -> None:
    try:
        await part(stop)
        if not stop.is_set():
            raise RuntimeError("the part ended before it was told to stop")
    except Exception:
        log.exception("part_failed", extra={"part": name})
        raise


async def _drain(tasks: list[asyncio.Task[None]], grace_s: float) -> None:
    if not tasks:
        return
    _, running = await asyncio.wait(tasks, timeout=grace_s)
    for task in running:
        log.warning("part_still_running", extra={"part": task.get_name()})
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=_CANCEL_S)
