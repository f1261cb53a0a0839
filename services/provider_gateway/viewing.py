"""Has clips looked into by processes of their own: one that dies over a clip takes nothing else with it."""

import contextlib
import json
import os
import pathlib
import queue
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import pydantic

from services.provider_gateway import media

_PYTHON = (sys.executable, "-m", "services.provider_gateway.viewer")
_BEGINNING_S = 60.0  # it ends itself over a clip; this is for one that never begins, or is stopped
_LONGEST = 1 << 20  # bytes of an answer


class ViewerDied(Exception):
    """The process that looked into clips is no more; the message says how it ended."""


class Viewers:
    """At most so many processes, each begun when it is first needed and again when it has died.

    One that takes longer than `deadline_s` over a clip dies.
    """

    def __init__(self, most: int, deadline_s: float = 60.0) -> None:
        self._all = [_Viewer(deadline_s) for _ in range(most)]
        self._idle = queue.LifoQueue[_Viewer]()  # the one that worked last is the quickest
        for one in self._all:
            self._idle.put(one)

    def look(self, clips: Sequence[tuple[pathlib.Path, bool]]) -> list[media.Facts]:
        """Look into these clips, each with whether its last picture is wanted; media.stills says where they lie.

        Blocks: call it in a thread. Raises ViewerDied, and what media.probe and media.save_last_frame do: of one of
        them, and nobody knows of which.
        """
        viewer = self._idle.get()
        try:
            return [_facts(found) for found in viewer.answer([(str(clip), wanted) for clip, wanted in clips])]
        finally:
            self._idle.put(viewer)

    def close(self) -> None:
        """End them."""
        for one in self._all:
            one.end()


class _Viewer:
    """One process at a time; it is told nothing of our environment."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._process: subprocess.Popen[bytes] | None = None

    def answer(self, clips: Sequence[tuple[str, bool]]) -> "list[_Found]":
        """What it found in each. Raises ViewerDied."""
        if self._process is None or self._process.poll() is not None:
            self._begin()
        found: list[_Found] = []
        with contextlib.suppress(OSError, pydantic.ValidationError):
            self._line.settimeout(len(clips) * self._deadline_s + _BEGINNING_S)
            self._line.sendall(json.dumps(clips).encode() + b"\n")
            found = _ANSWER.validate_json(self._said.readline(_LONGEST))
        if len(found) != len(clips):  # no whole answer, or nonsense from one that a clip has taken over
            raise ViewerDied(f"what looks into clips ended with {self.end()}")
        return found

    def end(self) -> int | None:
        """End the process, if there is one; how it ended."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()  # first: somebody may still be listening
        self._said.close()
        self._line.close()
        return process.wait()

    def _begin(self) -> None:
        self.end()
        self._line, theirs = socket.socketpair()
        self._said = self._line.makefile("rb")
        with theirs:
            self._process = subprocess.Popen(
                [*_PYTHON, str(self._deadline_s)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
                start_new_session=True,
            )


@dataclass(frozen=True, slots=True)
class _Found:
    """What it says of one clip: one of these."""

    facts: media.Facts | None = None
    errno: int = 0
    refused: str = ""


_ANSWER = pydantic.TypeAdapter(list[_Found])


def _facts(found: _Found) -> media.Facts:
    if found.errno:
        raise OSError(found.errno, os.strerror(found.errno))
    if not found.facts:
        raise media.NotAClip(found.refused)
    return found.facts
