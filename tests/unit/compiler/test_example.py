"""The example of the guide is read as a person's file, understood by the compiler, and cut."""

from fractions import Fraction
from pathlib import Path

from rushes.type.v1 import edit_list_pb2, media_pb2
from services.cli import edit_file, edit_list
from services.compiler import edit_rules, wire
from tests.unit.compiler import footage

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "edits" / "the-letter.yaml"
SIZE = (320, 180)  # the example's own would take a minute
CARD, FERRY, HOUSE, LETTER, END = 72, 72, 96, 96 - 10, 48


def test_the_example_is_a_film_of_the_length_that_the_guide_tells(tmp_path: Path) -> None:
    asked = edit_file.read(EXAMPLE).edit
    takes = {}
    for number, cut in enumerate(cut for cut in asked.cuts if cut.take):
        clip = footage.shoot(tmp_path / f"{number}.mp4", footage.Take(seconds=Fraction(4), size=SIZE))
        blob = media_pb2.Blob(key=f"t/acme/{clip}")
        takes[cut.take] = edit_list_pb2.Cut(scene_id=f"sc_{number}", clip=blob)
    wanted = edit_list.write(asked, takes, {})
    assert (wanted.profile.size.width, wanted.profile.size.height) == (1280, 720)
    wanted.profile.size.width, wanted.profile.size.height = SIZE
    assert edit_rules.violations(wanted, "acme") == []
    for cut in wanted.cuts:
        cut.clip.key = cut.clip.key.removeprefix("t/acme/")  # keys are paths here
    folder = tmp_path / "film"
    folder.mkdir()
    plan = footage.made(folder, wire.edit_of(wanted))
    assert plan.film.frames == CARD + FERRY + HOUSE - 12 + LETTER - 8 + END - 24
    assert [chapter.title for chapter in plan.film.chapters] == [
        "The Letter",
        "The ferry",
        "The house",
        "The letter",
        "The End",
    ]
    (caption,) = plan.film.subtitles
    assert (caption.start, caption.end) == (CARD + 12, CARD + 12 + 48)
    assert plan.film.loudness == -16
