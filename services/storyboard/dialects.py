"""How each model is spoken to: where it is told what must not be seen, and how many stills it looks at."""

import enum
import fnmatch
from collections.abc import Mapping


class Dialect(enum.StrEnum):
    """The ways to say it."""

    NEGATIVE_FIELD = "negative_field"
    AVOID_WORDS = "avoid_words"


# Old revisions are composed by this for ever: a line more or less is a new COMPOSER_VERSION. That it says what the
# catalogue says is held by tests/contract/test_dialects.py; a model that is in neither is spoken to in words, which no
# model refuses.
_TAKES_A_FIELD = (
    "fal/kling-*",
    "fal/veo-*",
    "google/veo-*",
    "replicate/veo-3.1",
    "sandbox/fal-reel",
    "sandbox/reel-1",
    "sandbox/replicate-reel",
    "sandbox/runware-reel",
    "sandbox/veo-1",
    "vertex/veo-*",
    "*/wan-2.2-5b",
)

_STILLS: Mapping[str, int] = {}
"""How many reference images each model takes; none does as long as no adapter of the gateway sends them."""


def of(model: str) -> Dialect:
    """The dialect of a catalogue id."""
    takes_a_field = any(fnmatch.fnmatchcase(model, pattern) for pattern in _TAKES_A_FIELD)
    return Dialect.NEGATIVE_FIELD if takes_a_field else Dialect.AVOID_WORDS


def stills(model: str) -> int:
    """How many reference images the model of this catalogue id takes; a quote for more would be refused."""
    return _STILLS.get(model, 0)
