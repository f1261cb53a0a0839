"""`python -m tests.play`: films of every kind of clip and join, frame by frame in Chromium as in our own decoder."""

import asyncio
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from services.compiler import edit, film, orders
from tests.play import browser
from tests.unit.compiler import corpus, footage, test_corpus

_TAKE = footage.Take(seconds=Fraction(3), size=(320, 192), options=(("g", "24"), ("bf", "2")))


def main() -> None:
    """Make the films, show them, and say what was seen; ends with 1 when anything was seen wrong."""
    with tempfile.TemporaryDirectory(prefix="rushes-play-") as name:
        made = list(_films(Path(name)))
        told = asyncio.run(browser.look([one for one, _ in made]))
    wrong = [_verdict(one, numbers, told.get(one.name, {"fault": "nothing was told"})) for one, numbers in made]
    sys.exit(any(wrong))


def _verdict(one: browser.Film, numbers: list[int], told: dict[str, object]) -> bool:
    seen = told.get("numbers")
    off = (
        [frame for frame, a, b in zip(one.frames, numbers, seen, strict=True) if a != b]
        if isinstance(seen, list)
        else []
    )
    fine = not told.get("fault") and not off
    print(f"{one.name}: {len(one.frames)} frames sought, {'fine' if fine else told.get('fault') or f'wrong at {off}'}")
    return not fine


def _films(folder: Path) -> Iterator[tuple[browser.Film, list[int]]]:
    for name, takes, wanted in _cases():
        place = folder / name.replace(" ", "-")
        place.mkdir()
        clips = [footage.shoot(place / f"clip-{n}.mp4", take) for n, take in enumerate(takes)]
        plan = footage.made(place, _joined(footage.listed(clips, **wanted), name))
        path = place / orders.FILM
        numbers = footage.numbers(path)
        frames = _alone(plan)
        yield browser.Film(name, path, plan.film.profile.fps, frames), [numbers[frame] for frame in frames]
    for number in range(test_corpus.FILMS):
        yield _of_anything(folder / f"corpus-{number}", number)


def _of_anything(place: Path, number: int) -> tuple[browser.Film, list[int]]:
    """A film of clips from everywhere. Where one lies in bars its numbers are read all the same, whatever they say."""
    (work := place / "work").mkdir(parents=True)
    names = list(corpus.CLIPS)[number :: test_corpus.FILMS]
    entries = test_corpus.entries(place, names)
    plan = footage.made(work, footage.listed([], entries=entries, wish=edit.Wish((160, 96), Fraction(24))))
    numbers, frames = footage.numbers(work / orders.FILM), _alone(plan)
    name = f"{len(names)} clips from everywhere, {number + 1}"
    return browser.Film(name, work / orders.FILM, plan.film.profile.fps, frames), [numbers[frame] for frame in frames]


def _cases() -> Iterator[tuple[str, list[footage.Take], dict[str, object]]]:
    takes = [dataclasses.replace(_TAKE, first_number=80 * n) for n in range(3)]
    other = [("bf", "0"), ("g", "240")]
    mixed = [
        takes[0],
        dataclasses.replace(takes[1], options=tuple(other)),
        dataclasses.replace(takes[2], fps=Fraction(30)),
    ]
    yield "straight cuts", takes, {}
    for kind in edit.JoinKind:
        yield kind.lower(), takes, {}
    yield "mixed clips", mixed, {}
    yield "mixed crossfade", mixed, {}
    yield "ntsc crossfade", [dataclasses.replace(take, fps=Fraction(24000, 1001)) for take in takes], {}
    yield "one group crossfade", [dataclasses.replace(take, options=(("g", "999"),)) for take in takes], {}


def _joined(wanted: edit.Edit, name: str) -> edit.Edit:
    kind = next((kind for kind in edit.JoinKind if name.endswith(kind.lower())), None)
    join = edit.Join(kind, 12) if kind else None
    later = (dataclasses.replace(entry, join=join) for entry in wanted.entries[1:])
    return dataclasses.replace(wanted, entries=(wanted.entries[0], *later))


def _alone(plan: film.Plan) -> list[int]:
    """Frames that show one clip and nothing else: beside each join, and every seventh."""
    frames: list[int] = []
    for cut in plan.cuts:
        first, last = cut.place.start + cut.place.lead, cut.place.end - cut.place.tail - 1
        frames += [first, first + 1, *range(first + 2, last - 1, 7), last - 1, last]
    return frames


if __name__ == "__main__":
    main()
