"""Finds out what the clips of an edit list are: those not seen before are fetched and probed, once."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from libs import failpoints
from services.compiler import blame, clip_store, cutter, edit, fetching, film, orders, workshop
from services.compiler.clip_store import Clip


async def found(shop: workshop.Workshop, tenant_id: str, wanted: edit.Edit, folder: Path) -> dict[str, film.Found]:
    """What lies under every key that the list names. Raises domain.ClipUnreadable and domain.ClipMissing."""
    seen, heard = edit.pictures(wanted), edit.sounds(wanted)
    async with shop.database.tenant(tenant_id) as conn:
        known = await clip_store.known(conn, tenant_id, edit.sources(wanted))
    unseen = [key for key in seen if key not in known or known[key].facts is None]
    unheard = [key for key in heard if key not in known or not known[key].heard]
    if unseen or unheard:
        looked = await _looked(shop, tenant_id, wanted, unseen, unheard, folder)
        async with shop.database.tenant(tenant_id) as conn:
            await clip_store.note(conn, tenant_id, looked)
        failpoints.reach("clips.noted")
        for clip in looked:
            old = known.get(clip.key, clip)
            known[clip.key] = Clip(clip.key, clip.digest, clip.facts or old.facts, clip.heard or old.heard)
    return {key: film.Found(clip.digest, clip.facts) for key, clip in known.items()}


async def _looked(
    shop: workshop.Workshop,
    tenant_id: str,
    wanted: edit.Edit,
    unseen: Collection[str],
    unheard: Collection[str],
    folder: Path,
) -> Sequence[Clip]:
    keys = list(dict.fromkeys([*unseen, *unheard]))
    try:
        digests = await shop.fetching.take(tenant_id, keys, folder)
    except fetching.FileGone as gone:
        raise blame.missing(wanted, {gone.name}) from gone
    failpoints.reach("clips.fetched")
    facts: dict[str, film.Facts | None] = {}

    def hear(said: orders.Said) -> None:
        if isinstance(said, orders.Probed):
            facts[said.source] = said.facts or facts.get(said.source)

    probe, sounds = _digests(digests, unseen), _digests(digests, unheard)
    try:
        await shop.cutter.run(orders.Order(folder, probe=probe, sounds=sounds), hear, shop.deadline_s)
    except cutter.SourceUnusable as fault:
        named = {key for key, digest in digests.items() if digest == fault.source}
        raise blame.unreadable(wanted, named, fault.problem) from fault
    return [Clip(key, digests[key], facts[digests[key]], key in unheard) for key in keys]


def _digests(digests: Mapping[str, str], keys: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(digests[key] for key in keys))
