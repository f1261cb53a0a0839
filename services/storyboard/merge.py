"""Brings two changes of one version together, or says exactly where they clash: pure."""

from collections.abc import Mapping, Sequence

from services.storyboard import diff, domain, flaws

POSITION = "position"
"""The last word of the path of a thing that both sides have moved."""


class Clash(Exception):
    """Both sides changed the same: `paths` of it, in the order of the storyboard's fields.

    Of paths that only no longer fit what the other side did elsewhere, `broken` says what is wrong.
    """

    def __init__(self, paths: Sequence[diff.Path], broken: Mapping[diff.Path, str] | None = None) -> None:
        super().__init__(paths)
        self.paths, self.broken = tuple(dict.fromkeys(paths)), broken or {}


def merged(base: domain.Content, mine: domain.Content, theirs: domain.Content) -> domain.Content:
    """What both sides made of the base. Raises Clash when they changed one field differently, or when one changed what
    the other removed, or when what they made does not hold together.
    """
    if theirs == base:
        return mine
    my_changes, their_changes = diff.changes(base, mine), diff.changes(base, theirs)
    clashes = [path for change in my_changes for path in _clashes(change, their_changes)]
    if clashes:
        raise Clash(clashes)
    result = diff.patched(theirs, [change for change in my_changes if change not in their_changes])
    broken: dict[diff.Path, str] = {flaw.path: flaw.wrong for flaw in flaws.between(result)}
    broken |= {(kind,): wrong for kind, wrong in flaws.too_many(result)}
    if broken:
        raise Clash([*broken], broken)
    return result


def touched(path: diff.Path, changes: Sequence[diff.Change]) -> bool:
    """Whether these changes did anything to what is at the path, or to the thing that it is a part of."""
    if path[-1] == POSITION:
        orders = [change for change in changes if change.path == path[:1]]
        return any(path[1] in diff.moved(change.before, change.after) for change in orders)
    return any(_overlap(change.path, path) for change in changes)


def _clashes(change: diff.Change, theirs: Sequence[diff.Change]) -> list[diff.Path]:
    if len(change.path) == 1 and change.path[0] in diff.KINDS:
        return _misplaced(change, theirs)
    others = [other for other in theirs if _overlap(change.path, other.path) and change != other]
    return [max(change.path, other.path, key=len) for other in others]


def _misplaced(mine: diff.Change, theirs: Sequence[diff.Change]) -> list[diff.Path]:
    """Things that I moved and they moved elsewhere, or took away."""
    kind, my_moves = mine.path[0], diff.moved(mine.before, mine.after)
    for their in theirs:
        if their.path == mine.path:
            taken = my_moves - set(their.after)
            kept = set(mine.after) & set(their.after)
            same = [id for id in mine.after if id in kept] == [id for id in their.after if id in kept]
            fought_over = set() if same else my_moves & diff.moved(their.before, their.after)
            return [(kind, id) for id in mine.after if id in taken] + [
                (kind, id, POSITION) for id in mine.after if id in fought_over
            ]
    return []


def _overlap(one: diff.Path, other: diff.Path) -> bool:
    """Whether they are the same, or the one is a part of the other; an order is no part of anything."""
    if min(len(one), len(other)) == 1:
        return one == other
    length = min(len(one), len(other))
    return one[:length] == other[:length]
