import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sandbox import script

LETTER = (
    "Marta and Elias at the rail, watch the lighthouse beam come round. The stern of the ferry, white wake below. "
    "Marta [marta-1f2e]: A woman of about seventy; a man's navy pea coat two sizes too large. "
    "Elias [elias-77aa]: A man of twenty-four; a mustard-yellow postal oilskin, a cap. "
    "Camera: Wide, absolutely still. Lighting: Near night; the beam rakes through rain. Mood: Farewell. "
    'Dialogue: Elias: "They walk on water." '
    "Film noir look: high-contrast black and white, wet streets, low angles."
)


def test_each_part_of_a_composed_prompt_decides_what_it_is_about() -> None:
    scene = script.read(LETTER, 7)
    assert (scene.place, scene.hour, scene.weather, scene.look) == ("sea", "night", "rain", "noir")
    assert (scene.camera, scene.framing, scene.walking) == ("static", "wide", False)
    assert [(person.colour, person.hat, person.hair) for person in scene.cast] == [
        ("27365c", False, True),
        ("d19a24", True, False),
    ]


def test_a_character_looks_the_same_in_every_scene() -> None:
    other = LETTER.replace("the rail, watch the lighthouse", "a kitchen table, read").replace("ferry", "room")
    assert script.read(other, 8).cast == script.read(LETTER, 7).cast


@pytest.mark.parametrize(
    ("prompt", "place", "hour", "camera"),
    [
        ("A caravan crosses the dunes at golden hour; pan left.", "desert", "golden", "pan_left"),
        ("Close-up of an espresso cup on slate, morning, tilt down.", "table", "dawn", "tilt_down"),
        ("Skyline and rooftops at dusk, drone shot.", "city", "dusk", "crane"),
        ("Two hikers on the ridge at sunrise, dolly in.", "mountain", "dawn", "push"),
        ("A detective in a wet alley at midnight, hand-held.", "street", "night", "handheld"),
    ],
)
def test_plain_words_are_understood(prompt: str, place: str, hour: str, camera: str) -> None:
    scene = script.read(prompt, 1)
    assert (scene.place, scene.hour, scene.camera) == (place, hour, camera)


def test_a_thing_on_a_table_gives_way_to_the_people_around_it() -> None:
    assert script.read("A woman reads a letter by the window of a room. Camera: Wide.", 1).place == "interior"
    assert script.read("A letter in a woman's hand. Camera: Extreme close-up.", 1).place == "table"


@given(st.text(max_size=300), st.integers(-(2**31), 2**63))
def test_every_text_gives_one_scene(prompt: str, seed: int) -> None:
    assert script.read(prompt, seed) == script.read(prompt, seed)
