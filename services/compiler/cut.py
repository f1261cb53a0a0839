"""Makes the pieces of films, and films of their pieces: the whole of the work that happens in the worker process."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.compiler import (
    abreast,
    archive,
    conform,
    domain,
    hls,
    media,
    mux,
    orders,
    probe,
    proof,
    recipes,
    render,
    sheet,
    sound,
    sprite,
    stills,
    tracks,
    verify,
)

_Tell = Callable[[int], None]


def work(order: orders.Order, say: Callable[[orders.Said], None]) -> None:
    """Do all that is ordered; `say` hears of each thing that is found or made, and of the share done.

    Raises media.SourceUnreadable and domain.FilmNotAsPlanned; OSError for a full disk and the like.
    """
    looks = [functools.partial(_probed, order.folder, source) for source in order.probe]
    for found in abreast.done(looks):
        say(found)
    for source in order.sounds:
        with media.blamed_on(source):
            probe.hear(order.folder / source)
            say(orders.Probed(source, None))
    progress = _Progress(order.make, say)
    for recipe in order.make:
        if notices := _make(recipe, order.folder, progress.step):
            say(orders.Noticed(tuple(notices)))
        say(orders.Made(recipes.address(recipe)))


def _probed(folder: Path, source: str) -> orders.Probed:
    with media.blamed_on(source):
        return orders.Probed(source, probe.probe(folder / source))


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
    recipes.Proof: proof.make,
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
    """Join it and hold it against its plan, while its sound is measured; its pictures were looked through before."""
    target, heard = folder / orders.FILM, folder / recipe.sound
    prints = [proof.read(folder / one.source) for one in recipe.proofs]
    small = [still for one in prints for still in one.small]
    scenes = [still for one in prints for still in one.scenes]

    def joined() -> None:
        mux.join(recipe, folder, target, tell)
        verify.film(target, recipe, prints, heard)

    stills: list[Callable[[], Sequence[domain.Notice] | None]] = [
        lambda: sheet.draw(recipe, scenes, folder / orders.CONTACT_SHEET),
        lambda: sprite.draw(recipe, small, folder / orders.SPRITE),
    ]
    found = abreast.done([*stills, lambda: verify.loudness(heard, recipe), joined])
    (folder / orders.POSTER).write_bytes(prints[0].poster)
    (folder / orders.SPRITE_VTT).write_text(sprite.vtt(recipe), encoding="utf-8")
    if recipe.subtitles:
        (folder / orders.CAPTIONS_VTT).write_text(tracks.vtt(recipe), encoding="utf-8")
        (folder / orders.CAPTIONS_SRT).write_text(tracks.srt(recipe), encoding="utf-8")
    return sorted((notice for some in found for notice in some or ()), key=lambda one: one.start)
