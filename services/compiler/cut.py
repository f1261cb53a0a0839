"""Makes the pieces of films, and films of their pieces: the whole of the work that happens in the worker process."""

from collections.abc import Callable, Sequence
from concurrent.futures import thread  # by its whole name: `futures` would import it inside the jail
from pathlib import Path
from typing import Any

from services.compiler import (
    archive,
    conform,
    domain,
    hls,
    media,
    mux,
    orders,
    probe,
    recipes,
    render,
    sheet,
    sound,
    sprite,
    stills,
    tracks,
    verify,
)

_READERS = 2
_Tell = Callable[[int], None]


def work(order: orders.Order, say: Callable[[orders.Said], None]) -> None:
    """Do all that is ordered; `say` hears of each thing that is found or made, and of the share done.

    Raises media.SourceUnreadable and domain.FilmNotAsPlanned; OSError for a full disk and the like.
    """
    for source in order.probe:
        with media.blamed_on(source):
            say(orders.Probed(source, probe.probe(order.folder / source)))
    for source in order.sounds:
        with media.blamed_on(source):
            probe.hear(order.folder / source)
            say(orders.Probed(source, None))
    progress = _Progress(order.make, say)
    for recipe in order.make:
        if notices := _make(recipe, order.folder, progress.step):
            say(orders.Noticed(tuple(notices)))
        say(orders.Made(recipes.address(recipe)))


class _Progress:
    """Tells the share of the work that is done, each picture weighed by what it costs."""

    def __init__(self, make: tuple[recipes.Recipe, ...], say: Callable[[orders.Said], None]) -> None:
        self._say, self._done = say, 0
        self._all = sum(recipes.steps(recipe) for recipe in make)

    def step(self, count: int) -> None:
        """So many steps more are done."""
        self._done += count
        self._say(orders.Share(min(1.0, self._done / self._all)))


_MAKERS: dict[type[recipes.Recipe], Callable[[Any, Path, Path, _Tell], None]] = {
    recipes.House: conform.make,
    recipes.Render: render.make,
    recipes.Sound: sound.make,
    recipes.Archive: archive.make,
    recipes.Stream: hls.make,
    recipes.Still: stills.make,
}


def _make(recipe: recipes.Recipe, folder: Path, tell: _Tell) -> Sequence[domain.Notice]:
    if isinstance(recipe, recipes.Film):
        return _film(recipe, folder, tell)
    _MAKERS[type(recipe)](recipe, folder, folder / recipes.address(recipe), tell)
    return ()


def _film(recipe: recipes.Film, folder: Path, tell: _Tell) -> Sequence[domain.Notice]:
    target = folder / orders.FILM
    mux.join(recipe, folder, target, tell)
    notices = _all_at_once(
        *verify.checks(target, recipe),
        lambda: stills.poster(target, recipe, folder / orders.POSTER),
        lambda: sheet.draw(recipe, stills.scenes(target, recipe, sheet.cell(recipe)), folder / orders.CONTACT_SHEET),
        lambda: sprite.draw(target, recipe, folder / orders.SPRITE),
    )
    (folder / orders.SPRITE_VTT).write_text(sprite.vtt(recipe), encoding="utf-8")
    if recipe.subtitles:
        (folder / orders.CAPTIONS_VTT).write_text(tracks.vtt(recipe), encoding="utf-8")
        (folder / orders.CAPTIONS_SRT).write_text(tracks.srt(recipe), encoding="utf-8")
    return sorted(notices, key=lambda one: one.start)


def _all_at_once(*work: Callable[[], Sequence[domain.Notice] | None]) -> Sequence[domain.Notice]:
    """Reading and decoding leave the interpreter to others; the first in order that raises is heard.

    The last are begun first, for they are the longest: else one would be left to itself at the end.
    """
    with thread.ThreadPoolExecutor(_READERS) as threads:
        begun = [threads.submit(one) for one in reversed(work)]
        return [notice for done in reversed(begun) for notice in done.result() or ()]
