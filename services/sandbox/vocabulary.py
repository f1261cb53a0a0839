"""The words that a scene painter listens for, and what each of them decides."""

from collections.abc import Mapping

Choices = Mapping[str, frozenset[str]]


def _choices(**named: str) -> Choices:
    return {choice: frozenset(words.split()) for choice, words in named.items()}


PLACES = _choices(
    sea=(
        "sea ocean wave shore beach coast harbour harbor ship boat ferry deck sail lighthouse island "
        "tide tidal pier dock lake river swell strait seabed flats creek foam headland underwater"
    ),
    mountain="mountain peak summit alps cliff valley glacier ridge himalaya canyon hike climber",
    forest="forest wood woods woodland jungle tree grove pine birch fern moss",
    desert="desert dune sahara oasis caravan camel mars wasteland",
    city="city skyline rooftop tower skyscraper downtown metropolis tokyo york paris",
    street=("street alley alleyway sidewalk road asphalt pavement lane market crosswalk bus tram taxi traffic station"),
    interior=(
        "room kitchen bedroom office apartment interior hallway corridor cafe bar saloon bench window "
        "desk library shop workshop bakery lab indoors sofa bed door doorway curtain"
    ),
    table=(
        "cup espresso coffee bean portafilter slate product bottle perfume shelf counter plate envelope "
        "letter glass tea wine food fruit softbox tabletop formica packshot"
    ),
    field=(
        "field meadow farm farmhouse cottage village hill hillside grass garden prairie orchard "
        "vineyard barn countryside park"
    ),
    space="space planet orbit galaxy nebula star spaceship astronaut cosmos asteroid satellite",
)
HOURS = _choices(
    dawn="dawn sunrise daybreak morning pearl-grey",
    day="day noon midday daylight afternoon sunny softbox fluorescent",
    golden="golden sunlit honey honeyed sun",
    dusk="dusk sunset twilight evening blue-hour",
    night="night midnight moon moonlit moonlight starlit starry nocturnal",
)
WEATHERS = _choices(
    rain="rain rainy raining rain-streaked drizzle storm stormy thunder downpour rain-soaked",
    snow="snow snowy snowing snowfall blizzard winter frost frozen ice",
    fog="fog foggy mist misty haze hazy smoke steam shimmer",
)
LOOKS = _choices(
    noir="noir monochrome black-and-white b&w grayscale greyscale expressionist",
    pastel="pastel dreamy watercolor watercolour whimsical fairytale romantic",
    neon="neon cyberpunk synthwave vaporwave",
    vintage="vintage sepia retro nostalgic 8mm 16mm kodachrome",
    documentary="documentary naturalistic observational verite",
    vivid="anime animated animation cartoon vivid vibrant storybook saturated colorful colourful",
    cold="cold horror bleak thriller eerie dystopian",
    clean="clean product commercial advertisement studio",
    golden="golden honey",
)
CAMERAS = _choices(
    push="push push-in zoom-in dolly-in closer approaches",
    pull="pull pull-out pull-back zoom-out dolly-out reveals",
    pan_left="pan-left pans-left",
    pan_right="pan pans panning pan-right pans-right",
    track=(
        "track tracks tracking dolly dollies follow follows following slider lateral sideways truck drifting walking"
    ),
    tilt_down="tilt-down tilts-down",
    tilt_up="tilt tilts tilt-up tilts-up",
    crane="crane cranes drone aerial rises rising creeping overhead",
    handheld="handheld hand-held shaky",
    static="static locked locked-off tripod still fixed",
)
SIZES = _choices(
    close="close-up closeup close portrait face macro tight",
    medium="medium two-shot mid-shot cowboy",
    wide="wide establishing long-shot panorama small",
)
PEOPLE = frozenset(
    (
        "he she they man men woman women boy girl child children kid person people figure couple father "
        "mother son daughter friend keeper captain sailor fisherman hiker astronaut detective dancer chef "
        "baker farmer driver soldier runner host stranger lover brother sister grandmother grandfather "
        "nurse doctor worker scientist actor hero heroine character guide pilot traveler traveller artist "
        "singer musician photographer widow queen king knight monk witch wizard student teacher waiter "
        "swimmer cyclist postman"
    ).split()
)
PAIRS = frozenset(("they men women children couple two both together people pair").split())
WALKS = frozenset(("walk walks walking run runs running climb climbs strolls wanders marches hurries steps").split())
COLOURS = {
    "red": "9c2f2a",
    "crimson": "8c1f33",
    "mustard-yellow": "d19a24",
    "yellow": "dcae32",
    "orange": "c8682a",
    "navy": "27365c",
    "blue": "315d96",
    "green": "3f6b41",
    "white": "d8d6cf",
    "grey": "757a80",
    "gray": "757a80",
    "brown": "5f4430",
    "pink": "c97a92",
    "purple": "5d3f7d",
    "violet": "5d3f7d",
}
"""Of clothes."""
