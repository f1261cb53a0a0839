"""What the film page says of a cut: what is not in it, what another would have, and who made its pictures; pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rushes.compiler.v1 import film_pb2
from rushes.job.v1 import job_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import edit_list_pb2
from services.studio.pages import candidates, cuts


class Absent(NamedTuple):
    """A scene that is not in a cut, and how it stands now."""

    number: int
    scene: storyboard_pb2.Scene
    state: str
    said: str


def absent(told: cuts.Reel, cut: cuts.Cut | None, made: Sequence[job_pb2.Production]) -> list[Absent]:
    """The scenes that are not in this cut; without one, those that would not be in it."""
    there = {one.scene_id for one in cut.film.edit_list.cuts if one.take_id} if cut else set(told.picked)
    states = {job.scene_id: candidates.state(job) for one in made for job in one.jobs}
    scenes = enumerate(told.board.scenes, 1)
    return [_absent(told, number, it, states.get(it.id, "")) for number, it in scenes if it.id not in there]


def _absent(told: cuts.Reel, number: int, scene: storyboard_pb2.Scene, state: str) -> Absent:
    if scene.id in told.picked:
        return Absent(number, scene, "picked", "Its take was picked after this cut")
    return Absent(number, scene, state, "") if state else Absent(number, scene, "draft", "No take is picked")


def news(told: cuts.Reel, newest: cuts.Cut) -> list[str]:
    """What another cut would have that the newest has not."""
    before = {one.scene_id: one for one in newest.film.edit_list.cuts if one.take_id}
    now = {scene.id: told.picked[scene.id].id for scene in told.board.scenes if scene.id in told.picked}
    found = list(_changes(told, before, now))
    both = [scene_id for scene_id in now if scene_id in before]
    if both != [scene_id for scene_id in before if scene_id in now]:
        found.append("The scenes have another order")
    gone = len(before.keys() - {scene.id for scene in told.board.scenes})
    return found + [f"{gone} of its scenes are gone from the storyboard"] * bool(gone)


def _changes(told: cuts.Reel, before: dict[str, edit_list_pb2.Cut], now: dict[str, str]) -> Iterator[str]:
    has_captions = any(cut.captions for cut in before.values())
    for number, scene in enumerate(told.board.scenes, 1):
        was = before.get(scene.id)
        if was is None and scene.id in now:
            yield f"{number:03} is new"
        elif was is not None and scene.id not in now:
            yield f"{number:03} is left out"
        elif was is not None and was.take_id != now[scene.id]:
            yield f"{number:03} has another take"
        elif was is not None and was.title != scene.title:
            yield f"{number:03} has another title"
        elif (
            was is not None
            and has_captions
            and [one.text for one in was.captions] != [scene.caption] * bool(scene.caption)
        ):
            yield f"{number:03} has another caption"


def makers(film: film_pb2.Film) -> dict[str, int]:
    """Which models made how many of its shots."""
    found: dict[str, int] = {}
    for one in film.edit_list.cuts:
        if one.provenance.model:
            found[one.provenance.model] = found.get(one.provenance.model, 0) + 1
    return found


def ticks(film: film_pb2.Film) -> list[int]:
    """Where chapters begin, in thousandths of the film."""
    whole = film.duration.ToMilliseconds() or 1
    return [one.start.ToMilliseconds() * 1000 // whole for one in film.chapters[1:]]
