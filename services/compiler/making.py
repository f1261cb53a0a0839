"""Makes one film in a folder of its own: fetches the clips, looks into them, plans, and has everything made."""

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from libs import blobs, errors
from services.compiler import cutter, domain, edit, film, orders

_AT_ONCE = 4


async def make(
    files: blobs.Blobs,
    wanted: edit.Edit,
    folder: Path,
    tell: Callable[[float], None],
    deadline_s: float,
) -> film.Plan:
    """Leave the film and its stills in the folder; `tell` hears the share done.

    Raises what a film can fail for, as domain has it, and what cutter.run raises.
    """
    digests = await _fetched(files, wanted, folder)
    try:
        found = await _found(wanted, digests, folder, deadline_s)
        plan = film.plan(wanted, found)
        order = orders.Order(folder, make=(*plan.pieces.values(), plan.film))
        await cutter.run(order, lambda said: _share(said, tell), deadline_s)
    except cutter.SourceUnusable as fault:
        raise _blamed(fault, wanted, digests) from fault
    return plan


def _share(said: orders.Said, tell: Callable[[float], None]) -> None:
    if isinstance(said, orders.Share):
        tell(said.done)


async def _fetched(files: blobs.Blobs, wanted: edit.Edit, folder: Path) -> dict[str, str]:
    """Every stored file the list names, on this disk under its digest; by its key. Raises ClipMissing."""
    few = asyncio.Semaphore(_AT_ONCE)

    async def fetch(key: str) -> str:
        async with few:
            try:
                return await _fetch(files, key, folder)
            except (blobs.BlobMissing, errors.Invalid) as fault:
                raise _missing(key, wanted) from fault

    keys = edit.sources(wanted)
    return dict(zip(keys, await asyncio.gather(*map(fetch, keys)), strict=True))


async def _fetch(files: blobs.Blobs, key: str, folder: Path) -> str:
    arriving = folder / f"arriving-{hashlib.sha256(key.encode()).hexdigest()}"
    await files.get_file(key, arriving)
    digest = await asyncio.to_thread(_digest_of, arriving)
    arriving.replace(folder / digest)
    return digest


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _found(
    wanted: edit.Edit, digests: Mapping[str, str], folder: Path, deadline_s: float
) -> dict[str, film.Found]:
    pictures = [digests[entry.source] for entry in wanted.entries if isinstance(entry.source, str)]
    sounds = [*([wanted.music.source] if wanted.music else []), *(voice.source for voice in wanted.narrations)]
    facts: dict[str, film.Facts | None] = {}

    def hear(said: orders.Said) -> None:
        if isinstance(said, orders.Probed):
            facts[said.source] = said.facts or facts.get(said.source)

    asked = orders.Order(
        folder, probe=tuple(dict.fromkeys(pictures)), sounds=tuple(dict.fromkeys(digests[key] for key in sounds))
    )
    await cutter.run(asked, hear, deadline_s)
    return {key: film.Found(digest, facts[digest]) for key, digest in digests.items()}


def _missing(key: str, wanted: edit.Edit) -> domain.ClipMissing:
    return domain.ClipMissing(**dataclasses.asdict(edit.scene_of(wanted, {key})))


def _blamed(fault: cutter.SourceUnusable, wanted: edit.Edit, digests: Mapping[str, str]) -> errors.Error:
    """The first scene that uses this file; a file of our own making is nobody's fault but ours."""
    keys = {key for key, digest in digests.items() if digest == fault.source}
    if not keys:
        return domain.FilmNotAsPlanned(check=f"a piece can be used: it {fault.problem}")
    return domain.ClipUnreadable(problem=fault.problem, **dataclasses.asdict(edit.scene_of(wanted, keys)))
