import asyncio
import logging
import os
import signal

import prometheus_client
import pytest

from libs import run


def sample(name: str, loop: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value(name, {"loop": loop}) or 0.0


async def until_stopped(stop: asyncio.Event) -> None:
    await stop.wait()


async def test_a_signal_drains_every_part() -> None:
    finished: list[str] = []

    async def part(stop: asyncio.Event) -> None:
        await stop.wait()
        finished.append("drained")

    async def interrupter(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await part(stop)

    await run.together({"part": part, "interrupter": interrupter}, grace_s=10)
    assert finished == ["drained", "drained"]


async def test_the_relay_is_told_when_the_others_have_ended() -> None:
    told: list[str] = []

    async def last_words(stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.01)
        assert run.is_draining()
        told.append("said something")

    async def relay(stop: asyncio.Event) -> None:
        await stop.wait()
        told.append("published")

    async def interrupter(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()

    await run.together({"relay": relay, "rpc": last_words, "interrupter": interrupter}, grace_s=10)
    assert told == ["said something", "published"]


async def test_a_part_that_raises_stops_the_others_and_the_process(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(stop: asyncio.Event) -> None:
        raise ValueError("broken")

    with pytest.raises(SystemExit) as stopped:
        await run.together({"broken": broken, "good": until_stopped}, grace_s=10)
    assert stopped.value.code == 1
    (failure,) = [record for record in caplog.records if record.message == "part_failed"]
    assert (failure.part, failure.exc_info[0]) == ("broken", ValueError)


async def test_a_part_that_ends_early_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def short(stop: asyncio.Event) -> None:
        return

    with pytest.raises(SystemExit):
        await run.together({"short": short, "good": until_stopped}, grace_s=10)
    assert "before it was told to stop" in caplog.text


async def test_a_part_that_is_cancelled_from_inside_is_a_failure() -> None:
    async def cancelled(stop: asyncio.Event) -> None:
        raise asyncio.CancelledError

    with pytest.raises(SystemExit):
        await run.together({"cancelled": cancelled, "good": until_stopped}, grace_s=10)


async def test_after_the_grace_the_rest_is_named_and_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    cancelled = asyncio.Event()

    async def stubborn(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await run.together({"stubborn": stubborn, "good": until_stopped}, grace_s=0.05)
    assert cancelled.is_set()
    assert [r.part for r in caplog.records if r.message == "part_still_running"] == ["stubborn"]


async def test_a_second_signal_cancels_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def stubborn(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    async with asyncio.timeout(30):
        await run.together({"stubborn": stubborn}, grace_s=3600)
    assert "part_still_running" not in caplog.text


async def test_a_failure_while_draining_is_a_failure() -> None:
    async def broken(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        raise ValueError("broken")

    with pytest.raises(SystemExit):
        await run.together({"broken": broken}, grace_s=10)


async def test_a_loop_works_on_while_there_is_work_and_wakes_when_told() -> None:
    stop, wake = asyncio.Event(), asyncio.Event()
    owed, seen = [2, 1, 0], asyncio.Queue[int]()

    async def tick() -> int:
        done = owed.pop(0) if owed else 0
        seen.put_nowait(done)
        return done

    loop = asyncio.create_task(run.every("worker", 3600, tick, wake)(stop))
    assert [await seen.get() for _ in range(3)] == [2, 1, 0]
    owed += [5, 0]
    wake.set()
    assert [await seen.get() for _ in range(2)] == [5, 0]
    assert 0 <= run.freshness()["worker"] < 3600
    assert sample("rushes_loop_last_success_timestamp_seconds", "worker") > 0
    stop.set()
    await loop
    assert "worker" not in run.freshness()


async def test_a_wake_during_a_tick_is_not_lost() -> None:
    stop, wake = asyncio.Event(), asyncio.Event()
    ticks = 0

    async def tick() -> int:
        nonlocal ticks
        ticks += 1
        (wake if ticks == 1 else stop).set()
        return 0

    await run.every("woken", 3600, tick, wake)(stop)
    assert ticks == 2


async def test_what_comes_while_a_loop_rests_is_done_together() -> None:
    stop = asyncio.Event()
    owed, seen = [1], list[int]()

    async def tick() -> int:
        seen.append(len(owed))
        owed.clear()
        if len(seen) == 1:
            asyncio.get_running_loop().call_soon(owed.extend, [1, 1, 1])
        else:
            stop.set()
        return seen[-1]

    await run.every("resting", 3600, tick, rest_s=0.001)(stop)
    assert seen == [1, 3]


async def test_an_idle_loop_ticks_again_after_its_time() -> None:
    stop = asyncio.Event()
    ticks = 0

    async def tick() -> int:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            stop.set()
        return 0

    await run.every("idle", 0.001, tick)(stop)
    assert ticks == 3


async def test_a_failing_tick_is_logged_counted_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()
    attempts = 0

    async def tick() -> int:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError("no disk")
        stop.set()
        return 0

    with caplog.at_level(logging.ERROR):
        await run.every("flaky", 3600, tick)(stop)
    assert attempts == 2
    assert [(r.message, r.loop) for r in caplog.records] == [("tick_failed", "flaky")]
    assert sample("rushes_loop_failures_total", "flaky") == 1
