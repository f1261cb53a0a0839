import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from services.compiler import blending, conform, edit, film, orders, recipes, timeline
from tests.unit.compiler import corpus, footage

FILMS = 8
JOINED = 6
"""Frames of a join."""
Floats = npt.NDArray[np.float64]


def entries(folder: Path, names: Sequence[str]) -> tuple[edit.Entry, ...]:
    """The clips one after the other, joined and fitted in every way there is."""
    kinds = itertools.cycle([None, *edit.JoinKind])
    fits = itertools.cycle([edit.Fit.PAD, edit.Fit.BLUR])
    cuts: list[edit.Entry] = []
    for number, (name, kind, fit) in enumerate(zip(names, kinds, fits, strict=False)):
        take = corpus.CLIPS[name]
        clip = footage.shoot(folder / f"{number}.mp4", replace(take, first_number=number * 30))
        short = any(corpus.CLIPS[one].seconds < 0.5 for one in names[max(0, number - 1) : number + 1])
        join = edit.Join(kind, JOINED) if kind and number and not short else None
        cuts.append(edit.Entry(edit.Scene(f"sc_{number}", f"take_{number}", name), str(clip), join=join, fit=fit))
    return tuple(cuts)


@pytest.mark.parametrize("number", range(FILMS))
def test_a_film_of_anything_is_exact_and_close_to_its_clips(number: int, tmp_path: Path) -> None:
    names = list(corpus.CLIPS)[number::FILMS]
    (folder := tmp_path / "work").mkdir()
    wanted = footage.listed([], entries=entries(tmp_path, names), wish=edit.Wish((160, 96), Fraction(24)))
    plan = footage.made(folder, wanted)
    shown = strictly_decoded(folder / orders.FILM)
    assert len(shown) == plan.film.frames
    for cut, name in zip(plan.cuts, names, strict=True):
        assert numbers_shown(cut, corpus.CLIPS[name], shown) == numbers_of(cut, corpus.CLIPS[name]), name
    wanted_pictures = ideal(plan, folder)
    again = encoded_plainly(wanted_pictures, tmp_path / "again.mp4")
    for cut in plan.cuts[1:]:
        around = range(cut.place.start - 2, cut.place.start + JOINED + 2)
        ours, theirs = (mean_ssim(pictures, wanted_pictures, around) for pictures in (shown, again))
        assert ours >= theirs, f"{cut.place.title}: {ours:.4f}, plainly {theirs:.4f}"


def strictly_decoded(path: Path) -> list[blending.Planes]:
    """Every picture. A decoder that warns of anything fails the test."""
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture(local=False) as said, av.open(str(path)) as container:
            container.streams.video[0].codec_context.options = {"err_detect": "explode"}
            shown = [frame.to_ndarray(format="yuv420p").astype(np.uint8) for frame in container.decode(video=0)]
            container.seek(0)
            assert sum(frame.samples for frame in container.decode(audio=0)) > 0
    finally:
        av.logging.set_level(None)
    assert said == []
    return shown


def numbers_of(cut: film.Cut, take: footage.Take) -> list[int]:
    """The numbers that the cut should show where it is seen alone: the nearest picture of the clip for each frame."""
    first = 30 * (cut.place.number - 1)
    hidden = max(0, -take.shift)
    count = int(take.seconds * take.fps)
    times = [Fraction(take.times(n), 1000) if take.times else n / take.fps for n in range(count - hidden)]
    slots = [timeline.nearest((time - times[0]) * 24) for time in times]
    wanted = [max(n for n, slot in enumerate(slots) if slot <= frame) for frame in range(cut.place.frames)]
    return [first + hidden + number for number in wanted[cut.place.lead : cut.place.frames - JOINED]]


def numbers_shown(cut: film.Cut, take: footage.Take, shown: Sequence[blending.Planes]) -> list[int]:
    place = cut.place
    alone = range(place.start + place.lead, place.end - JOINED)
    return [footage.number_of(upright_back(shown[frame][:96], take)) for frame in alone]


def upright_back(luma: blending.Planes, take: footage.Take) -> blending.Planes:
    """The clip's own picture in a picture of the film, as it is stored."""
    width, height = take.size[0] * take.aspect, take.size[1]
    if take.rotation in (90, 270):
        width, height = Fraction(height), int(width)
    scale = min(160 / width, Fraction(96, height))
    across, down = (timeline.nearest(side * scale / 2) for side in (width, Fraction(height)))
    return np.rot90(luma[48 - down : 48 + down, 80 - across : 80 + across], take.rotation // 90)


def ideal(plan: film.Plan, folder: Path) -> list[blending.Planes]:
    """The film as it would be were nothing lost by encoding; joins by the plainest arithmetic."""
    pictures: list[Floats] = [np.zeros((144, 160))] * plan.film.frames
    for cut in plan.cuts:
        place = cut.place
        digest = hashlib.sha256(Path(str(place.entry.source)).read_bytes()).hexdigest()
        recipe = recipes.House(digest, plan.film.profile, place.frames, place.entry.fit, 0)
        for number, frame in enumerate(conform.pictures(recipe, folder)):
            picture = dipped(frame.to_ndarray(format="yuv420p").astype(float), place, number)
            if number < place.overlap and place.comes:
                picture = joined(pictures[place.start + number], picture, place.comes, number)
            pictures[place.start + number] = picture
    return [np.rint(picture).astype(np.uint8) for picture in pictures]


def dipped(picture: Floats, place: timeline.Place, number: int) -> Floats:
    for join, frames, done in (
        (place.comes, place.lead, number),
        (place.goes, place.tail, place.frames - 1 - number),
    ):
        if join and join.kind in edit.DIPS and done < frames:
            colour = np.full_like(picture, 128)
            colour[:96] = 235 if join.kind is edit.JoinKind.DIP_TO_WHITE else 16
            picture = colour + (picture - colour) * done / frames
    return picture


def joined(one: Floats, other: Floats, join: edit.Join, number: int) -> Floats:
    share = (number + 1) / (join.frames + 1)
    if join.kind is edit.JoinKind.CROSSFADE:
        return one + (other - one) * share
    whole = [np.rint(picture).astype(np.uint8) for picture in (one, other)]
    return blending.wiped(whole[0], whole[1], join.kind, number + 1, join.frames + 1).astype(float)


def encoded_plainly(pictures: Sequence[blending.Planes], path: Path) -> list[blending.Planes]:
    """What is left of the pictures when all are encoded anew, as most tools do it."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        out.mux(stream.encode(None))
    return footage.planes(path)


def mean_ssim(pictures: Sequence[blending.Planes], wanted: Sequence[blending.Planes], frames: range) -> float:
    return float(np.mean([ssim(pictures[frame][:96], wanted[frame][:96]) for frame in frames if frame < len(wanted)]))


def ssim(one: blending.Planes, other: blending.Planes) -> float:
    """How alike two pictures look, at most 1: the mean over windows of 8 x 8 (Wang et al., 2004)."""
    x, y = (picture.astype(float).reshape(12, 8, 20, 8).swapaxes(1, 2).reshape(240, 64) for picture in (one, other))
    mean_x, mean_y = x.mean(1), y.mean(1)
    both = (x * y).mean(1) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((light * (2 * both + c2) / (x.var(1) + y.var(1) + c2)).mean())
