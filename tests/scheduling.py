"""Which tests a worker is given together, and who goes on with those of a worker that died."""

from xdist import workermanage
from xdist.scheduler import LoadFileScheduling

_TOGETHER = (
    tuple(f"tests/e2e/test_{name}.py" for name in ("drain", "jetstream_lost", "kills", "surface")),
    ("tests/integration/cli/",),
    ("tests/studio/",),
)
"""How the names of tests begin that share a house, which is dear: one worker takes them all."""
_FIRST = ("tests/crash/", *_TOGETHER[0], "tests/e2e/", *_TOGETHER[1], *_TOGETHER[2], "tests/integration/compiler/")
"""What takes longest, so that no worker is left with it at the end."""


def turn(nodeid: str) -> int:
    """When its turn comes, before that of whatever has a greater number."""
    return next((place for place, folder in enumerate(_FIRST) if nodeid.startswith(folder)), len(_FIRST))


class Scheduling(LoadFileScheduling):
    """A file is for one worker; a test with which a worker dies has failed, and is not tried again."""

    def remove_node(self, node: workermanage.WorkerController) -> str | None:
        """Without this, xdist 3.8 hands out first what is done already, and waits for the end of that for ever."""
        left = {name: unit for name, unit in self.assigned_work[node].items() if not all(unit.values())}
        died_with = next((test for unit in left.values() for test, done in unit.items() if not done), None)
        for unit in left.values():
            unit |= dict.fromkeys({died_with} & unit.keys(), True)
        self.assigned_work[node] = {name: unit for name, unit in left.items() if not all(unit.values())}
        super().remove_node(node)
        return died_with

    def schedule(self) -> None:
        """A worker begins a test when it knows the next: one that comes later also needs two files, or the end."""
        super().schedule()
        for node in self.nodes:
            self._reschedule(node)

    def _split_scope(self, nodeid: str) -> str:
        return next((names[0] for names in _TOGETHER if nodeid.startswith(names)), super()._split_scope(nodeid))
