"""Fountain screenplays as boards: a heading begins a scene, who speaks is in its cast, and a note says the rest."""

import re
from dataclasses import dataclass, field
from typing import Any

from services.storyboard.files import draft, extras, fountain, tree

MARK = "rushes:"
"""What a note begins with that is for us: `[[rushes: {"duration": 6}]]`."""

_DEFAULT_SECONDS = "4"
_PLACE = re.compile(r"(?:int|ext|est|int\.?/ext|i/e)[. ]+(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"#[\w.)-]{1,20}#")
_EXTENSION = re.compile(r"\(([^()]*)\)")
_ONLY_LAYOUT = ("(CONT'D)", "(CONT’D)")  # noqa: RUF001
_NO_PLACE = {
    "section": "a section", "transition": "a transition", "note": "a note", "boneyard": "struck text",
}  # fmt: skip


def read(text: str) -> draft.Draft:
    """The board of a script. Raises FileFaulty."""
    script = list(fountain.elements(text.removeprefix("\ufeff")))
    reader = _Reader()
    for element in script:
        if element.kind in ("heading", "forced_heading"):
            break
        reader.board_note(element)
    for element in script:
        reader.take(element)
    return reader.done()


def place(heading: str) -> str:
    """Where a scene is by its heading: `FERRY SALOON` of `INT. FERRY SALOON - NIGHT`; empty when it does not say."""
    match = _PLACE.match(heading)
    return (match[1].rpartition(" - ")[0] or match[1]).strip()[:100] if match else ""


@dataclass(slots=True)
class _Scene:
    """What the script itself says of a scene; `over` is what its notes say, with their lines."""

    fields: dict[str, Any] = field(default_factory=dict)
    over: list[tuple[dict[str, Any], int]] = field(default_factory=list)
    pieces: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, text: str, between: str) -> None:
        """Put text behind what is there."""
        if text:
            there = self.pieces.setdefault(name, [])
            there += [between, text] if there else [text]

    def end(self) -> None:
        """All its pieces are there; joined now, for to join them one by one takes time by the square."""
        self.fields |= {name: "".join(pieces) for name, pieces in self.pieces.items()}


class _Reader:
    """Puts elements into scenes, one after the other."""

    def __init__(self) -> None:
        self._told = draft.Draft(raw={"scenes": []})
        self._scenes: list[_Scene] = []
        self._titled: set[str] = set()
        self._over: list[tuple[dict[str, Any], int]] = []
        self._names: dict[str, str] = {}
        self._speaker = self._how = ""
        self._last = fountain.Element("", 0, "")

    def board_note(self, it: fountain.Element) -> None:
        """What stands before the first heading and is for us is about the board."""
        over = self._ours(it)
        if over is None:
            return
        over.pop("scenes", None)
        self._over.append((over, it.line))
        people = over.get("characters")
        for one in people if isinstance(people, list) else ():
            name = one.get("name") if isinstance(one, dict) else None
            if isinstance(name, str):
                self._names.setdefault(name.strip().upper(), name.strip())

    def take(self, it: fountain.Element) -> None:
        """The next piece of the script."""
        if it.kind in _NO_PLACE:
            self._aside(it)
        elif it.kind != "page_break":
            getattr(self, f"_{it.kind}")(it)
        self._last = it

    def done(self) -> draft.Draft:
        """The whole script as a board."""
        told = self._told
        for over, line in self._over:
            extras.lay(told, (), over, line, sorted(self._titled))
        for index, scene in enumerate(self._scenes):
            scene.end()
            told.raw["scenes"].append(dict(scene.fields))
            self._finish(("scenes", index), scene)
        untimed = [at for at, scene in enumerate(told.raw["scenes"]) if "duration" not in scene]
        for index in untimed:
            told.raw["scenes"][index]["duration"] = _DEFAULT_SECONDS
        if untimed:
            seconds = f"no duration is given, {len(untimed)} times; {_DEFAULT_SECONDS} seconds are taken"
            told.warn(("scenes", untimed[0], "duration"), seconds)
        if not self._scenes:
            told.warn((), "it holds no scenes")
        extras.complete(told)
        return told

    def _finish(self, loc: draft.Loc, scene: _Scene) -> None:
        said = [name for name in ("subject", "action", "dialogue", "caption") if name in scene.fields]
        for over, line in scene.over:
            if isinstance(over.get("cast"), list):
                over["cast"] += [name for name in scene.fields.get("cast", ()) if name not in over["cast"]]
            extras.lay(self._told, loc, over, line, said)
        whole = self._told.raw["scenes"][-1]
        for name in ("cast", "title", "setting", "action", "dialogue", "caption"):
            if not whole.get("subject") and (value := scene.fields.get(name)):
                whole["subject"] = (", ".join(value) if isinstance(value, list) else value)[:2000]
                self._told.warn((*loc, "subject"), f"no synopsis says who or what is seen; the {name} is taken")

    def _aside(self, it: fountain.Element) -> None:
        """What a board has no place for; a note of ours says fields, and a cut is what scenes have anyway."""
        over = self._ours(it)
        if over is not None:
            if self._scenes:
                self._scenes[-1].over.append((over, it.line))
        elif not (it.kind == "transition" and it.text.upper().rstrip(":.") == "CUT TO"):
            text = " ".join(it.text.split())
            self._told.warn((), f"{_NO_PLACE[it.kind]} has no place in a board: {draft.shown(text)}", it.line)

    def _ours(self, it: fountain.Element) -> dict[str, Any] | None:
        """The fields of a note that is for us. Broken ones are faults."""
        if it.kind != "note" or not it.text.lstrip().startswith(MARK):
            return None
        try:
            _, over = tree.json_value(it.text.lstrip().removeprefix(MARK))
        except draft.FileFaulty as faulty:
            wrong = faulty.violations[0].description.partition(": ")[2]
            over = None
        else:
            wrong = "should hold fields, as in [[rushes: {...}]]"
        if isinstance(over, dict):
            return over
        if it.line not in {line for line, _, _ in self._told.faults}:
            self._told.faults.append((it.line, (), f"the note {wrong}"))
        return {}

    def _scene(self, line: int) -> _Scene:
        """The scene that goes on; text before the first heading is a scene too."""
        if not self._scenes:
            self._begin(line)
        return self._scenes[-1]

    def _begin(self, line: int, **fields: str) -> None:
        if len(self._scenes) >= draft.MOST_SCENES:
            raise draft.too_many_scenes(line)
        self._told.lines[("scenes", len(self._scenes))] = line
        self._scenes.append(_Scene({name: text for name, text in fields.items() if text}))

    def _title(self, it: fountain.Element) -> None:
        key, _, value = it.text.partition(":")
        name = {"title": "name", "logline": "logline"}.get(key.strip().casefold())
        value = value.replace("**", "").strip().strip("_*").strip() if name == "name" else value.strip()
        if name is None:
            self._told.warn((), f"the title page's {draft.shown(it.text)} has no place in a board", it.line)
        elif value:
            self._told.raw[name], self._told.lines[(name,)] = value, it.line
            self._titled.add(name)

    def _heading(self, it: fountain.Element) -> None:
        text = _numberless(it.text)
        self._begin(it.line, title=text, setting=text, location=place(text))

    def _forced_heading(self, it: fountain.Element) -> None:
        self._begin(it.line, title=_numberless(it.text))

    def _action(self, it: fountain.Element) -> None:
        if not self._scenes and it.text.strip() in ("FADE IN:", "FADE IN"):
            return
        self._scene(it.line).add("action", it.text, self._joint(it))

    def _centred(self, it: fountain.Element) -> None:
        self._scene(it.line).add("caption", it.text, "\n")

    def _synopsis(self, it: fountain.Element) -> None:
        if self._scenes:
            self._scenes[-1].add("subject", it.text, " ")
        else:
            self._told.raw.setdefault("logline", it.text)

    def _character(self, it: fountain.Element) -> None:
        extensions = [text for text in _EXTENSION.findall(it.text) if f"({text})".upper() not in _ONLY_LAYOUT]
        cue = " ".join(_EXTENSION.sub("", it.text).rstrip("^ ").split())
        name = self._names.setdefault(cue.upper(), cue.title() if cue == cue.upper() else cue)
        self._speaker, self._how = name, ", ".join(extensions)
        cast = self._scene(it.line).fields.setdefault("cast", [])
        if name not in cast:
            cast.append(name)

    def _parenthetical(self, it: fountain.Element) -> None:
        if self._last.kind == "character" and not self._how:
            self._how = it.text
        else:
            self._say(it, f"({it.text})")

    def _dialogue(self, it: fountain.Element) -> None:
        self._say(it, it.text)

    def _lyric(self, it: fountain.Element) -> None:
        self._say(it, it.text)

    def _say(self, it: fountain.Element, words: str) -> None:
        """The first words of a speech say whose it is."""
        who = f"{self._speaker} ({self._how}): " if self._how else f"{self._speaker}: "
        begins = bool(self._speaker)
        if begins:
            words, self._speaker = who + words, ""
        self._scene(it.line).add("dialogue", words, "\n" if begins else " ")

    def _joint(self, it: fountain.Element) -> str:
        """Lines that follow each other are one paragraph."""
        goes_on = self._last.kind == "action" and self._last.line == it.line - 1
        return "\n" if goes_on else "\n\n"


def _numberless(heading: str) -> str:
    """The heading without its scene number; numbers are the order of scenes."""
    before, mark, number = heading.rstrip().rstrip("#").rpartition("#")
    return before.strip() if mark and before.strip() and _NUMBER.fullmatch(f"#{number}#") else heading.strip()
