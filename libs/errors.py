"""The one vocabulary of what can go wrong.

Error
├── Invalid          the request breaks a rule: correct the named fields
├── NotFound         there is no such thing, or it is not the caller's
├── Conflict         the thing is in a state that forbids this: change the state first
├── Stale            it changed since it was read: read again and retry
├── Exhausted        a limit is used up: wait
├── Unavailable      something we need is out of reach: retry
├── Unauthenticated  nobody knows who is asking
└── Denied           the caller is known and may not
"""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class _Facts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "?"


class Error(Exception):
    """Something went wrong.

    A subclass of a kind names one thing that can happen; the first paragraph of its docstring tells people
    what it is and what to do, `{fact}` filled from the keyword facts. Facts travel to callers: no secrets.
    """

    kind: ClassVar[type["Error"]]
    reason: ClassVar[str]
    facts: dict[str, str]

    def __init_subclass__(cls) -> None:
        """Fix the `kind` (the direct child of Error) and the `reason` (SCENE_MISSING for SceneMissing)."""
        cls.reason = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()
        if Error in cls.__bases__:
            cls.kind = cls

    def __init__(self, **facts: object) -> None:
        self.facts = {name: str(fact) for name, fact in facts.items()}
        sentence = inspect.cleandoc(self.__doc__ or self.reason).split("\n\n")[0].replace("\n", " ")
        super().__init__(sentence.format_map(_Facts(self.facts)))

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception made of keywords does not survive the default pickling between worker processes.
        return _revived, (type(self), self.args, self.__dict__)


Error.kind = Error
Error.reason = "ERROR"


def _revived(cls: type[Error], args: tuple[object, ...], state: dict[str, object]) -> Error:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule: `scenes[2].seconds`, and what it should be."""

    field: str
    description: str


class Invalid(Error):
    """The request cannot be accepted as it is; correct these fields."""

    violations: list[Violation]

    def __init__(self, violations: Sequence[Violation] = (), **facts: object) -> None:
        super().__init__(**facts)
        self.violations = list(violations)

    def __str__(self) -> str:
        """The sentence, then every violation."""
        return " ".join([super().__str__(), *(f"{v.field}: {v.description}." for v in self.violations)])


class NotFound(Error):
    """There is no such thing."""


class Conflict(Error):
    """The present state does not allow this."""


class Stale(Error):
    """It has changed since it was read; read it again and retry."""

    violations: list[Violation]

    def __init__(self, violations: Sequence[Violation] = (), **facts: object) -> None:
        super().__init__(**facts)
        self.violations = list(violations)


class Exhausted(Error):
    """A limit is used up; wait and retry."""

    retry_after_s: float | None

    def __init__(self, retry_after_s: float | None = None, **facts: object) -> None:
        super().__init__(**facts)
        self.retry_after_s = retry_after_s


class Unavailable(Error):
    """Something needed for this is out of reach; retry."""


class Unauthenticated(Error):
    """A valid bearer token is needed."""


class Denied(Error):
    """The caller may not do this."""
