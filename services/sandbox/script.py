"""Reads a prompt the way a scene painter reads a script: where, when, what weather, what look, who, which camera."""

import re
import zlib
from dataclasses import dataclass

from services.sandbox import vocabulary

_SECTION = re.compile(r'\b(camera|lighting|mood|dialogue|avoid):|(?:^|(?<=[.!?"\u201d] ))([a-z0-9 -]{2,30}) look:')
_PERSON = re.compile(r"([^.;:\[\]]{1,40}) \[[^\]]{1,40}\](?:: ([^.]*))?")


@dataclass(frozen=True, slots=True)
class Person:
    """Someone in the scene; the same name and profile look the same in every scene."""

    seed: int
    colour: str
    """Of the coat, as `9c2f2a`; empty when nothing is said."""
    hat: bool
    hair: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """What will be painted; `seed` decides everything the words leave open."""

    place: str
    hour: str
    weather: str
    look: str
    camera: str
    framing: str
    cast: tuple[Person, ...]
    walking: bool
    words: frozenset[str]
    """Of what is seen, without what is said about camera, light and look."""
    seed: int


def read(prompt: str, seed: int) -> Scene:
    """The scene of a prompt. The same prompt and seed always give the same scene."""
    body, parts = _sections(" ".join(prompt.lower().split()))
    seen, light, lens, style = (_words(text) for text in (body, parts["lighting"], parts["camera"], parts["look"]))
    dice = zlib.crc32(f"{seed}:{prompt}".encode())
    framing, cast = _said(vocabulary.SIZES, lens, seen, otherwise="wide"), _cast(body, seen, dice)
    # A thing on a table fills the frame only when nobody is there, or the lens is close to it.
    places = {p: names for p, names in vocabulary.PLACES.items() if p != "table" or framing == "close" or not cast}
    place = _said(places, seen, otherwise=list(vocabulary.PLACES)[dice % (len(vocabulary.PLACES) - 1)])
    return Scene(
        place=place,
        hour=_said(vocabulary.HOURS, light, seen, style, otherwise=("golden", "dawn", "day", "dusk")[dice // 16 % 4]),
        weather="clear" if place in ("space", "table") else _said(vocabulary.WEATHERS, seen, light, otherwise="clear"),
        look=_said(vocabulary.LOOKS, style[:3] or seen, otherwise="natural"),
        camera=_said(
            vocabulary.CAMERAS,
            lens,
            seen,
            style,
            otherwise=("push", "track", "pan_right", "pull", "pan_left")[dice // 64 % 5],
        ),
        framing=framing,
        cast=cast,
        walking=bool(set(seen) & vocabulary.WALKS),
        words=frozenset(seen),
        seed=dice,
    )


def _sections(text: str) -> tuple[str, dict[str, str]]:
    """What is seen, and what is said of camera, lighting, mood, dialogue and look."""
    marks = list(_SECTION.finditer(text))
    parts = dict.fromkeys(("camera", "lighting", "mood", "dialogue", "look", "avoid"), "")
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=False):  # no marks: nothing but what is seen
        parts[mark[1] or "look"] += f"{mark[2] or ''} {text[mark.end() : end]}"
    return text[: marks[0].start()] if marks else text, parts


def _words(text: str) -> list[str]:
    text = re.sub(r"black and white", "black-and-white", text)
    text = re.sub(r"\bgolden[ -]hour", "golden", text)
    text = re.sub(r"\bblue[ -]hour", "blue-hour", text)
    text = re.sub(
        r"\b(push|pull|zoom|dolly|pans?|tilts?)(?:es|s)?[ -](in|out|back|left|right|up|down)\b", r"\1-\2", text
    )
    text = re.sub(r"\b(close|locked|hand|two|long|mid)[ -](up|off|held|shot)\b", r"\1-\2", text)
    return re.findall(r"[a-z0-9&]+(?:-[a-z0-9]+)*", text)


def _said(choices: vocabulary.Choices, *texts: list[str], otherwise: str) -> str:
    """The choice named most often in the first text that names one; of equals, the one named first."""
    for text in texts:
        scores: dict[str, tuple[int, int]] = {}
        for place, word in enumerate(text):
            for choice, names in choices.items():
                if word in names or word.removesuffix("s") in names:
                    count, first = scores.get(choice, (0, -place))
                    scores[choice] = (count + 1, first)
        if scores:
            return max(scores, key=lambda choice: scores[choice])
    return otherwise


def _cast(body: str, seen: list[str], dice: int) -> tuple[Person, ...]:
    """The people introduced as `name [tag]: profile`, else as many as the words speak of; two at most."""
    named = [_person(match[1].strip(), match[2] or "") for match in _PERSON.finditer(body)]
    if named:
        return tuple(named[:2])
    found = set(seen)
    plural = any(name + "s" in found for name in vocabulary.PEOPLE)
    people = {name for name in vocabulary.PEOPLE if name in found or name + "s" in found}
    if not people:
        return ()
    count = 2 if plural or found & vocabulary.PAIRS or len(people - {"he", "she"}) > 1 else 1
    if count == 1:
        coat = next((vocabulary.COLOURS[word] for word in seen if word in vocabulary.COLOURS), "")
        woman = bool(found & {"she", "her", "woman", "girl", "mother", "daughter", "sister", "queen", "witch"})
        return (Person(dice, coat, hat=not woman and dice % 3 > 0, hair=woman),)
    return tuple(Person(dice >> 4 * n, "", hat=(n + dice) % 2 == 0, hair=(n + dice) % 2 == 1) for n in range(count))


def _person(name: str, profile: str) -> Person:
    words = re.findall(r"[a-z]+(?:-[a-z]+)?", profile)
    seed = zlib.crc32(f"{name}:{profile}".encode())
    worn = re.search(
        r"([a-z-]+)(?: [a-z-]+){0,2} (?:coat|anorak|oilskin|jacket|dress|cloak|sweater|suit|shirt|robe)", profile
    )
    told = re.findall(r"[a-z]+(?:-[a-z]+)?", worn[0]) if worn else []
    colour = next((vocabulary.COLOURS[word] for word in told if word in vocabulary.COLOURS), "")
    return Person(
        seed,
        colour,
        hat=bool({"hat", "cap", "hood", "helmet", "bonnet", "beret"} & set(words)),
        hair=bool({"woman", "girl", "braid", "ponytail", "long-haired", "knot", "she"} & set(words)),
    )
