"""The CMX 3600 edit decision list, which every editor reads: cuts, dissolves and wipes by timecode."""

from collections.abc import Iterator

from services.compiler.edit import DIPS, JoinKind
from services.compiler.manifest import Manifest
from services.compiler.timelines import reel
from services.compiler.timelines.reel import Clip, Transition

_BLACK = "BL"
_TITLE = 70  # characters
_WIPES = {  # SMPTE wipe codes: 1 is a bar from left to right, 2 from top to bottom, 100 more is the other way
    JoinKind.WIPE_RIGHT: "W001",
    JoinKind.WIPE_DOWN: "W002",
    JoinKind.WIPE_LEFT: "W101",
    JoinKind.WIPE_UP: "W102",
}


def write(manifest: Manifest) -> str:
    """The list, by timecode that drops no frames."""
    lines = [f"TITLE: {_plain(manifest.title)[:_TITLE]}", "FCM: NON-DROP FRAME", ""]
    return "\r\n".join([*lines, *_Events(manifest).lines()]) + "\r\n"


class _Events:
    """Numbers the events of one list."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest, self._number = manifest, 0
        self._names = reel.names(manifest)
        self._reels = {digest: f"S{number:03d}" for number, digest in enumerate(self._names, 1)}

    def lines(self) -> Iterator[str]:
        laid = reel.of(self._manifest)
        clip: Clip | None = None
        for one, comes, goes in zip(laid.clips, laid.transitions, laid.transitions[1:], strict=False):
            end = one.end - (goes.before if goes else 0)
            if comes is None:
                yield from self._cut(one, end)
            elif comes.kind in DIPS:
                yield from self._dip(clip, one, comes, end)
            else:
                yield from self._blend(clip, one, comes, end)
            clip = one
        if clip and (goes := laid.transitions[-1]):
            yield from self._dark(clip, goes)

    def _cut(self, one: Clip, end: int) -> Iterator[str]:
        yield self._event(self._next(), one, "C", one.start, end)
        yield from self._notes(one)

    def _blend(self, before: Clip | None, one: Clip, comes: Transition, end: int) -> Iterator[str]:
        """The old picture for no time at all, then the new one with the length of what brings it."""
        number, start = self._next(), comes.at - comes.before
        yield self._event(number, before, "C", start, start)
        how = f"{_WIPES.get(comes.kind, 'D')}    {comes.before + comes.after:03d}"
        yield self._event(number, one, how, start, end)
        yield from self._notes(one)

    def _dip(self, before: Clip | None, one: Clip, comes: Transition, end: int) -> Iterator[str]:
        if before and comes.before:
            yield from self._dark(before, comes)
        number = self._next()
        yield self._event(number, None, "C", comes.at, comes.at)
        yield self._event(number, one, f"D    {comes.after:03d}", comes.at, end)
        yield f"* {comes.kind.replace('_', ' ')}"
        yield from self._notes(one)

    def _dark(self, before: Clip, goes: Transition) -> Iterator[str]:
        number, start = self._next(), goes.at - goes.before
        yield self._event(number, before, "C", start, start)
        yield self._event(number, None, f"D    {goes.before:03d}", start, goes.at)
        yield f"* {goes.kind.replace('_', ' ')}"

    def _event(self, number: int, one: Clip | None, how: str, start: int, end: int) -> str:
        """One line: from `start` to `end` on the film, and where that lies in the source."""
        name, first = _BLACK, 0
        if one and one.shot.source:
            name, first = self._reels[one.shot.source.sha256], one.first + start - one.start
        times = (first, first + end - start, start, end)
        told = " ".join(reel.timecode(frame, self._manifest) for frame in times)
        return f"{number:03d}  {name:<8} V     {how:<8} {told}"

    def _notes(self, one: Clip) -> Iterator[str]:
        if one.shot.source:
            yield f"* FROM CLIP NAME: {self._names[one.shot.source.sha256]}"
        yield from (f"* CARD: {_plain(text)}" for text in reel.words(one.shot))

    def _next(self) -> int:
        self._number += 1
        return self._number


def _plain(text: str) -> str:
    return " ".join(text.split())
