"""The shot list as CSV: one row for each cut, for people, spreadsheets and scripts."""

import csv
import io
import re
from collections.abc import Sequence

from services.compiler.manifest import Manifest, Shot
from services.compiler.timelines import reel

COLUMNS = (
    "number title scene_id take_id starts ends start_frame frames first_source_frame join join_frames gain_db file "
    "sha256 provider model prompt_sha256 create_time card"
).split()
# What a spreadsheet would take for a formula.
_FORMULA = re.compile("'*[=+\\-@\t\r＝＋－＠]")  # noqa: RUF001


def write(manifest: Manifest) -> str:
    """The list, with a mark by which spreadsheets know that it is UTF-8."""
    out = io.StringIO(newline="")
    rows, names = csv.writer(out), reel.names(manifest)
    rows.writerow(COLUMNS)
    for shot in manifest.shots:
        rows.writerow(map(_cell, _row(shot, manifest, names)))
    return "\ufeff" + out.getvalue()


def _row(shot: Shot, manifest: Manifest, names: dict[str, str]) -> Sequence[str | int | float]:
    source, maker = shot.source, shot.maker
    return (
        shot.number,
        shot.title,
        shot.scene_id,
        shot.take_id,
        reel.timecode(shot.start, manifest),
        reel.timecode(shot.end, manifest),
        shot.start,
        shot.frames,
        shot.first,
        shot.join.kind.lower() if shot.join else "cut",
        shot.join.frames if shot.join else 0,
        shot.gain_db,
        names[source.sha256] if source else "",
        source.sha256 if source else "",
        *((maker.provider, maker.model, maker.prompt_sha256, maker.create_time) if maker else ("", "", "", "")),
        " / ".join(reel.words(shot)),
    )


def _cell(value: str | float) -> str:
    """Numbers are numbers; words stand on one line, and get an apostrophe when they look like a formula."""
    text = " ".join(str(value).split())
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(text) else text
