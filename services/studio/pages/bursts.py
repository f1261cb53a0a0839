"""The history as people remember it: changes that one person made in one go stand together."""

import datetime
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rushes.storyboard.v1 import storyboard_pb2

_PAUSE = datetime.timedelta(seconds=30)
_VERBS = {
    "CreateStoryboard": "Made",
    "ImportStoryboard": "Brought in from a file",
    "DuplicateStoryboard": "Copied",
    "CreateGuestStoryboard": "Made by a guest",
    "RestoreRevision": "Restored",
    "Undo": "Undone",
    "Redo": "Done again",
    "UploadReference": "Picture added",
}
_CLIENTS = {
    "studio": "in the studio",
    "cli": "at the command line",
    "api": "by the API",
    "proposal": "proposed by the writer",
}


class Burst(NamedTuple):
    """Revisions of one author by one program, with less than half a minute between them, newest first."""

    revisions: Sequence[storyboard_pb2.Revision]

    @property
    def newest(self) -> storyboard_pb2.Revision:
        """The last of them."""
        return self.revisions[0]

    @property
    def before(self) -> int:
        """The number of the revision that they began from; 0 is the empty storyboard."""
        return self.revisions[-1].number - 1

    @property
    def verb(self) -> str:
        """How it was done, when it was no edit."""
        return _VERBS.get(self.newest.origin, "")

    @property
    def place(self) -> str:
        """Where it was done; empty when nobody said."""
        client = self.newest.client
        return _CLIENTS.get(client, f"by {client}" if client else "")


def group(revisions: Iterable[storyboard_pb2.Revision]) -> list[Burst]:
    """The bursts, newest first; what has a name, or was no edit, stands alone."""
    bursts: list[list[storyboard_pb2.Revision]] = []
    for one in revisions:
        if bursts and _is_same(bursts[-1][-1], one):
            bursts[-1].append(one)
        else:
            bursts.append([one])
    return [Burst(it) for it in bursts]


def _is_same(later: storyboard_pb2.Revision, one: storyboard_pb2.Revision) -> bool:
    apart = later.create_time.ToDatetime() - one.create_time.ToDatetime()
    alone = any(it.name or it.origin in _VERBS for it in (later, one))
    return not alone and (later.author, later.client) == (one.author, one.client) and apart < _PAUSE
