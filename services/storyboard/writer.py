"""Asks a language model for JSON: what may be asked, who may answer, and what can go wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from libs import errors

_LONGEST_ANSWER = 500_000


class WriterOff(errors.Conflict):
    """This installation has no language model; its operator sets RUSHES_WRITER_KEY for the storyboard service."""


class WriterUnclear(errors.Conflict):
    """The language model answered with nothing that can be used: {why}; ask again, or change the words."""


class WriterBusy(errors.Exhausted):
    """The language model takes no more for now; ask again later."""


class WriterAway(errors.Unavailable):
    """The language model cannot be reached, or took too long; ask again later."""


class WriterRefused(errors.Conflict):
    """The language model's server refused the call with {status}; the operator corrects what RUSHES_WRITER_… says."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the model is to do: `order` says it, `material` is what it works on, `schema` what it answers with."""

    name: str
    order: str
    material: Mapping[str, Any]
    schema: Mapping[str, Any]


class Writer(Protocol):
    """A language model, whoever makes it."""

    async def answer(self, task: Task) -> Any:
        """The JSON it answers with, which nobody has checked.

        Raises WriterOff, WriterUnclear, WriterBusy, WriterAway or WriterRefused.
        """
        ...

    async def close(self) -> None:
        """Let go of its connections."""


class Nobody:
    """Where there is no key."""

    async def answer(self, task: Task) -> Any:
        """Raises WriterOff."""
        raise WriterOff

    async def close(self) -> None:
        """Nothing is open."""


def read(said: str) -> Any:
    """The JSON of an answer. Raises WriterUnclear."""
    if len(said) > _LONGEST_ANSWER:
        raise WriterUnclear(why="it said too much")
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        raise WriterUnclear(why="it is not JSON") from None
