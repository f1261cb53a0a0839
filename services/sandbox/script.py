"""Reads a prompt the way a scene painter reads a script: where, when, what weather, what look, who, which camera."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

PLACES = {
    "sea": "sea ocean wave shore beach coast harbour harbor ship boat sail lighthouse island tide pier dock lake river",
    "mountain": "mountain peak summit alps cliff valley glacier ridge himalaya canyon hike climb climber",
    "forest": "forest wood woods woodland jungle tree grove pine birch fern moss",
    "desert": "desert dune sand sahara oasis caravan camel mars wasteland",
    "city": "city skyline rooftop tower skyscraper downtown metropolis traffic tokyo york paris london",
    "street": "street alley alleyway sidewalk road pavement lane market crosswalk bus tram taxi station",
    "interior": "room kitchen bedroom office studio apartment interior hallway corridor cafe bar window table desk library "
    "shop workshop bakery lab indoors sofa bed door counter product bottle perfume shelf",
    "field": "field meadow farm farmhouse cottage village hill hillside grass garden prairie orchard vineyard barn "
    "countryside park",
    "space": "space planet orbit galaxy nebula star spaceship astronaut cosmos asteroid satellite",
}
HOURS = {
    "dawn": "dawn sunrise daybreak morning",
    "day": "day noon midday daylight afternoon sunny",
    "golden": "golden sunlit amber honey warm",
    "dusk": "dusk sunset twilight evening blue-hour",
    "night": "night midnight moon moonlit moonlight starlit starry dark nocturnal",
}
WEATHERS = {
    "rain": "rain rainy raining drizzle storm stormy thunder wet downpour rain-soaked",
    "snow": "snow snowy snowing snowfall blizzard winter frost frozen ice",
    "fog": "fog foggy mist misty haze hazy smoke steam",
}
LOOKS = {
    "noir": "noir monochrome black-and-white b&w grayscale greyscale expressionist",
    "pastel": "pastel dreamy soft whimsical watercolor watercolour gentle fairytale romantic",
    "neon": "neon cyberpunk synthwave vaporwave electric futuristic",
    "vintage": "vintage sepia retro nostalgic 8mm 16mm 1920s 1950s 1970s kodachrome faded",
    "documentary": "documentary naturalistic observational verite raw realistic",
    "vivid": "anime animated cartoon vivid vibrant saturated colorful colourful commercial",
    "cold": "cold horror bleak thriller eerie steel dystopian teal",
}
CAMERAS = {
    "push": "push push-in zoom-in dolly-in closer approaches",
    "pull": "pull pull-out pull-back zoom-out dolly-out reveals",
    "pan_left": "pan-left pans-left",
    "pan_right": "pan pans panning pan-right pans-right",
    "track": "track tracks tracking dolly dollies follow follows following slider lateral truck",
    "tilt_down": "tilt-down tilts-down",
    "tilt_up": "tilt tilts tilt-up tilts-up",
    "crane": "crane cranes drone aerial rises rising overhead",
    "handheld": "handheld hand-held shaky shoulder",
    "static": "static locked locked-off tripod still fixed",
}
SIZES = {
    "close": "close-up closeup close portrait face eyes hands macro",
    "medium": "medium two-shot waist mid-shot cowboy",
    "wide": "wide establishing long-shot panorama extreme-wide vista",
}
PEOPLE = (
    "he she they man men woman women boy girl child children kid person people figure couple father mother son daughter friend friends "
    "keeper captain sailor fisherman hiker astronaut detective dancer chef baker farmer driver soldier runner host narrator "
    "stranger lovers brother sister grandmother grandfather nurse doctor worker scientist actor actress hero heroine "
    "character characters"
)
PAIRS = "they men women children couple friends lovers two both together people brothers sisters twins pair"
WALKS = "walk walks walking run runs running climb climbs strolls wanders crosses marches hurries steps"


@dataclass(frozen=True, slots=True)
class Scene:
    """What will be painted; `seed` decides everything the words leave open."""

    place: str
    hour: str
    weather: str
    look: str
    camera: str
    framing: str
    cast: int
    walking: bool
    words: frozenset[str]
    seed: int


def read(prompt: str, seed: int) -> Scene:
    """The scene of a prompt. The same prompt and seed always give the same scene."""
    text = re.sub(r"black and white", "black-and-white", prompt.lower())
    text = re.sub(r"\b(blue|golden) hour", r"\1-hour golden" if "golden hour" in text else r"\1-hour", text)
    text = re.sub(r"\b(push|pull|zoom|dolly|pan|pans|tilt|tilts)(?:es|s)?[ -](in|out|back|left|right|up|down)\b", r"\1-\2", text)
    text = re.sub(r"\b(close|locked|hand|two|long|mid)[ -](up|off|held|shot)\b", r"\1-\2", text)
    words = re.findall(r"[a-z0-9&]+(?:-[a-z0-9]+)*", text)
    found = frozenset(words) | {part for word in words for part in word.split("-")}
    dice = zlib.crc32(f"{seed}:{prompt}".encode())
    cast = _cast(found)
    place = _said(PLACES, words, "") or list(PLACES)[dice % (len(PLACES) - 1)]
    return Scene(
        place=place,
        hour=_said(HOURS, words, "") or ("golden", "dawn", "day", "dusk")[dice // 16 % 4],
        weather=_said(WEATHERS, words, "clear") if place != "space" else "clear",
        look=_said(LOOKS, words, "natural"),
        camera=_said(CAMERAS, words, "") or ("push", "track", "pan_right", "pull", "pan_left")[dice // 64 % 5],
        framing=_said(SIZES, words, "wide"),
        cast=cast,
        walking=bool(found & set(WALKS.split())),
        words=found,
        seed=dice,
    )


def _cast(found: frozenset[str]) -> int:
    people = {name for name in PEOPLE.split() if name in found or name + "s" in found}
    if not people:
        return 0
    return 2 if found & set(PAIRS.split()) or any(name + "s" in found for name in PEOPLE.split()) or len(people - {"he", "she"}) > 1 else 1


def _said(choices: Mapping[str, str], words: list[str], otherwise: str) -> str:
    """The choice that is named most often; of equals, the one named first."""
    scores: dict[str, tuple[int, int]] = {}
    for place, word in enumerate(words):
        for choice, names in choices.items():
            if word in names.split() or word.removesuffix("s") in names.split():
                count, first = scores.get(choice, (0, -place))
                scores[choice] = (count + 1, first)
    return max(scores, key=lambda choice: scores[choice], default=otherwise)
