"""The JSON that the founding documents' browser app keeps in its storage: one character, a preset's key, scenes."""

import json
import re
from collections.abc import Mapping
from typing import Any

from services.storyboard import domain, presets
from services.storyboard.files import draft, extras, plain, tree

OURS = "rushes"
"""The key, in the board and in each scene, under which we keep what the app has no fields for."""

_WRAPPERS = ("state", "storyboard", "currentStoryboard", "board", "storyboards", "boards", "data")
_DEEPEST = 5
_OF_THE_APP = ("id", "userId", "createdAt", "updatedAt", "videoJobs", "storyboardId", "order", "index", "number")
_BOARD = {"name": "name", "title": "name", "logline": "logline", "description": "logline", "presetKey": "preset"}
_SCENE = {
    **{name: name for name in plain.TEXTS},
    "negativePrompt": "negative_prompt", "dialog": "dialogue", "duration": "duration", "seconds": "duration",
    "seed": "seed", "prompt": "subject", "description": "action",
}  # fmt: skip
_PROFILE = ("profile", "description", "appearance")
_CHARACTER = ("name", "identity_tag", "identityTag", *_PROFILE)
_DEFAULT_SECONDS = "4"


def read(text: str) -> draft.Draft:
    """A storyboard of the app, as it is in the storage or in a list of one. Raises FileFaulty."""
    told, value = tree.json_value(text)
    loc: draft.Loc = ()
    for _ in range(_DEEPEST):
        told, value, inner = _unwrapped(told, value)
        if inner is None:
            break
        loc = (*loc, *inner)
    if not isinstance(value, dict) or not ({"scenes", "character", "presetKey"} & set(value)):
        raise draft.refusal(told.line(loc), "it is no storyboard of the browser app; it has no scenes")
    return _Reader(told, loc).board(value)


def _unwrapped(told: draft.Draft, value: Any) -> tuple[draft.Draft, Any, draft.Loc | None]:
    """What is inside a list, a text of JSON or the storage's wrapper; no place when it is the storyboard itself."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        _, inside = tree.json_value(value)
        return told, inside, ()
    if isinstance(value, list):
        if len(value) != 1:
            raise draft.refusal(1, f"it holds {len(value)} storyboards; import them one by one")
        return told, value[0], (0,)
    if isinstance(value, dict) and "scenes" not in value:
        for key in _WRAPPERS:
            if isinstance(value.get(key), dict | list | str) and value[key]:
                return told, value[key], (key,)
    return told, value, None


def write(content: domain.Content) -> str:
    """The storyboard as the app has it, with what it has no fields for under a key of ours."""
    board = plain.of(content)
    scenes = board.pop("scenes", [])
    person = (board.get("characters") or [{}])[0]
    app: dict[str, Any] = {"name": content.name, "presetKey": content.preset or presets.DEFAULT}
    app["character"] = {name: text for name, text in person.items() if name != "references"}
    app["scenes"] = [_written(number, scene) for number, scene in enumerate(scenes, 1)]
    told = read(json.dumps(app))
    if rest := extras.left(board, told.raw, ("scenes",)):
        app[OURS] = rest
    for scene, shown, as_read in zip(scenes, app["scenes"], told.raw["scenes"], strict=True):
        if rest := extras.left(scene, as_read):
            shown[OURS] = rest
    return json.dumps(app, ensure_ascii=False, indent=2) + "\n"


def _written(number: int, scene: Mapping[str, Any]) -> dict[str, Any]:
    camel = {_camel(name): value for name, value in scene.items() if name in _SCENE and name != "location"}
    return {"id": str(number), **camel}


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


class _Reader:
    def __init__(self, told: draft.Draft, at: draft.Loc) -> None:
        self._told = draft.Draft(raw={"scenes": []}, faults=[*told.faults])
        self._outer, self._at = told, at

    def board(self, app: Mapping[str, Any]) -> draft.Draft:
        told, over = self._told, app.get(OURS)
        self._fields(app, (), (), _BOARD, told.raw, ("character", "scenes"))
        self._preset()
        person = self._character(app.get("character"))
        scenes = app.get("scenes") or []
        for index, scene in enumerate(scenes if isinstance(scenes, list) else [scenes]):
            self._scene(index, scene, person)
        if not told.raw["scenes"]:
            told.warn((), "it holds no scenes")
        if over is not None:
            if isinstance(over, dict):
                over.pop("scenes", None)
            extras.lay(told, (), over, self._line((OURS,)))
        extras.complete(told)
        return told

    def _line(self, loc: draft.Loc) -> int:
        return self._outer.line((*self._at, *loc))

    def _preset(self) -> None:
        key = str(self._told.raw.get("preset", "")).strip()
        plain_key = re.sub(r"[\W_]+", "_", key.casefold()).strip("_")
        if plain_key in presets.BY_KEY:
            self._told.raw["preset"] = plain_key
        elif key:
            del self._told.raw["preset"]
            self._told.warn(("preset",), f"there is no look {draft.shown(key)} here; {presets.DEFAULT} is taken")

    def _fields(
        self,
        app: Mapping[str, Any],
        at: draft.Loc,
        loc: draft.Loc,
        known: Mapping[str, str],
        into: dict[str, Any],
        but: tuple[str, ...] = (),
    ) -> None:
        """Every field that a board has a place for; the others are told, unless they are the app's own business."""
        for key, value in app.items():
            if key == OURS or key in but or value in ("", None):
                continue
            line = self._line((*at, key))
            if key in known and known[key] not in into:
                into[known[key]] = value
                self._told.lines[(*loc, known[key])] = line
            elif key not in _OF_THE_APP:
                self._told.warn(loc, f"{key[:60]} has no place in a board: {draft.shown(value)}", line)

    def _character(self, app: Any) -> str:
        """Its name; whatever else is known of it is in the profile."""
        if not isinstance(app, dict) or not app:
            return ""
        loc: draft.Loc = ("characters", 0)
        self._told.lines[loc] = self._line(("character",))
        tag = app.get("identity_tag") or app.get("identityTag") or ""
        texts = [app[key] for key in _PROFILE if isinstance(app.get(key), str) and app[key]]
        texts += [f"{key}: {_flat(it)}" for key, it in app.items() if key not in (*_CHARACTER, *_OF_THE_APP) and it]
        person = {"name": app.get("name") or "Unnamed", "profile": ", ".join(texts), "identity_tag": tag}
        self._told.raw["characters"] = [{name: text for name, text in person.items() if text}]
        return str(person["name"])

    def _scene(self, index: int, app: Any, person: str) -> None:
        told, at, loc = self._told, ("scenes", index), ("scenes", index)
        told.begin_scene(self._line(at))
        scene: dict[str, Any] = {}
        told.raw["scenes"].append(scene)
        if not isinstance(app, dict):
            told.fault(loc, f"is {draft.shown(app)}, not a scene")
            return
        self._fields(app, at, loc, _SCENE, scene, ("cast",))
        if person:
            scene["cast"] = [person]
        if isinstance(app.get("cast"), list):
            scene["cast"] = app["cast"]
        scene.setdefault("duration", _DEFAULT_SECONDS)
        if "duration" not in app and "seconds" not in app:
            told.warn((*loc, "duration"), f"no duration is given; {_DEFAULT_SECONDS} seconds are taken")
        if OURS in app:
            extras.lay(told, loc, app[OURS], self._line((*at, OURS)))
        if not scene.get("subject") and (subject := scene.get("title") or person):
            scene["subject"] = subject
            told.warn((*loc, "subject"), "no subject is given; the title or the character is taken")


def _flat(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(it, str) for it in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
