from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from services.compiler import domain, edit, film, recipes, timeline

AVCC = bytes.fromhex("0164000cffe100196764000cacd941419f9e1000000300100000030300f142996001000568ef8472c0fdf8f800")
FACTS = film.Facts(
    width=1280,
    height=720,
    fps=Fraction(24),
    frames=96,
    seconds=Fraction(4),
    codec="h264",
    profile="High",
    pixels="yuv420p",
    parameters=AVCC,
    steady=True,
    plain=True,
    rotation=0,
    matrix="bt709",
    reorder=2,
    keys=(0, 24, 48, 72),
    sound=True,
)
SQUARE = replace(FACTS, width=720, height=720)
OTHER_ENCODER = replace(FACTS, parameters=AVCC.replace(b"\xac", b"\xad"))


def asked(*facts: film.Facts, **wanted: Any) -> tuple[edit.Edit, dict[str, film.Found]]:
    """An edit list of clips with these facts, one after the other, and what was found in them."""
    found = {f"t/acme/{n}.mp4": film.Found(f"{n:064x}", one) for n, one in enumerate(facts)}
    entries = tuple(edit.Entry(edit.Scene(f"sc_{n}", f"take_{n}", f"Scene {n}"), key) for n, key in enumerate(found))
    return edit.Edit("Film", **{"entries": entries} | wanted), found


def planned(*facts: film.Facts, **wanted: Any) -> film.Plan:
    return film.plan(*asked(*facts, **wanted))


def joined(*facts: film.Facts, kind: str, frames: int, **wanted: Any) -> film.Plan:
    """All but the first come by this join."""
    list_of_cuts, found = asked(*facts, **wanted)
    join = edit.Join(edit.JoinKind(kind), frames)
    entries = tuple(replace(entry, join=join if n else None) for n, entry in enumerate(list_of_cuts.entries))
    return film.plan(replace(list_of_cuts, entries=entries), found)


def renders(plan: film.Plan) -> list[recipes.Render]:
    return [piece for piece in plan.pieces.values() if isinstance(piece, recipes.Render)]


def test_clips_that_match_are_copied_one_after_the_other() -> None:
    plan = planned(FACTS, replace(FACTS, frames=49, seconds=Fraction(49, 24), keys=(0, 24)), FACTS)
    assert [(cut.place.start, cut.place.frames, cut.conform) for cut in plan.cuts] == [
        (0, 96, ()),
        (96, 49, ()),
        (145, 96, ()),
    ]
    assert plan.film.runs == tuple(recipes.Run(f"{n:064x}", 0, frames) for n, frames in enumerate((96, 49, 96)))
    assert (plan.film.frames, plan.film.seconds) == (241, Fraction(241, 24))
    assert not renders(plan)


def test_the_same_input_is_the_same_plan_to_the_byte() -> None:
    one, other = (planned(FACTS, SQUARE, OTHER_ENCODER) for _ in range(2))
    assert recipes.line(one.film) == recipes.line(other.film)
    assert list(one.pieces) == list(other.pieces)


def test_size_and_rate_are_those_of_most_seconds_not_of_most_clips() -> None:
    short = replace(SQUARE, frames=24, seconds=Fraction(1))
    plan = planned(short, short, short, FACTS)
    assert plan.film.profile == recipes.Profile(1280, 720, Fraction(24))
    assert [bool(cut.conform) for cut in plan.cuts] == [True, True, True, False]


def test_the_earliest_of_equals_decides() -> None:
    assert planned(SQUARE, FACTS).film.profile.width == 720


def test_what_the_edit_list_asks_for_wins() -> None:
    plan = planned(FACTS, FACTS, wish=edit.Wish((640, 360), Fraction(30000, 1001)))
    assert plan.film.profile == recipes.Profile(640, 360, Fraction(30000, 1001))
    assert [cut.place.frames for cut in plan.cuts] == [120, 120]  # 4 s are 119.88 pictures
    assert plan.cuts[0].conform == (
        "its picture is 1280x720, the film's 640x360",
        "it runs at 24 frames a second, the film at 30000/1001",
    )


def test_the_minority_of_parameter_sets_is_conformed() -> None:
    plan = planned(OTHER_ENCODER, FACTS, FACTS)
    assert [cut.conform for cut in plan.cuts] == [("its encoder settings differ from those of most clips",), (), ()]
    (house,) = (piece for piece in plan.pieces.values() if isinstance(piece, recipes.House))
    assert house.parameter_id == 1  # the copied clips use 0


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (replace(FACTS, codec="hevc", profile="Main"), "it is hevc Main"),
        (replace(FACTS, pixels="yuv444p"), "its pixels are yuv444p"),
        (replace(FACTS, parameters=b""), "its parameter sets are not kept apart from its pictures"),
        (replace(FACTS, steady=False), "its frame rate varies"),
        (replace(FACTS, plain=False), "its pictures are turned, squeezed, trimmed or do not start on their own"),
    ],
)
def test_why_a_clip_cannot_be_copied(facts: film.Facts, why: str) -> None:
    assert planned(FACTS, FACTS, facts).cuts[2].conform == (why,)


def test_a_clip_of_one_group_is_copied_whole_but_made_anew_for_a_join() -> None:
    """Else every film with a join would encode all of it again."""
    lonely = replace(FACTS, keys=(0,))
    assert not any(cut.conform for cut in planned(lonely, lonely).cuts)
    plan = joined(lonely, lonely, kind="CROSSFADE", frames=12)
    assert [cut.conform for cut in plan.cuts] == [("too few of its pictures stand on their own",)] * 2
    assert [run.frames for run in plan.film.runs] == [72, 36, 72]


def test_a_join_costs_its_frames_and_the_way_to_the_next_key_picture() -> None:
    plan = joined(FACTS, FACTS, kind="CROSSFADE", frames=12)
    assert [(run.first, run.frames) for run in plan.film.runs] == [(0, 72), (0, 36), (24, 72)]
    (render,) = renders(plan)
    assert render.layers == (
        recipes.Layer(f"{0:064x}", 72, 0, 24, None, None),
        recipes.Layer(f"{1:064x}", 0, 12, 36, recipes.Edge(edit.JoinKind.CROSSFADE, 12), None),
    )
    assert plan.film.frames == 2 * 96 - 12


def test_a_dip_lies_half_in_each_and_keeps_the_length() -> None:
    plan = joined(FACTS, FACTS, kind="DIP_TO_WHITE", frames=13)
    assert plan.film.frames == 2 * 96
    before, after = renders(plan)
    edges = [edge and edge.frames for one in (before, after) for edge in (one.layers[0].lead, one.layers[0].tail)]
    assert edges == [None, 6, 7, None]


def test_a_dip_opens_and_ends_a_film_on_one_side() -> None:
    dip = edit.Join(edit.JoinKind.DIP_TO_BLACK, 12)
    wanted, found = asked(FACTS, ending=dip)
    plan = film.plan(replace(wanted, entries=(replace(wanted.entries[0], join=dip),)), found)
    first, last = renders(plan)
    assert (first.layers[0].lead, last.layers[0].tail) == (recipes.Edge(dip.kind, 12), recipes.Edge(dip.kind, 12))


def test_a_piece_keeps_its_address_when_what_lies_before_it_changes() -> None:
    """Only what a piece shows is in its address: neither its place in the film nor what its cuts show elsewhere."""
    short = replace(FACTS, frames=48, seconds=Fraction(2), keys=(0, 24))
    one, found = asked(FACTS, FACTS, FACTS)
    join = edit.Join(edit.JoinKind.CROSSFADE, 12)
    entries = (one.entries[0], one.entries[1], replace(one.entries[2], join=join))
    found |= {"t/acme/other.mp4": film.Found("f" * 64, short)}
    other = (replace(one.entries[0], source="t/acme/other.mp4"), replace(entries[1], trim=edit.Trim(24)), entries[2])
    before, after = (film.plan(replace(one, entries=cuts), found) for cuts in (entries, other))
    assert before.film != after.film
    assert [recipes.address(piece) for piece in renders(before)] == [recipes.address(piece) for piece in renders(after)]


def test_a_title_changes_no_piece() -> None:
    one, found = asked(FACTS, FACTS)
    assert film.plan(one, found).pieces == film.plan(replace(one, title="Other"), found).pieces


def test_a_card_is_drawn_and_can_be_joined() -> None:
    card = edit.Card("The End", "", 48, "#000000", "#ffffff")
    wanted, found = asked(FACTS)
    last = edit.Entry(edit.Scene("", "", ""), card, join=edit.Join(edit.JoinKind.CROSSFADE, 12))
    plan = film.plan(replace(wanted, entries=(*wanted.entries, last)), found)
    assert plan.film.frames == 96 + 48 - 12
    assert [chapter.title for chapter in plan.film.chapters] == ["Scene 0", "The End"]
    assert sum(render.frames for render in renders(plan)) == 24 + 36


def test_a_film_of_cards_alone() -> None:
    card = edit.Card("Hello", "", 48, "#000000", "#ffffff")
    plan = film.plan(edit.Edit("Film", (edit.Entry(edit.Scene("", "", ""), card),)), {})
    assert plan.film.profile == recipes.Profile(1280, 720, Fraction(24))
    assert plan.film.frames == 48


def test_burnt_captions_are_drawn_and_soft_ones_are_not() -> None:
    wanted, found = asked(FACTS)
    caption = edit.Caption("Hello", 30, 10)
    wanted = replace(wanted, entries=(replace(wanted.entries[0], captions=(caption,)),))
    soft, burnt = film.plan(wanted, found), film.plan(replace(wanted, burnt=True), found)
    assert soft.film.subtitles == (recipes.Subtitle("Hello", 30, 40),)
    assert not renders(soft)
    (drawn,) = renders(burnt)
    assert (drawn.frames, drawn.words) == (24, (recipes.Words("Hello", 6, 16),))
    assert not burnt.film.subtitles


@pytest.mark.parametrize("trim", [edit.Trim(96), edit.Trim(0, 97), edit.Trim(50, 47)])
def test_a_trim_beyond_the_clip_is_refused(trim: edit.Trim) -> None:
    wanted, found = asked(FACTS)
    with pytest.raises(domain.TrimBeyondClip, match=r'Cut 1 \("Scene 0"\).* has 96'):
        film.plan(replace(wanted, entries=(replace(wanted.entries[0], trim=trim),)), found)


def test_joins_longer_than_their_cut_are_refused() -> None:
    with pytest.raises(domain.JoinTooLong, match="take 120 frames, but it has 96"):
        joined(FACTS, FACTS, FACTS, kind="CROSSFADE", frames=60)


def test_a_film_that_copies_nothing_has_the_first_parameter_id() -> None:
    (house,) = (p for p in planned(replace(FACTS, steady=False)).pieces.values() if isinstance(p, recipes.House))
    assert house.parameter_id == 0


def test_a_clip_shorter_than_a_frame_still_shows() -> None:
    blink = replace(FACTS, frames=1, seconds=Fraction(1, 1000), fps=Fraction(60), keys=(0,))
    assert planned(FACTS, blink).cuts[1].place.frames == 1


def test_odd_sizes_become_even() -> None:
    odd = replace(FACTS, width=853, height=481)
    assert planned(odd).film.profile == recipes.Profile(852, 480, Fraction(24))


def test_a_chapter_without_title_is_numbered() -> None:
    wanted, found = asked(FACTS)
    entry = replace(wanted.entries[0], scene=edit.Scene("a", "b", ""))
    assert film.plan(replace(wanted, entries=(entry,)), found).film.chapters[0].title == "Scene 1"


def test_what_was_looked_through_is_looked_through_again_where_it_changed() -> None:
    long = replace(FACTS, frames=192, seconds=Fraction(8), keys=tuple(range(0, 192, 24)))
    wanted, found = asked(*[long] * 12)
    changed = found | {"t/acme/4.mp4": film.Found("ff" * 32, long)}
    one, other = film.plan(wanted, found).film.proofs, film.plan(wanted, changed).film.proofs
    assert [proof.at for proof in one] == [0, 384, 960, 1536]
    assert [before == after for before, after in zip(one, other, strict=True)] == [True, False, True, True]


def test_recipes_survive_the_line() -> None:
    card = edit.Card("The End", "", 48, "#000000", "#ffffff")
    wanted, found = asked(FACTS, SQUARE)
    last = edit.Entry(edit.Scene("", "", ""), card, join=edit.Join(edit.JoinKind.WIPE_LEFT, 12))
    plan = film.plan(replace(wanted, entries=(*wanted.entries, last)), found)
    for recipe in (*plan.pieces.values(), plan.film):
        assert recipes.read(recipes.line(recipe)) == recipe
    assert {type(piece) for piece in plan.pieces.values()} == {
        recipes.House,
        recipes.Render,
        recipes.Sound,
        recipes.Proof,
    }


@pytest.mark.parametrize(("number", "expected"), [("1/2", 1), ("3/2", 2), ("-1/2", 0), ("7/3", 2), ("5", 5)])
def test_nearest_rounds_halves_up(number: str, expected: int) -> None:
    assert timeline.nearest(Fraction(number)) == expected
