"""Says whose fault it is that a film cannot be made: the first scene that uses a file, by its key or its digest."""

import dataclasses
from collections.abc import Collection, Mapping

from libs import errors
from services.compiler import domain, edit, film, segments


def unreadable(wanted: edit.Edit, keys: Collection[str], problem: str) -> domain.ClipUnreadable:
    """The file under these keys is no clip; the problem ends the sentence "the clip …"."""
    return domain.ClipUnreadable(problem=problem, **dataclasses.asdict(edit.scene_of(wanted, keys)))


def missing(wanted: edit.Edit, keys: Collection[str]) -> domain.ClipMissing:
    """There is no file under these keys."""
    return domain.ClipMissing(**dataclasses.asdict(edit.scene_of(wanted, keys)))


def used(wanted: edit.Edit, found: Mapping[str, film.Found], source: str, problem: str) -> errors.Error:
    """The file of this digest cannot be used; one of our own making is nobody's fault but ours."""
    if keys := keys_of(found, source):
        return unreadable(wanted, keys, problem)
    return domain.FilmNotAsPlanned(check=f"a piece can be used: it {problem}")


def of_piece(wanted: edit.Edit, found: Mapping[str, film.Found], fault: domain.Fault) -> domain.Fault:
    """What a film says of a piece's fault."""
    source = fault.metadata.get("source", "")
    match fault.reason:
        case segments.SOURCE_UNUSABLE:
            return domain.fault_of(used(wanted, found, source, fault.metadata["problem"]))
        case segments.SOURCE_MISSING:
            return domain.fault_of(missing(wanted, keys_of(found, source)))
    return fault


def keys_of(found: Mapping[str, film.Found], digest: str) -> frozenset[str]:
    """The keys of the clips that have this digest."""
    return frozenset(key for key, one in found.items() if one.digest == digest)
