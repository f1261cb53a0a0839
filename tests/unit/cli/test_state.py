import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from services.cli import state


def test_a_supervisor_is_believed_while_it_lives(tmp_path: Path) -> None:
    assert state.read(tmp_path) is None
    state.write(tmp_path, "ready", False, [{"name": "nats"}])
    told = state.read(tmp_path)
    assert told is not None
    assert (told.pid, told.phase, told.processes) == (os.getpid(), "ready", [{"name": "nats"}])


def test_a_recycled_pid_is_another_process(tmp_path: Path) -> None:
    state.write(tmp_path, "ready", False, [])
    told = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps(told | {"born": told["born"] - 1}))
    assert state.read(tmp_path) is None


def test_a_dead_supervisor_is_not_believed(tmp_path: Path) -> None:
    script = "from pathlib import Path; from services.cli import state; "
    script += f"state.write(Path({str(tmp_path)!r}), 'ready', False, [])"
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert (tmp_path / "state.json").exists()
    assert state.read(tmp_path) is None
    (tmp_path / "state.json").write_text("{")
    assert state.read(tmp_path) is None


def test_one_supervisor_for_a_folder(tmp_path: Path) -> None:
    with state.supervising(tmp_path) as first, state.supervising(tmp_path) as second:
        assert first is not None
        assert second is None
        assert not state.is_gone(first)
        shutil.rmtree(tmp_path)
        assert state.is_gone(first)


async def test_who_stops_a_house_waits_for_its_users_and_users_wait_for_who_stops_it(tmp_path: Path) -> None:
    async with state.using(tmp_path), state.using(tmp_path):
        with state.alone(tmp_path) as alone:
            assert alone is None
    entered = asyncio.Event()

    async def visit() -> None:
        async with state.using(tmp_path):
            entered.set()

    with state.alone(tmp_path) as alone:
        assert alone is not None
        visitor = asyncio.create_task(visit())
        await asyncio.sleep(0)
        assert not entered.is_set()
    await visitor
