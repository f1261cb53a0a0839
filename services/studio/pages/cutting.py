"""What a person chooses for a cut, as the compiler's edit list, and an edit list as what was chosen; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import edit_list_pb2 as pb

JOINS = {
    "": "Cut",
    "CROSSFADE": "Dissolve",
    "DIP_TO_BLACK": "Dip to black",
    "DIP_TO_WHITE": "Dip to white",
    "WIPE_LEFT": "Wipe left",
    "WIPE_RIGHT": "Wipe right",
    "WIPE_UP": "Wipe up",
    "WIPE_DOWN": "Wipe down",
}
FITS = {"PAD": "Bars beside it", "CROP": "Cut off what is too much", "BLUR": "Its own blur beside it"}
CAPTIONS = {"track": "To switch on", "burnt": "In the picture", "none": "None"}
MISSING = {"leave": "Leave it out", "card": "Show a card with its title"}
_SIDES = (720, 1080, 2160)
_CARD_S, _FADE_S = 3, 1
_SILENCE_DB = -60.0


class Settings(NamedTuple):
    """All that can be chosen; the names of JOINS, FITS, CAPTIONS and MISSING, and a size such as "1920x1080"."""

    join: str = ""
    frames: int = 12
    size: str = ""
    fit: str = "PAD"
    sound: bool = True
    opening: str = ""
    ending: str = ""
    fade: bool = False
    captions: str = "track"
    missing: str = "leave"


def read(form: Mapping[str, object]) -> Settings:
    """The settings of a form; what it does not say is as it goes without saying."""

    def told(name: str) -> str:
        return str(form.get(name, "")).strip()

    def one_of(name: str, known: Mapping[str, str]) -> str:
        return told(name) if told(name) in known else next(iter(known))

    return Settings(
        join=one_of("join", JOINS),
        frames=min(480, max(1, int(told("frames")))) if told("frames").isdecimal() else 12,
        size=told("size") if re.fullmatch(r"\d{3,4}x\d{3,4}", told("size")) else "",
        fit=one_of("fit", FITS),
        sound="sound" in form,
        opening=told("opening")[:200],
        ending=told("ending")[:200],
        fade="fade" in form,
        captions=one_of("captions", CAPTIONS),
        missing=one_of("missing", MISSING),
    )


def chosen(of: pb.EditList, board: storyboard_pb2.Storyboard) -> Settings:
    """What was chosen for this edit list of the storyboard, as far as the form can say it."""
    joins = [cut.join for cut in of.cuts[1:] if cut.join.kind]
    cards = [cut for cut in (of.cuts[0], of.cuts[-1]) if cut.HasField("card") and not cut.scene_id] if of.cuts else []
    clips = [cut for cut in of.cuts if not cut.HasField("card")]
    size, fit = of.profile.size, of.profile.fit
    opens = bool(cards) and of.cuts[0].HasField("card") and not of.cuts[0].scene_id
    silent = any(scene.caption for scene in board.scenes) and not any(cut.captions for cut in clips)
    return Settings(
        join=pb.Join.Kind.Name(joins[0].kind).removeprefix("KIND_") if joins else "",
        frames=joins[0].frames if joins else 12,
        size=f"{size.width}x{size.height}" if of.profile.HasField("size") else "",
        fit=pb.Fit.Name(fit).removeprefix("FIT_") if fit else "PAD",
        sound=not clips or any(cut.gain_db > _SILENCE_DB for cut in clips),
        opening=of.cuts[0].card.text if opens else "",
        ending=cards[-1].card.text if cards and not (opens and len(cards) == 1) else "",
        fade=bool(of.ending.kind),
        captions="burnt" if of.captions.burnt else "none" if silent else "track",
        missing="card" if any(cut.HasField("card") and cut.scene_id for cut in of.cuts) else "leave",
    )


def edit_list(
    board: storyboard_pb2.Storyboard, takes: Mapping[str, pb.Cut], wanted: Settings, rate: int
) -> pb.EditList:
    """The film of these takes, by the id of their scene, in the order of the storyboard; `rate` is frames a second."""
    cuts = list(_cuts(board.scenes, takes, wanted, rate))
    for cut in cuts[1:] if wanted.join else ():
        cut.join.kind, cut.join.frames = pb.Join.Kind.Value(f"KIND_{wanted.join}"), wanted.frames
    made = pb.EditList(title=board.name, cuts=cuts)
    if wanted.size:
        made.profile.size.width, made.profile.size.height = map(int, wanted.size.split("x"))
    if wanted.fit != "PAD":
        made.profile.fit = pb.Fit.Value(f"FIT_{wanted.fit}")
    if wanted.captions == "burnt":
        made.captions.burnt = True
    if wanted.fade:
        made.ending.kind, made.ending.frames = pb.Join.KIND_DIP_TO_BLACK, _FADE_S * rate
    return made


def sizes(board: storyboard_pb2.Storyboard) -> dict[str, str]:
    """Sizes of the storyboard's shape, by what the form says for each."""
    width, height = (board.size.width, board.size.height) if board.HasField("size") else (1280, 720)
    told = {"": "As it was filmed"}
    for short in _SIDES:
        across, down = (short * side // min(width, height) // 2 * 2 for side in (width, height))
        if max(across, down) <= 4096:
            told[f"{across}x{down}"] = f"{short}p, {across} x {down}"
    return told


def _cuts(
    scenes: Iterable[storyboard_pb2.Scene], takes: Mapping[str, pb.Cut], wanted: Settings, rate: int
) -> Iterator[pb.Cut]:
    if wanted.opening:
        yield _card(wanted.opening, rate)
    for number, scene in enumerate(scenes, 1):
        if scene.id in takes:
            yield _cut(scene, takes[scene.id], wanted)
        elif wanted.missing == "card":
            yield _card(scene.title or f"Scene {number}", rate, scene.id)
    if wanted.ending:
        yield _card(wanted.ending, rate)


def _cut(scene: storyboard_pb2.Scene, take: pb.Cut, wanted: Settings) -> pb.Cut:
    cut = pb.Cut(scene_id=scene.id, title=scene.title, gain_db=0 if wanted.sound else _SILENCE_DB)
    cut.MergeFrom(take)
    if scene.caption and wanted.captions != "none":
        cut.captions.add(text=scene.caption)
    return cut


def _card(text: str, rate: int, scene_id: str = "") -> pb.Cut:
    return pb.Cut(scene_id=scene_id, card=pb.Card(text=text[:200], frames=_CARD_S * rate))
