from pathlib import Path

import pytest

from services.cli import board_file, yaml_file

FORBIDDEN = "it holds a character that YAML forbids"
MANY_SCENES = "name: x\nscenes:\n" + "- {subject: a, duration: 1}\n" * 501
GOOD = """\
name: The Letter
characters:
  - name: Marta
    profile: Seventy.
scenes:
  - title: One
    subject: A ferry
    duration: 4
  - title: Two
    subject: Marta
    cast: [Marta]
    seam: last_frame
    duration: 5
"""

MANY = """\
name: ""
lookk: noir
preset: nior
aspect: 4:3
characters:
  - name: Marta
  - name: Marta
    description: x
scenes:
  - subject: a
    duration: 90
    seam: last_frame
    cast: [Matra]
  - title: x
    duration: 4s
    duration: 2.5
    seem: cut
  - nothing
"""


def scene(extra: str = "", duration: str = "4") -> str:
    return f"name: x\nscenes:\n  - subject: a\n    duration: {duration}\n{extra}"


def faults(tmp_path: Path, text: str | bytes) -> list[tuple[int, str, str, str]]:
    path = tmp_path / "board.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(yaml_file.Faulty) as caught:
        board_file.read(path)
    return [(fault.line, fault.field, fault.wrong, fault.remedy) for fault in caught.value.faults]


def test_a_good_board_is_read(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(GOOD)
    read = board_file.read(tmp_path / "board.yaml")
    assert [scene.seam for scene in read.board.scenes] == ["cut", "last_frame"]
    assert read.board.frame == (1280, 720)
    assert read.lines["scenes", 1, "cast"] == 11


def test_words_stay_what_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text("name: 007\naspect: 9:16\nlogline: no\nsilent: yes\n" + scene("    mood:\n")[8:])
    board = board_file.read(path).board
    assert (board.name, board.aspect, board.logline, board.silent) == ("007", "9:16", "no", True)
    assert board.scenes[0].mood == ""
    assert board.frame == (720, 1280)


def test_every_fault_is_told_at_once_with_line_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(MANY)
    with pytest.raises(yaml_file.Faulty) as caught:
        board_file.read(path)
    assert str(caught.value).replace(str(path), "B").splitlines() == [
        "B:1: name: is empty. Write something.",
        "B:2: lookk: is no field of a board. Did you mean preset?",
        "B:3: preset: is 'nior'. Did you mean noir?",
        "B:4: aspect: is '4:3'. Use one of: 16:9, 9:16, 1:1.",
        "B:7: characters[1].name: is 'Marta', the name of another one. Names are unique: change one.",
        "B:8: characters[1].description: is no field of a board. Did you mean profile?",
        "B:11: scenes[0].duration: is 90, which is too large. Use 60 or less.",
        "B:12: scenes[0].seam: is last_frame, but no scene comes before the first. Use cut.",
        "B:13: scenes[0].cast[0]: names 'Matra', which is no character of the board. Did you mean Marta?",
        "B:14: scenes[1].subject: is missing. Add it.",
        "B:16: scenes[1].duration: is '2.5', not a whole number. Write digits only, such as 4.",
        "B:16: scenes[1].duration: is written twice. Keep one of the two.",
        "B:17: scenes[1].seem: is no field of a board. Did you mean seam?",
        "B:18: scenes[2]: is 'nothing', not a group of fields. Write fields such as `name: ...` below it.",
    ]


@pytest.mark.parametrize(
    ("text", "line", "field", "wrong"),
    [
        ("", 1, "", "it is empty"),
        ("# only a comment\n", 1, "", "it is empty"),
        ("name: x\nscenes: [", 3, "", "it is not valid YAML: did not find expected node content"),
        ("name: x\n---\nname: y\n", 2, "", "it is not valid YAML: but found another document"),
        ("name: *nope\n", 1, "", "it is not valid YAML: found undefined alias"),
        (b"name: x\nlogline: \xff\n", 2, "", "it is not UTF-8 text"),
        (b"name: x\nlogline: a\x07b\n", 2, "", f"{FORBIDDEN}: control characters are not allowed"),
        (b"# " + b"x" * 1_000_000, 1, "", "it is larger than 1000 kB"),
        ("[" * 100_000, 1, "", "it is nested more than 20 levels deep"),
        ("a: &a [*a]", 1, "", "its aliases repeat too much"),
        ("- a\n- b\n", 1, "", "is a list, not a group of fields"),
        ("name: x\n", 1, "scenes", "is missing"),
        ("name: x\nscenes: []\n", 2, "scenes", "is empty"),
        ("name: x\nscenes: none\n", 2, "scenes", "is 'none', not a list"),
        (scene(duration="0"), 4, "scenes[0].duration", "is 0, which is too small"),
        (scene(duration="61"), 4, "scenes[0].duration", "is 61, which is too large"),
        (scene(duration="4s"), 4, "scenes[0].duration", "is '4s', not a whole number"),
        (scene(duration="[4]"), 4, "scenes[0].duration", "is a list, not a whole number"),
        (scene(duration=""), 4, "scenes[0].duration", "is missing"),
        (scene("    title: [a, b]\n"), 5, "scenes[0].title", "is a list, not text"),
        (scene("    seed: -1\n"), 5, "scenes[0].seed", "is -1, which is too small"),
        (scene(f"    mood: {'x' * 1001}\n"), 5, "scenes[0].mood", "has more than 1000 characters"),
        (scene("    cast: [Ann]\n"), 5, "scenes[0].cast[0]", "names 'Ann', which is no character of the board"),
        (scene("    location: Pier\n"), 5, "scenes[0].location", "names 'Pier', which is no location of the board"),
        (scene("    props: [map]\n"), 5, "scenes[0].props[0]", "names 'map', which is no prop of the board"),
        (scene("    seam: last_frame\n"), 5, "scenes[0].seam", "is last_frame, but no scene comes before the first"),
        (scene("    ? [a]\n    : b\n"), 5, "scenes[0].?", "is no field of a board"),
        (scene("silent: maybe\n"), 5, "silent", "is 'maybe'"),
        (scene("size: huge\n"), 5, "size", "is 'huge'"),
        (scene("size: 1281x720\n"), 5, "size", "is 1281x720"),
        (scene("size: 1920x1080\naspect: 16:9\n"), 5, "size", "is given together with aspect"),
        (MANY_SCENES, 2, "scenes", "has 501 entries, at most 500 are allowed"),
        (
            "characters: [{name: A}]\n" + scene("    cast: [A, A]\n"),
            6,
            "scenes[0].cast[1]",
            "names 'A' twice",
        ),
    ],
)  # fmt: skip
def test_one_fault(tmp_path: Path, text: str | bytes, line: int, field: str, wrong: str) -> None:
    [found] = faults(tmp_path, text)
    assert found[:3] == (line, field, wrong)
    assert found[3]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "nope", "No such file or directory")):
        with pytest.raises(yaml_file.Faulty, match=why):
            board_file.read(path)


def test_what_a_service_finds_is_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(GOOD)
    told = board_file.read(path).refuse([(("scenes", 1, "duration"), "should be 4 or 8"), (("model",), "is retired")])
    assert str(told).splitlines() == [
        f"{path}:1: model: is retired.",
        f"{path}:13: scenes[1].duration: should be 4 or 8.",
    ]
