"""Reads an edit file: an edit list and the line of every field, or every fault at once."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pydantic

from services.cli import edit_form, field_words, yaml_file

SOUNDS = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
}
"""What a file of sound ends with, and its content type."""

_GROUPS: Mapping[str, type[pydantic.BaseModel]] = {
    "profile": edit_form.Profile,
    "music": edit_form.Music,
    "narrations": edit_form.Narration,
    "cuts": edit_form.Cut,
    "card": edit_form.Card,
}
# What people write instead, where the spelling is too far away to guess.
_MEANT = {
    "aspect_ratio": "aspect",
    "duration": "frames",
    "first_frame": "at",
    "frame_rate": "fps",
    "gain_db": "gain",
    "name": "title",
    "resolution": "size",
    "scenes": "cuts",
    "start": "at",
    "take_id": "take",
    "transition": "join",
    "volume": "gain",
}
_IN_THE_FILE = {
    "duck_db": "duck",
    "fade_in_frames": "fade_in",
    "fade_out_frames": "fade_out",
    "first_frame": "at",
    "frame_rate": "fps",
    "gain_db": "gain",
    "loudness_lufs": "loudness",
    "scene_id": "scene",
    "take_id": "take",
}


@dataclasses.dataclass(frozen=True)
class EditFile:
    """A faultless edit list, and the file it stands in."""

    file: yaml_file.File
    edit: edit_form.Edit

    def sound(self, of: edit_form.Sound) -> Path:
        """Where a sound lies on this disk."""
        return self.file.path.parent / of.file

    def refuse(self, violations: Sequence[tuple[str, str]]) -> yaml_file.Faulty:
        """What the compiler finds wrong with fields of its edit list, told as faults of the file."""
        return self.file.refuse([(self._place(field), wrong, "") for field, wrong in violations])

    def _place(self, field: str) -> yaml_file.Loc:
        """`edit_list.cuts[3].join.frames` as the nearest field that is written down."""
        words = re.findall(r"[a-z_]+|\d+", field.removeprefix("edit_list."))
        loc = tuple(int(word) if word.isdecimal() else _IN_THE_FILE.get(word, word) for word in words)
        while loc and loc not in self.file.lines:
            loc = loc[:-1]
        return loc


def read(path: Path) -> EditFile:
    """The edit list of this file. Raises Faulty with every fault."""
    file = yaml_file.read(path, "Write a title and cuts.", "Cut it into several films.")
    broken = [*_broken(file.raw, path.parent)]
    try:
        edit = edit_form.Edit.model_validate(file.raw)
    except pydantic.ValidationError as error:
        broken += [_explain(fault) for fault in error.errors(include_url=False)]
    if broken or file.faults:
        raise file.refuse(broken)
    return EditFile(file, edit)


def rate(text: str) -> tuple[int, int] | None:
    """Frames a second as numerator and denominator: 24 is 24/1, 23.976 is 24000/1001; None for what is no rate."""
    value = Fraction(text)
    if value.denominator == 1:
        return int(value), 1
    near = round(value * 1001 / 1000)
    return (near * 1000, 1001) if abs(Fraction(near * 1000, 1001) - value) < Fraction(1, 200) else None


def _explain(fault: Any) -> yaml_file.Broken:
    groups = [_GROUPS[part] for part in fault["loc"][:-1] if part in _GROUPS]
    kind = groups[-1] if groups else edit_form.Edit
    if "captions" in fault["loc"][:-1]:
        kind = edit_form.Caption if fault["loc"][0] == "cuts" else edit_form.CaptionTrack
    return field_words.explain(fault, "an edit list", kind.model_fields, _MEANT)


def _broken(raw: Any, folder: Path) -> Iterator[yaml_file.Broken]:
    """The rules between fields; what is not of its kind is passed over, for it is told elsewhere."""
    if not isinstance(raw, dict):
        return
    for index, cut in _entries(raw, "cuts"):
        yield from _cut(("cuts", index), cut)
        if index == 0:
            yield from _only_dips(("cuts", 0, "join"), cut.get("join"), "open")
    yield from _only_dips(("ending",), raw.get("ending"), "end")
    yield from _profile(raw.get("profile"))
    if isinstance(raw.get("music"), dict):
        yield from _sound(("music",), raw["music"], folder)
    for index, voice in _entries(raw, "narrations"):
        yield from _sound(("narrations", index), voice, folder)


def _cut(at: yaml_file.Loc, cut: Mapping[str, Any]) -> Iterator[yaml_file.Broken]:
    if "card" in cut:
        for name in ("take", "clip", "scene", "trim"):
            if name in cut:
                yield (*at, name), "is given together with a card", "Keep one of the two, each in a cut of its own."
    elif "take" not in cut:
        yield at, "names neither a take nor a card", "Add `take:` with an id of `rushes take list`, or `card:`."
    elif ("clip" in cut) != ("scene" in cut):
        yield at, "names a clip or a scene without the other", "Add it, or leave both to the take."
    first, _, end = str(cut.get("trim", "")).partition("..")
    if first.isdecimal() and end.isdecimal() and int(first) >= int(end):
        yield (*at, "trim"), f"is {first}..{end}, which is empty", "The second number is the frame after the last."


def _only_dips(at: yaml_file.Loc, join: Any, verb: str) -> Iterator[yaml_file.Broken]:
    if isinstance(join, str) and join.startswith(("crossfade ", "wipe ")):
        yield at, f"is {join!r}, but there is nothing beside it", f"Only a dip or a cut can {verb} a film."


def _profile(profile: Any) -> Iterator[yaml_file.Broken]:
    if not isinstance(profile, dict):
        return
    if "aspect" in profile and "size" not in profile:
        yield ("profile", "aspect"), "is given without a size", "Add `size: 720p`, 1080p or 4k."
    if "aspect" in profile and "x" in str(profile.get("size")):
        yield ("profile", "aspect"), "is given together with a size in pixels", "Keep one of the two."
    fps = str(profile.get("fps"))
    if re.fullmatch(r"\d{1,3}(\.\d{1,3})?", fps) and rate(fps) is None:
        yield ("profile", "fps"), f"is {fps}", "Write a whole number, or one such as 23.976, 29.97, 59.94."


def _sound(at: yaml_file.Loc, sound: Mapping[str, Any], folder: Path) -> Iterator[yaml_file.Broken]:
    if ("file" in sound) == ("key" in sound):
        yield at, "should name one file, or the key of one that is kept", "Write `file:` or `key:`."
    name = sound.get("file")
    if not isinstance(name, str):
        return
    path = folder / name
    if path.suffix.lower() not in SOUNDS:
        yield (*at, "file"), f"is {name!r}", f"Name a file that ends in {', '.join(SOUNDS)}."
    elif not path.is_file():
        yield (*at, "file"), f"is {name!r}, and there is no such file", f"It is looked for in {folder}."


def _entries(raw: Mapping[str, Any], group: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = raw.get(group)
    if isinstance(entries, list):
        yield from ((index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict))
