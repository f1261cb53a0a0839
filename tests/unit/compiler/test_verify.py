from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from services.compiler import domain, edit, marks, media, orders, proof, proofing, recipes, verify
from tests.unit.compiler import footage

Film = tuple[Path, recipes.Film]


@pytest.fixture
def made(tmp_path: Path) -> Film:
    """A good film of two scenes with a caption, and its recipe."""
    clips = [footage.shoot(tmp_path / f"{n}.mp4", footage.Take(first_number=n * 30)) for n in range(2)]
    wanted = footage.listed(clips, generated=True, language="de")
    first = replace(wanted.entries[0], captions=(edit.Caption("Hallo", 3, 9),))
    plan = footage.made(tmp_path, replace(wanted, entries=(first, *wanted.entries[1:])))
    return tmp_path / orders.FILM, plan.film


def verified(path: Path, recipe: recipes.Film) -> None:
    prints = [proof.read(path.parent / one.source) for one in recipe.proofs]
    heard = path.parent / recipe.sound
    verify.film(path, recipe, prints, heard)
    verify.loudness(heard, recipe)


def only_proof(plan: recipes.Film) -> recipes.Proof:
    ((_, one),) = proofing.divide(plan)
    return one


def check_fails(path: Path, plan: recipes.Film, check: str) -> None:
    with pytest.raises(domain.FilmNotAsPlanned) as caught:
        verified(path, plan)
    assert caught.value.facts["check"] == check


def test_a_good_film_passes(made: Film) -> None:
    verified(*made)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda plan: replace(plan, title="Other"), "the title"),
        (lambda plan: replace(plan, profile=replace(plan.profile, width=320)), "H.264 of the planned size"),
        (lambda plan: replace(plan, chapters=plan.chapters[:1]), "a chapter for each scene"),
        (
            lambda plan: replace(plan, chapters=(plan.chapters[0], replace(plan.chapters[1], start=20))),
            "every chapter starts with its scene",
        ),
        (
            lambda plan: replace(plan, runs=(plan.runs[0], replace(plan.runs[1], frames=25))),
            "the planned number of pictures",
        ),
        (lambda plan: replace(plan, subtitles=()), "captions when there are any"),
        (
            lambda plan: replace(plan, subtitles=(replace(plan.subtitles[0], start=4),)),
            "every caption on its picture",
        ),
        (lambda plan: replace(plan, generated=False), "the mark of what AI has made"),
    ],
)
def test_a_film_of_another_plan_fails(made: Film, change: Callable[[recipes.Film], recipes.Film], check: str) -> None:
    path, plan = made
    check_fails(path, change(plan), check)


def test_another_rate_fails(made: Film) -> None:
    path, plan = made
    faster = replace(plan, profile=replace(plan.profile, fps=Fraction(24001, 1000)))
    check_fails(path, faster, "every picture on the grid")


def remade(path: Path, keep: Callable[[av.Packet], bool], **options: str) -> Path:
    """The film copied packet by packet, with its title and chapters, as a careless tool would."""
    target = path.with_name("remade.mp4")
    with av.open(str(path)) as source, av.open(str(target), "w", container_options=options) as out:
        out.metadata["title"] = source.metadata["title"]
        out.set_chapters(source.chapters())
        kept = (*source.streams.video, *source.streams.audio, *source.streams.subtitles)
        streams = {s: out.add_stream_from_template(s) for s in kept}
        for packet in source.demux(*streams):
            if packet.dts is not None and keep(packet):
                packet.stream = streams[packet.stream]
                out.mux(packet)
    marks.mark(target)
    return target


def test_data_before_the_index_fails(made: Film) -> None:
    path, plan = made
    check_fails(remade(path, lambda packet: True), plan, "the index comes before the data")


def test_a_missing_picture_fails(made: Film) -> None:
    path, plan = made
    lost = remade(
        path, lambda packet: not (packet.stream.type == "video" and packet.pts == 512 * 23), movflags="faststart"
    )
    check_fails(lost, plan, "the planned number of pictures")


def test_sound_that_ends_early_fails(made: Film) -> None:
    path, plan = made
    deaf = remade(path, lambda packet: packet.stream.type == "video" or packet.pts < 48_000, movflags="faststart")
    check_fails(deaf, plan, "sound to the end")


def test_a_film_cut_short_fails(made: Film) -> None:
    path, plan = made
    path.write_bytes(path.read_bytes()[:-3000])
    marks.mark(path)
    with pytest.raises((domain.FilmNotAsPlanned, media.SourceUnreadable)):
        verified(path, plan)


def test_what_is_no_film_fails(made: Film) -> None:
    path, plan = made
    path.write_bytes(b"\0\0\0\x08moov")
    marks.mark(path)
    check_fails(path, plan, "it can be read: it is no MP4 file")


def damaged(path: Path, number: int) -> None:
    """Spoil the picture of this number, in decoding order."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
    content = bytearray(path.read_bytes())
    content[packet.pos + 20 : packet.pos + packet.size] = bytes(packet.size - 20)
    path.write_bytes(content)


@pytest.mark.parametrize("number", [13, 26])
def test_damage_beside_a_join_fails(made: Film, number: int) -> None:
    path, plan = made
    damaged(path, number)
    check_fails(path, plan, "the pictures that were looked through")


@pytest.mark.parametrize(("run", "number"), [(0, 16), (1, 2)])
def test_damage_beside_a_join_is_blamed_on_the_clip_it_came_from(made: Film, run: int, number: int) -> None:
    path, plan = made
    source = plan.runs[run].source
    damaged(path.parent / source, number)
    with pytest.raises(media.SourceUnreadable) as caught:
        proof.make(only_proof(plan), path.parent, path.parent / "print", print)
    assert caught.value.source == source


def test_pictures_of_another_proof_fail(made: Film) -> None:
    path, plan = made
    check_fails(path, replace(plan, proofs=(replace(plan.proofs[0], at=12),)), "the pictures that were looked through")


def test_sound_is_right_to_the_sample_and_every_track_starts_at_once(made: Film) -> None:
    with av.open(str(made[0])) as container:
        assert [stream.start_time for stream in (*container.streams.video, *container.streams.audio)] == [0, 0]
        assert container.streams.audio[0].duration == 96_000


def test_another_sound_than_was_measured_fails(made: Film) -> None:
    path, plan = made
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(audio=0) if packet.size][5]
    content = bytearray(path.read_bytes())
    content[packet.pos + packet.size // 2] ^= 1
    path.write_bytes(content)
    check_fails(path, plan, "the sound that was measured")


def test_a_film_that_is_too_soft_fails(made: Film) -> None:
    path, plan = made
    check_fails(path, replace(plan, loudness=-8.0 if plan.loudness < -12 else -20.0), "the loudness asked for")
