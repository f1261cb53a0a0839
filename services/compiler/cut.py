"""Cuts a film from first probe to last check: the whole of the work that happens in the worker process."""

from collections.abc import Callable
from pathlib import Path

from services.compiler import conform, film, media, mux, orders, probe, sheet, stills, verify

_ENCODE_COST = 12  # encoding a picture takes about that many times as long as copying one


def cut(order: orders.Order, tell: Callable[[float], None]) -> film.Plan:
    """Leave the verified film, its poster and its contact sheet in the folder; `tell` hears the share done.

    Raises domain.ClipUnreadable and domain.FilmNotAsPlanned; OSError for a full disk and the like.
    """
    plan = film.plan(order.title, [_probed(source) for source in order.sources], order.wish)
    progress = _Progress(plan, tell)
    pieces = [
        _piece(planned, plan, source.path, order.folder, progress)
        for planned, source in zip(plan.cuts, order.sources, strict=True)
    ]
    target = order.folder / orders.FILM
    mux.join(plan, pieces, target, progress.copied)
    verify.verify(target, plan)
    stills.poster(target, plan, order.folder / orders.POSTER)
    sheet.draw(plan, stills.scenes(target, plan, sheet.cell(plan)), order.folder / orders.CONTACT_SHEET)
    return plan


class _Progress:
    """Tells the share of the pictures that are done, each weighed by what it costs."""

    def __init__(self, plan: film.Plan, tell: Callable[[float], None]) -> None:
        self._tell, self._done = tell, 0
        self._all = plan.frames + sum(cut.frames * _ENCODE_COST for cut in plan.cuts if cut.conform)

    def encoded(self) -> None:
        """One more picture is encoded."""
        self._add(_ENCODE_COST)

    def copied(self) -> None:
        """One more picture is in the film."""
        self._add(1)

    def _add(self, cost: int) -> None:
        self._done += cost
        self._tell(self._done / self._all)


def _probed(source: orders.Source) -> film.Clip:
    with media.blamed_on(source.scene):
        return film.Clip(source.scene, probe.probe(source.path))


def _piece(planned: film.Cut, plan: film.Plan, clip: Path, folder: Path, progress: _Progress) -> mux.Piece:
    """The clip itself where it can be copied, else its house copy."""
    if not planned.conform:
        return mux.Piece(clip, planned.clip.facts, clip)
    target = folder / f"house-{planned.number}.mp4"
    with media.blamed_on(planned.clip.scene):
        conform.conform(planned, plan, clip, target, progress.encoded)
    return mux.Piece(target, probe.probe(target), clip)
