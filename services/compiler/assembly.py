"""The one step that brings a film forward: look, plan, and join its pieces, or wait for those that are not there.

It starts anew at each claim: what was found, planned and made before is kept, and costs next to nothing.
"""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from libs import blobs, failpoints
from services.compiler import (
    blame,
    cutter,
    domain,
    edit,
    fetching,
    film,
    leases,
    looking,
    manifest,
    orders,
    recipes,
    segment_store,
    segments,
    store,
    timeline,
    wire,
    workroom,
    workshop,
)

_SOFTWARE_VERSION = metadata.version("rushes")


@dataclasses.dataclass(frozen=True)
class _Planned:
    """A film, what it is asked to be, and how it is made."""

    one: domain.Film
    wanted: edit.Edit
    found: Mapping[str, film.Found]
    plan: film.Plan


async def step(shop: workshop.Workshop, one: domain.Film, share: leases.Share) -> domain.Film | None:
    """What became of the film; None when it waits, which is then written down.

    Raises what a film can fail for, as domain has it, what cutter.run raises, and store.LeaseLost.
    """
    wanted = wire.edit_of(wire.edit_list(one))
    async with shop.room.order() as folder:
        found = await looking.found(shop, one.tenant_id, wanted, folder)
    plan = film.plan(wanted, found)
    one = dataclasses.replace(one, address=recipes.address(plan.film))
    if result := await _made_before(shop, one):
        work = domain.Work(0, 0, plan.film.frames)
        return await _completed(shop, dataclasses.replace(one, work=work), plan, result)
    return await _go_on(shop, _Planned(one, wanted, found, plan), share)


async def _made_before(shop: workshop.Workshop, one: domain.Film) -> domain.Result | None:
    """The files of a film that is the same; they are shared, for no film is ever deleted."""
    async with shop.database.tenant(one.tenant_id) as conn:
        same = await store.alike(conn, one)
    if same is None or same.result is None:
        return None
    try:
        for file in domain.files(same.result):
            await shop.files.stat(file.key)
    except blobs.BlobMissing:
        return None
    return same.result


async def _go_on(shop: workshop.Workshop, planned: _Planned, share: leases.Share) -> domain.Film | None:
    one, plan = planned.one, planned.plan
    wanted = [segments.of(one.tenant_id, name, recipe, one.traceparent) for name, recipe in plan.pieces.items()]
    async with shop.database.house() as conn:
        if fault := await segment_store.fault_of(conn, one):
            return domain.failed(one, blame.of_piece(planned.wanted, planned.found, fault), shop.clock())
        done = await segment_store.want(conn, one, wanted)
        one = dataclasses.replace(
            one, work=segments.work(plan.pieces, plan.film, await segment_store.reused(conn, one))
        )
        await store.note_plan(conn, one, recipes.steps(plan.film))
        made = await segment_store.made_steps(conn, one)
        if len(done) < len(wanted):
            await store.save(conn, domain.waiting(one, shop.clock()))
        failpoints.reach("pieces.before_commit")
    failpoints.reach("pieces.committed")
    if len(done) < len(wanted):
        return None
    return await _joined(shop, dataclasses.replace(planned, one=one), made, share)


async def _joined(shop: workshop.Workshop, planned: _Planned, made: float, share: leases.Share) -> domain.Film:
    one, recipe = planned.one, planned.plan.film
    own = recipes.steps(recipe)
    async with shop.room.order() as folder:
        try:
            await shop.fetching.lay(one.tenant_id, recipes.needs(recipe), folder)
            failpoints.reach("film.laid")
            notices = await shop.make(recipe, folder, lambda done: share.note((made + own * done) / (made + own)))
        except fetching.FileGone as gone:
            return await _without(shop, planned, gone.name)
        except domain.FilmNotAsPlanned as fault:
            if fault.facts["check"] != domain.UNPROVEN:
                raise
            return await _unproven(shop, planned)
        except cutter.SourceUnusable as fault:
            raise blame.used(planned.wanted, planned.found, fault.source, fault.problem) from fault
        failpoints.reach("film.made")
        result = dataclasses.replace(await _kept(shop, one, planned.plan, folder), notices=notices)
    failpoints.reach("film.kept")
    return await _completed(shop, one, planned.plan, result)


async def _completed(shop: workshop.Workshop, one: domain.Film, plan: film.Plan, result: domain.Result) -> domain.Film:
    """With a manifest and chapters of its own: a film that is the same to the eye may be of other scenes."""
    file, now = manifest.File(result.video.sha256, result.video.size_bytes), shop.clock()
    told = manifest.of(one.id, plan, wire.makers(wire.edit_list(one)), file, _SOFTWARE_VERSION, now)
    async with shop.room.order() as folder:
        path = folder / orders.MANIFEST
        await asyncio.to_thread(path.write_text, manifest.write(told), "utf-8")
        (kept,) = await _take(shop, one, [(path, "application/json")])
    seen = tuple(_chapter(cut.place) for cut in plan.cuts)
    return domain.completed(one, dataclasses.replace(result, manifest=kept, chapters=seen), now)


def _chapter(place: timeline.Place) -> domain.Chapter:
    return domain.Chapter(
        title=place.title,
        scene_id=place.entry.scene.scene_id,
        take_id=place.entry.scene.take_id,
        start=place.start,
        end=place.end,
    )


async def _without(shop: workshop.Workshop, planned: _Planned, name: str) -> domain.Film:
    """A file is gone: a piece is made again, a clip is not."""
    async with shop.database.house() as conn:
        if await segment_store.lose(conn, planned.one.tenant_id, name):
            return domain.again(planned.one, shop.clock())
    raise blame.missing(planned.wanted, blame.keys_of(planned.found, name))


async def _unproven(shop: workshop.Workshop, planned: _Planned) -> domain.Film:
    """What was looked through is not what was joined: it is looked through anew."""
    one, proofs = planned.one, planned.plan.film.proofs
    for proven in proofs:
        await shop.shelf.drop(one.tenant_id, proven.source)
    async with shop.database.house() as conn:
        for proven in proofs:
            await segment_store.lose(conn, one.tenant_id, proven.source)
    return domain.tried(one, f"the film does not hold {domain.UNPROVEN}.", shop.clock())


async def _kept(shop: workshop.Workshop, one: domain.Film, plan: film.Plan, folder: Path) -> domain.Result:
    left = await asyncio.to_thread(orders.left, folder)
    kept = await _take(shop, one, [(folder / output.name, output.content_type) for output in left])
    files: dict[str, Any] = {output.field: media for output, media in zip(left, kept, strict=True)}
    picture, clips = plan.film.profile, [cut for cut in plan.cuts if cut.pictures]
    conformed = sum(bool(cut.conform) for cut in clips)
    return domain.Result(
        frames=plan.film.frames,
        width=picture.width,
        height=picture.height,
        fps_numerator=picture.fps.numerator,
        fps_denominator=picture.fps.denominator,
        copied=len(clips) - conformed,
        conformed=conformed,
        **files,
    )


async def _take(shop: workshop.Workshop, one: domain.Film, left: Sequence[tuple[Path, str]]) -> Sequence[domain.Media]:
    """Keep files under keys that only this worker uses: a slower one cannot exchange them later."""
    folder = f"t/{one.tenant_id}/films/{one.id}/{one.lease_epoch}"
    drafts = [blobs.Draft(f"{folder}/{path.name}", workroom.left(path), kind) for path, kind in left]
    kept = await asyncio.to_thread(shop.files.take_files, drafts)
    return [domain.Media(blob.key, blob.content_type, blob.size, blob.sha256 or "") for blob in kept]
