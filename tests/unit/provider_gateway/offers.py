"""The shipped catalogue, and orders for its models."""

import datetime
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

from services.provider_gateway import catalogue, limits

PATH = pathlib.Path(catalogue.__file__).with_name("offer")
OFFER = catalogue.load(PATH)
TODAY = datetime.date(2026, 11, 20)
EVERYWHERE = frozenset(OFFER.endpoints)
REEL = OFFER.find("sandbox/reel-1")
OMNI = OFFER.find("google/gemini-omni-1.2-flash")


def asked(size: str = "1280x720", **changes: Any) -> limits.Asked:
    """An order for five seconds of film with sound, but for these changes."""
    width, _, height = size.partition("x")
    plain = {
        "prompt": "A quiet field.", "negative_prompt": "", "seconds": 5, "size": limits.Size(int(width), int(height)),
        "seed": None, "audio": True, "first_frame": False, "last_frame": False, "references": 0,
    }  # fmt: skip
    return limits.Asked(**plain | changes)


def possible(model: catalogue.Model) -> Iterator[limits.Asked]:
    """Every order the model takes, but for what it says: with every size, length, sound and frame."""
    frames = [(False, False), (True, False), (True, True)]
    sounds = [sound for sound, can in ((True, model.audio), (False, model.silent)) if can]
    for size, sound, (first, last) in itertools.product(model.sizes, sounds, frames):
        if first <= model.first_frame and last <= model.last_frame:
            one = asked(str(size), audio=sound, first_frame=first, last_frame=last)
            for seconds in model.durations_for(one):
                yield asked(str(size), audio=sound, first_frame=first, last_frame=last, seconds=seconds)
