"""What a worker that was taken over can still do, and what it takes to read what strangers send."""

import itertools
import json
import logging
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from services.compiler import cutter, jail, orders, seccomp
from tests.unit.compiler import footage, malice

_DEADLINE_S = 600
_ALLOWED = {"write and read inside", "start a thread"}
_MOST_BYTES, _MOST_CPU_S = 1 << 30, 120


def child(module: str, *arguments: object) -> list[dict[str, Any]]:
    """What the module of the tests says, run in a process of its own."""
    command = [sys.executable, "-m", f"tests.unit.compiler.{module}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=_DEADLINE_S, env=cutter._environment(), check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def read(folder: Path, files: Iterable[tuple[str, bytes]]) -> dict[str, dict[str, str]]:
    """What the jail answers to each of these files; it stays within its limits and calls nobody."""
    folder.mkdir()
    for name, content in files:
        (folder / name).write_bytes(content)
    *answers, used = child("convict", folder)
    assert used["bytes"] < _MOST_BYTES
    assert used["cpu_s"] < _MOST_CPU_S
    return {answer["name"]: answer for answer in answers}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The answers to every harmful file; nobody was called, and nothing outside was read, while they came about."""
    folder = tmp_path_factory.mktemp("corpus")
    secret = b"canary that nobody reads"
    canary = footage.shoot(folder / "canary.mp4", footage.Take(first_number=77))
    canary.write_bytes(canary.read_bytes() + malice.box(b"free", secret))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        answers = read(folder / "clips", malice.corpus(folder, listener.getsockname()[1], canary))
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert not any(secret in path.read_bytes() for path in (folder / "clips").iterdir())
    return answers


def test_every_harmful_file_is_refused_in_words_or_makes_a_right_film(corpus: dict[str, dict[str, str]]) -> None:
    assert len(corpus) > 100
    for name, answer in corpus.items():
        assert answer["clip"].startswith((f"refused: {name} ", "film: ", "long: ")), answer
        assert answer["sound"].startswith((f"refused: {name} ", "heard")), answer


def test_no_list_of_other_files_is_followed(corpus: dict[str, dict[str, str]]) -> None:
    lists = {name: one for name, one in corpus.items() if name.startswith(("hls", "dash", "ffconcat", "sdp", "rdrf"))}
    assert len(lists) == 4 * 3 * 3 + 1
    for answer in lists.values():
        assert answer["clip"].startswith("refused: ")
        assert answer["sound"].startswith("refused: ")


def test_a_track_that_lies_elsewhere_is_not_fetched(corpus: dict[str, dict[str, str]]) -> None:
    """The clip's own bytes are shown, whatever its references say."""
    tracks = [answer["clip"] for name, answer in corpus.items() if name.startswith("dref")]
    assert tracks == ["film: 24"] * 6


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("giant-jpeg", "is damaged"),
        ("hours-shown", "is longer than can be used"),
        ("edits-that-loop", "is longer than can be used"),
        ("tracks", "holds more than can be read"),
        ("tracks-empty", "holds more than can be read"),
        ("covers", "holds more than can be read"),
        ("nothing", "is no MP4 file"),
        ("codec-png", "holds pictures of a kind that is not taken"),
    ],
)
def test_what_is_too_much_is_said_so(corpus: dict[str, dict[str, str]], name: str, problem: str) -> None:
    assert corpus[name]["clip"] == f"refused: {name} {problem}"


def test_no_mutant_of_a_clip_harms_the_worker(tmp_path: Path) -> None:
    good = footage.shoot(tmp_path / "good.mp4").read_bytes()
    answers = read(tmp_path / "mutants", malice.mutants(good, 150, seed=2026))
    kinds = {answer["clip"].split(":")[0] for answer in answers.values()}
    assert {"refused", "film"} <= kinds <= {"refused", "film", "long"}
    assert {answer["sound"].split(":")[0] for answer in answers.values()} == {"refused", "heard"}


@pytest.mark.parametrize("service", ["root", "unprivileged"])
def test_nothing_leads_out(tmp_path: Path, service: str) -> None:
    folder, outside = tmp_path / "work", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("not for the worker")
    for parent in itertools.takewhile(Path(tempfile.gettempdir()).__ne__, (tmp_path, *tmp_path.parents)):
        parent.chmod(0o755)
    [found] = child("breakout", folder, outside, service)
    lacking = {"no files but its own", "no system calls but a few"} & set(found["missing"])
    assert not lacking, "a Linux without Landlock or filters cannot run this test"
    assert {deed for deed, came in found["told"].items() if came == "did it"} == _ALLOWED
    assert found["uid"] != 0
    assert os.listdir(folder) == []


def test_who_is_in_company_does_not_enter(tmp_path: Path) -> None:
    """Landlock holds for one thread: another would stay outside."""
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads run"):
            jail.enter(tmp_path)
    finally:
        leave.set()
        thread.join()


async def test_a_film_made_in_the_jail_is_the_film_made_outside(tmp_path: Path) -> None:
    take = footage.Take()
    takes = (take, replace(take, size=(320, 192), fps=Fraction(25)), replace(take, layout="mono", rate=44_100))
    clips = [footage.shoot(tmp_path / f"{number}.mp4", one) for number, one in enumerate(takes)]
    wanted = replace(footage.listed(clips), title="Фильм 映画")
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir(mode=0o700)
    outside.mkdir()
    plan = footage.made(outside, wanted)
    footage.laid(inside, clips)
    workers = cutter.Cutter(1, 1 << 30)
    await workers.run(orders.Order(inside, make=(*plan.pieces.values(), plan.film)), lambda said: None, _DEADLINE_S)
    await workers.close()
    assert {path.name: path.read_bytes() for path in inside.iterdir()} == {
        path.name: path.read_bytes() for path in outside.iterdir()
    }


def test_what_the_jail_lacks_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    said = orders.Unguarded(("a network of its own",))
    assert orders.read_said(orders.said_line(said).encode()) == said
    cutter._tell_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            cutter._tell_once(said.missing)
    assert [(record.getMessage(), record.missing) for record in caplog.records] == [
        ("jail_not_whole", "a network of its own")
    ]


_ALLOW, _KILL, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050026
_THREAD, _FORK = 0x3D0F00, 0x1200011


@pytest.mark.parametrize(
    ("machine", "architecture", "call", "arguments", "verdict"),
    [
        ("x86_64", 0xC000003E, 0, (), _ALLOW),  # read
        ("aarch64", 0xC00000B7, 63, (), _ALLOW),
        ("x86_64", 0xC000003E, 41, (), _ENOSYS),  # socket
        ("aarch64", 0xC00000B7, 198, (), _ENOSYS),
        ("x86_64", 0xC000003E, 59, (), _ENOSYS),  # execve
        ("aarch64", 0xC00000B7, 221, (), _ENOSYS),
        ("x86_64", 0xC000003E, 56, (_THREAD,), _ALLOW),  # clone
        ("aarch64", 0xC00000B7, 220, (_THREAD,), _ALLOW),
        ("x86_64", 0xC000003E, 56, (_FORK,), _ENOSYS),
        ("aarch64", 0xC00000B7, 220, (_FORK,), _ENOSYS),
        ("x86_64", 0xC000003E, 9, (0, 4096, 3), _ALLOW),  # mmap
        ("x86_64", 0xC000003E, 9, (0, 4096, 5), _ENOSYS),
        ("aarch64", 0xC00000B7, 222, (0, 4096, 5), _ENOSYS),
        ("x86_64", 0xC000003E, 10, (0, 4096, 4), _ENOSYS),  # mprotect
        ("aarch64", 0xC00000B7, 226, (0, 4096, 1), _ALLOW),
        ("x86_64", 0xC000003E, 0x40000000, (), _ENOSYS),  # read, by the numbers of x32
        ("x86_64", 0x40000003, 3, (), _KILL),  # read, as a program of 32 bits
        ("aarch64", 0x40000028, 3, (), _KILL),
    ],
)
def test_the_filter_knows_both_machines(
    machine: str, architecture: int, call: int, arguments: tuple[int, ...], verdict: int
) -> None:
    data = struct.pack("=IIQ6Q", call, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    assert run(seccomp.program(machine), data) == verdict


def run(program: bytes, data: bytes) -> int:
    """What classic BPF makes of the data."""
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x15:
            at += if_true if accumulator == value else if_false
        elif code == 0x45:
            at += if_true if accumulator & value else if_false
        else:
            assert code == 0x06
            return int(value)
