"""Boards as Fountain screenplays: what would not read back as it is, is said in a note."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.storyboard import domain
from services.storyboard.files import extras, fountain, plain, screenplay

_ELEMENTS = frozenset({"title", "subject", "action", "dialogue", "caption"})
"""Fields of a scene that Fountain has elements for; the others are in its note."""

_UNSAFE = re.compile(r"/\*|\*/|\[\[|\]\]|[^\S\n ]")
_SAID = re.compile(r"([^:()\n]{1,100}?)(?: \(([^()\n]*)\))?: (\S.*)")
_ESCAPES = (("[[", "[\\u005b"), ("]]", "]\\u005d"), ("/*", "/\\u002a"), ("*/", "*\\u002f"))
_ROUNDS = 3

_Scenes = Sequence[Mapping[str, Any]]


def write(content: domain.Content) -> str:
    """The script of a board."""
    board = plain.of(content)
    scenes: _Scenes = board.pop("scenes", [])
    front = {name: text for name, text in board.items() if name in ("name", "logline") and not _UNSAFE.search(text)}
    lost = extras.left(front, screenplay.read(_script(front, {}, [], [], [])).raw, ("scenes",))
    front = {name: text for name, text in front.items() if name not in lost}
    whole = {name: value for name, value in board.items() if name not in front}
    shown = [_safe(scene) for scene in scenes]
    for last in (*[False] * _ROUNDS, True):
        missing = _missing(front, whole, scenes, shown)
        if missing is None or last:
            shown = [frozenset()] * len(scenes)
            continue
        less = [names - set(gone) for names, gone in zip(shown, missing, strict=True)]
        if less == shown:
            break
        shown = less
    missing = _missing(front, whole, scenes, shown) or []
    notes = [{"duration": scene["duration"]} | gone for scene, gone in zip(scenes, missing, strict=True)]
    return _script(front, whole, scenes, shown, notes)


def _missing(
    front: Mapping[str, str], whole: Mapping[str, Any], scenes: _Scenes, shown: Sequence[frozenset[str]]
) -> list[dict[str, Any]] | None:
    """What of each scene does not read back; None when there are not as many scenes."""
    read: _Scenes = screenplay.read(_script(front, whole, scenes, shown, [{}] * len(scenes))).raw["scenes"]
    if len(read) != len(scenes):
        return None
    return [extras.left(scene, as_read) for scene, as_read in zip(scenes, read, strict=True)]


def _safe(scene: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name in _ELEMENTS if name in scene and not _UNSAFE.search(scene[name]))


def _script(
    front: Mapping[str, str],
    whole: Mapping[str, Any],
    scenes: _Scenes,
    shown: Sequence[frozenset[str]],
    notes: Sequence[Mapping[str, Any]],
) -> str:
    pages = ["\n".join(f"{'Title' if name == 'name' else 'Logline'}: {text}" for name, text in front.items())]
    pages += [_note(whole)]
    for number, (scene, names, note) in enumerate(zip(scenes, shown, notes, strict=True), 1):
        pages += [*_scene(number, {name: scene[name] for name in names}, scene), _note(note)]
    return "\n\n".join(page for page in pages if page) + "\n"


def _note(fields: Mapping[str, Any]) -> str:
    if not fields:
        return ""
    text = json.dumps(fields, ensure_ascii=False)
    for mark, escaped in _ESCAPES:
        text = text.replace(mark, escaped)
    return f"[[{screenplay.MARK} {text}]]"


def _scene(number: int, shown: Mapping[str, str], scene: Mapping[str, Any]) -> Iterator[str]:
    yield _heading(shown["title"], scene) if "title" in shown else f".Scene {number}"
    if "subject" in shown:
        yield f"= {shown['subject']}"
    if "action" in shown:
        yield "\n".join(map(_action, shown["action"].split("\n")))
    if "dialogue" in shown:
        yield from _speeches(shown["dialogue"], scene.get("cast", []))
    if "caption" in shown:
        yield "\n".join(f"> {line} <" for line in shown["caption"].split("\n"))


def _heading(title: str, scene: Mapping[str, Any]) -> str:
    as_is = fountain.is_heading(title) and scene.get("setting") == title
    return title if as_is and scene.get("location", "") == screenplay.place(title) else f".{title}"


def _action(line: str) -> str:
    return line if not line or fountain.is_plain_action(line) else f"!{line}"


def _speeches(dialogue: str, cast: Sequence[str]) -> Iterator[str]:
    """Each line `Name: words` of somebody in the cast; nothing unless every line is one, for then it is in the note."""
    said = [_SAID.fullmatch(line) for line in dialogue.split("\n")]
    speeches = [match for match in said if match and match[1] in cast]
    for match in speeches if len(speeches) == len(said) else []:
        cue = match[1].upper() if match[1].upper() != match[1].lower() else f"@{match[1]}"
        yield "\n".join([cue, *([f"({match[2]})"] if match[2] else []), match[3]])
