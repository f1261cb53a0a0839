"""Real processes, kept alive, killed, and swept away."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.cli import exits, processes


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110, what we wait for is another process
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def always() -> bool:
    return True


def program(*command: str, **more: object) -> processes.Program:
    fields = {"name": "it", "address": "", "environment": dict(os.environ), "healthy": always, **more}
    return processes.Program(command=command, **fields)  # type: ignore[arg-type]


Keep = Callable[[processes.Program], Awaitable[processes.Child]]


@pytest.fixture
async def keep(tmp_path: Path) -> AsyncIterator[Keep]:
    kept: list[processes.Child] = []

    async def start(what: processes.Program) -> processes.Child:
        kept.append(processes.Child(what, tmp_path / "it.log", lambda: None))
        kept[-1].start()
        return kept[-1]

    yield start
    for child in kept:
        await child.stop()


async def test_a_killed_child_is_started_again(keep: Keep) -> None:
    child = await keep(program("/bin/sleep", "100"))
    await child.ready.wait()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in (first, None) and child.healthy)
    assert child.facts()["restarts"] == 1
    await child.stop()
    assert not lives(first)


async def test_stopping_is_polite_first_and_then_sure(keep: Keep, tmp_path: Path) -> None:
    deaf = "trap 'echo asked' TERM; while true; do sleep 0.01; done"
    stops = ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
    child = await keep(program("/bin/sh", "-c", deaf, stops=stops))
    await child.ready.wait()
    pid = child.pid
    assert pid is not None
    await asyncio.sleep(0.1)  # let the shell set its trap
    await child.stop()
    assert not lives(pid)
    assert "asked" in (tmp_path / "it.log").read_text()


async def test_what_a_dead_child_leaves_behind_is_swept_away(keep: Keep, tmp_path: Path) -> None:
    child = await keep(program("/bin/sh", "-c", "sleep 100 & echo $!; wait"))
    log = tmp_path / "it.log"
    await until(lambda: log.exists() and log.read_text().strip().isdecimal())
    grandchild = int(log.read_text())
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: not lives(grandchild))


async def test_who_cleans_up_behind_a_dead_child_may_finish(keep: Keep, tmp_path: Path) -> None:
    tidy = "(echo begun; while kill -0 $$; do sleep 0.01; done; echo tidied) 2>/dev/null & exec sleep 100"
    child = await keep(program("/bin/sh", "-c", tidy))
    log = tmp_path / "it.log"
    await until(lambda: log.exists() and "begun" in log.read_text())
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: "tidied" in log.read_text())


async def test_a_child_whose_folder_vanishes_starts_afresh(keep: Keep, tmp_path: Path) -> None:
    folder = tmp_path / "store"

    async def prepare() -> None:
        folder.mkdir(exist_ok=True)

    child = await keep(program("/bin/sleep", "100", prepare=prepare, landmarks=lambda: [folder]))
    await child.ready.wait()
    folder.rmdir()
    await until(lambda: child.restarts == 1 and child.healthy)
    assert folder.is_dir()


async def test_a_child_that_cannot_start_says_why_and_is_tried_again(keep: Keep) -> None:
    async def never() -> bool:
        return False

    child = await keep(program("/bin/sh", "-c", "echo no bread; exit 3", healthy=never))
    await until(lambda: child.failures >= 2)
    assert child.trouble.startswith("it ended with code 3: no bread")
    assert not child.ready.is_set()


async def test_whatever_goes_wrong_while_settling_is_tried_again(keep: Keep) -> None:
    tries = []

    async def settle() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    child = await keep(program("/bin/sleep", "100", settle=settle))
    await child.ready.wait()
    assert len(tries) == 2


async def test_a_child_on_a_leash_dies_with_who_started_it(tmp_path: Path) -> None:
    script = (
        "import asyncio; from pathlib import Path; from services.cli import processes\n"
        "async def main():\n"
        "    p = processes.Program('it', '', ('/bin/sleep', '100'), {}, None)\n"
        f"    print((await processes.spawn(p, Path({str(tmp_path / 'it.log')!r}))).pid, flush=True)\n"
        "    await asyncio.sleep(100)\n"
        "asyncio.run(main())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    piped = asyncio.subprocess.PIPE
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=piped, env=environment)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert lives(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not lives(pid))


async def test_a_command_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = ("/bin/sh", "-c", "echo broken pipe dream; exit 7")
    with pytest.raises(exits.Ended, match=r"The test failed with exit code 7: broken pipe dream"):
        await processes.run("The test", command, {}, tmp_path / "it.log")


def test_the_tail_of_no_log(tmp_path: Path) -> None:
    assert processes.tail(tmp_path / "none") == "(no log)"
