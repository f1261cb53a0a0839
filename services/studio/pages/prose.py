"""Makes scenes of plain text: one of each paragraph, with the line that it begins at."""

import re
from typing import NamedTuple

from google.protobuf import duration_pb2

from rushes.storyboard.v1 import storyboard_pb2

LONGEST, MOST_SCENES = 2000, 500
_SECONDS = 4
_LONGEST_TITLE = 60


class Fault(NamedTuple):
    """What is wrong with a line of a text, or worth knowing of it; line 0 is the whole."""

    line: int
    text: str
    field: str = ""


def board(text: str, name: str) -> tuple[storyboard_pb2.Storyboard, list[Fault]]:
    """The storyboard, and every fault."""
    told = list(_paragraphs(text))
    faults = [
        Fault(line, f"the paragraph is {len(words)} characters long, and a scene takes {LONGEST}; break it up")
        for line, words in told
        if len(words) > LONGEST
    ]
    if not told:
        faults.append(Fault(0, "there are no words in it; write a paragraph for each scene"))
    if len(told) > MOST_SCENES:
        faults.append(
            Fault(told[MOST_SCENES][0], f"this is paragraph {MOST_SCENES + 1}, and a film has 500 scenes at most")
        )
    scenes = [_scene(words) for _, words in told[:MOST_SCENES]]
    return storyboard_pb2.Storyboard(name=name or "Untitled", scenes=scenes), faults


def _scene(words: str) -> storyboard_pb2.Scene:
    first = re.split(r"(?<=[.!?])\s|[,;:]\s", words, maxsplit=1)[0].rstrip(".")
    title = first if len(first) <= _LONGEST_TITLE else first[:_LONGEST_TITLE].rpartition(" ")[0]
    return storyboard_pb2.Scene(title=title, subject=words[:LONGEST], duration=duration_pb2.Duration(seconds=_SECONDS))


def _paragraphs(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    lines: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            found.append((number - len(lines), " ".join(lines)))
            lines = []
    return found
