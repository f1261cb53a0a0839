"""What people and programs write who have never heard of us: screenplays, shot lists, the browser app's storage."""

import json
from pathlib import Path

import pytest

from services.storyboard import domain, files
from services.storyboard.files import fountain
from tests.unit.storyboard.test_files import judged, read, refused

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
FOUNTAIN, CSV, BROWSER, YAML, JSON = (
    files.Format.FOUNTAIN, files.Format.CSV, files.Format.BROWSER_JSON, files.Format.YAML, files.Format.JSON
)  # fmt: skip
LATIN = "name;description\ncaf\xe9;x".encode("latin-1")


def notes(warnings):
    return [(it.line, it.field, it.text) for it in warnings]


def kinds(script):
    return [(it.kind, it.line, it.text) for it in fountain.elements(script)]


SCRIPT = """Title: _**BRICK & STEEL**_
Author:
    Stu Maschwitz
    And others

# Act one
= A lighthouse, at night.

FADE IN:

.OPENING TITLES

> BRICK & STEEL <

EXT. BRICK'S PATIO - DAY #1A#

= Two men, resting
/* an
old idea */
A gorgeous day.  The sun is shining.
But BRICK BRADDOCK, retired police detective, is dreaming [[of what?]] of nothing.

SPECIAL: A DOG

STEEL (O.S.)
(beer raised)
To retirement.

@McAVOY ^
~La la la
(beat)
To it.

CUT TO:

> FADE OUT.

===

INT. CELL - NIGHT

!INT. NOT A HEADING
.
"""


def test_a_screenplay_comes_apart_as_fountain_says():
    assert kinds(SCRIPT) == [
        ("title", 1, "Title: _**BRICK & STEEL**_"),
        ("title", 2, "Author: Stu Maschwitz And others"),
        ("section", 6, "Act one"),
        ("synopsis", 7, "A lighthouse, at night."),
        ("action", 9, "FADE IN:"),
        ("forced_heading", 11, "OPENING TITLES"),
        ("centred", 13, "BRICK & STEEL"),
        ("heading", 15, "EXT. BRICK'S PATIO - DAY #1A#"),
        ("synopsis", 17, "Two men, resting"),
        ("boneyard", 18, " an\nold idea "),
        ("action", 20, "A gorgeous day.  The sun is shining."),
        ("action", 21, "But BRICK BRADDOCK, retired police detective, is dreaming  of nothing."),
        ("note", 21, "of what?"),
        ("action", 23, "SPECIAL: A DOG"),
        ("character", 25, "STEEL (O.S.)"),
        ("parenthetical", 26, "beer raised"),
        ("dialogue", 27, "To retirement."),
        ("character", 29, "McAVOY ^"),
        ("lyric", 30, "La la la"),
        ("parenthetical", 31, "beat"),
        ("dialogue", 32, "To it."),
        ("transition", 34, "CUT TO:"),
        ("transition", 36, "FADE OUT."),
        ("page_break", 38, ""),
        ("heading", 40, "INT. CELL - NIGHT"),
        ("action", 42, "INT. NOT A HEADING"),
        ("action", 43, "."),
    ]


def test_a_screenplay_becomes_a_board_and_what_has_no_place_is_told():
    board, warnings = read(SCRIPT, FOUNTAIN)
    assert (board.name, board.logline) == ("BRICK & STEEL", "A lighthouse, at night.")
    opening, patio, cell = board.scenes
    assert (opening.title, opening.subject, opening.caption) == ("OPENING TITLES", "OPENING TITLES", "BRICK & STEEL")
    assert patio == domain.Scene(
        title="EXT. BRICK'S PATIO - DAY",
        subject="Two men, resting",
        action="A gorgeous day.  The sun is shining.\n"
        "But BRICK BRADDOCK, retired police detective, is dreaming  of nothing.\n\nSPECIAL: A DOG",
        setting="EXT. BRICK'S PATIO - DAY",
        dialogue="Steel (O.S.): (beer raised) To retirement.\nMcAVOY: La la la (beat) To it.",
        seconds=4,
        cast=("Steel", "McAVOY"),
        location="BRICK'S PATIO",
    )
    assert cell.action == "INT. NOT A HEADING\n."
    assert [one.name for one in board.characters] == ["Steel", "McAVOY"]
    assert [one.name for one in board.locations] == ["BRICK'S PATIO", "CELL"]
    told = notes(warnings)
    assert (6, "", "a section has no place in a board: 'Act one'") in told
    assert (36, "", "a transition has no place in a board: 'FADE OUT.'") in told
    assert (21, "", "a note has no place in a board: 'of what?'") in told
    assert (18, "", "struck text has no place in a board: 'an old idea'") in told
    assert (2, "", "the title page's 'Author: Stu Maschwitz And others' has no place in a board") in told
    assert (11, "scenes[0].duration", "no duration is given, 3 times; 4 seconds are taken") in told
    assert len(told) == 8


def test_a_note_for_us_says_the_rest_and_a_broken_one_is_a_fault():
    note = '.A\n\n= x\n\n[[rushes: {"duration": 9, "cast": ["Zoë"],\n"subject": "y"}]]\n'
    board, warnings = read(note, FOUNTAIN)
    assert (board.scenes[0].seconds, board.scenes[0].cast, board.scenes[0].subject) == (9, ("Zoë",), "y")
    assert notes(warnings)[0] == (
        5,
        "scenes[0].subject",
        "is said twice, and what is said to rushes is taken; remove one of the two",
    )
    assert refused(".A\n\n[[rushes: {]]", FOUNTAIN)["data"].startswith("line 3: the note it is not valid JSON")
    assert refused('.A\n\n[[rushes: {"durration": 3}]]', FOUNTAIN) == {
        "scenes[0].durration": "line 3: is no field of a board; did you mean duration?"
    }


def test_a_speaker_who_is_written_into_an_export_joins_the_cast():
    letter, _ = read((EXAMPLES / "the-letter.yaml").read_bytes(), YAML)
    script = files.write(letter, FOUNTAIN).data.decode()
    edited = script.replace("ELIAS\n", "NORA\nWho is there?\n\nELIAS\n", 1).replace("trembl", "shak", 1)
    board, _ = read(edited, FOUNTAIN)
    assert board.scenes[1].cast == ("Nora", "Elias")
    assert board.scenes[1].dialogue.startswith("Nora: Who is there?\nElias: ")
    assert board.scenes[2].action.endswith("begins to shake.")
    assert [one.name for one in board.characters] == ["Marta", "Elias", "Nora"]
    assert board.characters[:2] == letter.characters


@pytest.mark.parametrize("name", ["letter.fountain", "letter.csv"])
def test_an_example_is_faultless(name):
    board, _ = read((EXAMPLES / name).read_bytes(), files.Format(name.partition(".")[2]), "The letter")
    assert [scene.seconds for scene in board.scenes] == ([6, 4, 4] if name.endswith("n") else [4, 6, 4])
    assert {name for scene in board.scenes for name in scene.cast} == {"Marta", "Elias"}


def test_a_shot_list_is_read_as_people_write_them():
    board, warnings = read((EXAMPLES / "letter.csv").read_bytes(), CSV, "The letter")
    assert board.scenes[2] == domain.Scene(
        title="Her husband's hand",
        subject="The envelope in Marta's hands",
        action="is turned over once;\nher thumb stops on the handwriting",
        camera="Extreme close-up, 100 mm macro",
        lighting="Window light",
        seconds=4,
        cast=("Marta", "Elias"),
        location="Saloon",
        props=("the letter",),
    )
    assert [place.name for place in board.locations] == ["Strait", "Saloon"]
    assert not warnings


@pytest.mark.parametrize(
    "data",
    [
        "Shot,Description,Dur.\n3A,Fog,00:05\n",
        "\ufeffShot,Description,Dur.\r\n3A,Fog,5\r\n,,\r\n",
        "sep=;\r\nShot;Description;Dur.\r\n3A;Fog;5,0\r\n",
        "Shot\tDescription\tDur.\n3A\tFog\t5 sec\n".encode("utf-16"),
        '"shot","DESCRIPTION","dur"\n"3A","Fog","5s"',
    ],
    ids=["clock", "mark", "sep", "utf-16", "quoted"],
)
def test_a_shot_list_of_any_spreadsheet_is_read(data):
    board, warnings = read(data, CSV)
    assert board.scenes == (domain.Scene(title="3A", subject="3A", action="Fog", seconds=5),)
    assert [it.field for it in warnings] == ["scenes[0].subject", "name"]


def test_a_column_that_is_of_no_use_is_told_once():
    _, warnings = read("title,subject,duration,Budget\nA,x,4,100\nB,y,5,200\nC,z,5\n", CSV, "n")
    assert notes(warnings) == [(1, "", "column 'Budget' has no place in a board, and is passed over")]


def test_no_cell_is_a_formula_in_a_spreadsheet():
    scene = domain.Scene(
        title="=HYPERLINK(1)", subject="+1", action="-1", camera="@SUM(A1)", mood="'=1", seconds=4, seed=2**60
    )
    board = domain.Content(name="=1", scenes=(scene,))
    data = files.write(board, CSV).data
    cells = data.decode("utf-8-sig").splitlines()[1].split(",")
    assert cells[1:5] == ["'=HYPERLINK(1)", "'+1", "'-1", ""]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]
    assert f"'{2**60}" in cells
    assert read(data, CSV)[0] == board


def test_the_storage_of_the_browser_app_becomes_a_board():
    app = {
        "id": "0b7c", "userId": None, "name": "Chen", "presetKey": "film-noir", "createdAt": "2025-01-01",
        "character": {"id": "c", "name": "Sarah Chen", "age": 34, "hair": "black", "traits": ["calm", "tall"],
                      "identity_tag": "character:sarah-chen_id:0a1b2c3d"},
        "scenes": [
            {"id": "1", "subject": "Sarah", "action": "walks", "duration": 8, "negativePrompt": "rain", "sound": "sea"},
            {"id": "2", "title": "Dusk"},
        ],
    }  # fmt: skip
    board, warnings = read(json.dumps(app, indent=1), BROWSER)
    assert board.characters == (
        domain.Character(
            name="Sarah Chen",
            profile="age: 34, hair: black, traits: calm, tall",
            identity_tag="character:sarah-chen_id:0a1b2c3d",
        ),
    )
    assert board.scenes == (
        domain.Scene(subject="Sarah", action="walks", seconds=8, negative_prompt="rain", cast=("Sarah Chen",)),
        domain.Scene(title="Dusk", subject="Dusk", seconds=4, cast=("Sarah Chen",)),
    )
    assert [it.text for it in warnings] == [
        "there is no look 'film-noir' here; cinematic is taken",
        "sound has no place in a board: 'sea'",
        "no duration is given; 4 seconds are taken",
        "no subject is given; the title or the character is taken",
    ]
    for wrapped in ([app], {"state": {"storyboard": app}, "version": 0}, {"storyboards": json.dumps([app])}):
        assert read(json.dumps(wrapped), BROWSER)[0] == board
    assert refused(json.dumps([app, app]), BROWSER) == {
        "data": "line 1: it holds 2 storyboards; import them one by one"
    }
    assert "data" in refused('{"theme": "dark"}', BROWSER)


@pytest.mark.parametrize(
    ("format", "data", "field", "wrong"),
    [
        (YAML, "name: x\nscenes:\n- subject: a\n  duration: soon\n", "scenes[0].duration", "line 4: is 'soon', not a"),
        (YAML, "name: x\nscenes:\n- subject: a\n  duration: 61\n", "scenes[0].duration", "line 4: should be 1 to 60"),
        (YAML, "name: x\nscenes:\n- {subject: a, duration: 4,\n  cast: [Bo]}\n", "scenes[0].cast[0]", "line 4: names"),
        (YAML, "name: x\npreset: noirr\n", "preset", "line 2: should be one of"),
        (YAML, "name: x\nname: y\n", "name", "line 2: is written twice"),
        (YAML, "name: [x\n", "data", "line 2: it is not valid YAML"),
        (YAML, "name: x\nsize: 1x1\n", "size", "line 2: is '1x1'; write width x height"),
        (YAML, "name: x\nsize: 131x131\n", "size", "line 2: should be even, 128 to 7680"),
        (YAML, "a: &a [*a]\n", "data", "line 1: its aliases repeat too much"),
        (YAML, "", "data", "line 1: it is empty"),
        (YAML, "- x\n", "data", "line 1: it is a list, not a board"),
        (YAML, "scenes: []\n", "name", "line 1: should have 1 to 200 characters"),
        (
            JSON,
            '{"name": "x",\n"scenes": [{"subject": "a", "duration": 4, "seam": "fade"}]}',
            "scenes[0].seam",
            "line 2: is",
        ),
        (JSON, '{"name": "x",\n "name": "y"}', "name", "line 2: is written twice"),
        (JSON, '{"name": "\\ud800"}', "name", "line 1: holds half a character"),
        (JSON, '{"name": }', "data", "line 1: it is not valid JSON"),
        (JSON, "[" * 100_000, "data", "line 1: it is nested too deep"),
        (JSON, '{"a": ' * 30 + "1" + "}" * 30, "data", "line 1: it is nested more than 20 levels deep"),
        (CSV, 'title,subject\nA,"x" y\n', "data", "line 2: it is not valid CSV"),
        (CSV, "x,y\n1,2\n", "data", "line 1: its first row names no column"),
        (CSV, "subject,duration\na,4\nb,soon\n", "scenes[1].duration", "line 3: is 'soon', not a whole number"),
        (CSV, "subject,board\na,{\n", "board", "line 2: it is not valid JSON"),
        (CSV, "subject\n" + "x\n" * 501, "data", "line 502: it holds more than 500 scenes"),
        (FOUNTAIN, ".x\n\n" * 501, "data", "line 1001: it holds more than 500 scenes"),
        (CSV, LATIN, "data", "line 2: it is not UTF-8 text; save the file as UTF-8"),
        (FOUNTAIN, b"\xff\xfe\x00", "data", "line 1: it is not UTF-8 text"),
        (FOUNTAIN, b"x" * 2_000_001, "data", "line 1: it is larger than 2000 kB"),
    ],
    ids=lambda it: str(it)[:30],
)
def test_a_fault_names_its_line_its_field_and_the_remedy(format, data, field, wrong):
    found = refused(data, format)
    assert found[field].startswith(wrong), found


SNARES = {
    "notes": "[[" * 500_000,
    "notes and blanks": "[[\n\n" * 200_000,
    "comments": "/*" * 500_000,
    "brackets": "(" * 1_000_000,
    "extensions": "\n\nA" + "(" * 900_000 + "\nx",
    "hashes": ".x " + "#" * 900_000,
    "keys": "a" * 900_000,
    "blanks": "\n" + " " * 900_000 + "x",
    "quotes": '"' * 900_000,
    "escapes": '"' + '\\"' * 450_000,
    "commas": ",subject\n" + "," * 900_000,
    "open": '{"a":' * 100_000,
    "colons": "a: " * 300_000,
    "dashes": "- " * 300_000,
    "lists": '{"a": [' + "[]," * 250_000 + "[]]}",
    "speech": ".x\n\n" + "A\nx\n\n" * 150_000,
    "centred": ">" * 900_000,
}


@pytest.mark.parametrize("format", sorted(files.READABLE))
@pytest.mark.parametrize("snare", SNARES)
def test_a_megabyte_of_snares_is_read_or_refused(format, snare):
    """What is not linear does not end before the tests are given up."""
    board, faults = judged(SNARES[snare], format)
    assert (board is None) == bool(faults)
