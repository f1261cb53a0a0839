"""An edit file as the compiler's edit list, and an edit list as a file."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import yaml

from rushes.job.v1 import job_pb2
from rushes.type.v1 import edit_list_pb2 as pb
from rushes.type.v1 import media_pb2
from services.cli import edit_file, edit_form

_SIDES = {"720p": 720, "1080p": 1080, "4k": 2160}
_ASPECTS = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1)}

Sounds = Mapping[str, media_pb2.Blob]
"""What was uploaded, by the name in the file."""


def write(edit: edit_form.Edit, takes: Mapping[str, pb.Cut], sounds: Sounds) -> pb.EditList:
    """The edit list of a file; `takes` are cuts of the takes that it names alone."""
    wanted = pb.EditList(
        title=edit.title,
        cuts=[_cut(cut, takes) for cut in edit.cuts],
        loudness_lufs=edit.loudness,
        captions=pb.CaptionTrack(**edit.captions.model_dump()) if edit.captions else None,
        narrations=[
            pb.Narration(clip=_sound(voice, sounds), first_frame=voice.at, gain_db=voice.gain)
            for voice in edit.narrations
        ],
        ending=_join(edit.ending),
    )
    if edit.profile:
        wanted.profile.CopyFrom(_profile(edit.profile))
    if edit.music:
        wanted.music.CopyFrom(_music(edit.music, sounds))
    return wanted


def _cut(cut: edit_form.Cut, takes: Mapping[str, pb.Cut]) -> pb.Cut:
    made = pb.Cut(
        title=cut.title,
        scene_id=cut.scene,
        take_id=cut.take,
        gain_db=cut.gain,
        fit=_fit(cut.fit),
        join=_join(cut.join),
        captions=[pb.Caption(text=one.text, first_frame=one.at, frames=one.frames or 0) for one in cut.captions],
    )
    if cut.clip:
        made.clip.key = cut.clip
    elif cut.take:
        found = takes[cut.take]
        made.scene_id, made.title = found.scene_id, cut.title or found.title
        made.clip.CopyFrom(found.clip)
        if found.HasField("provenance"):
            made.provenance.CopyFrom(found.provenance)
    if cut.trim:
        first, _, end = cut.trim.partition("..")
        made.trim.first_frame, made.trim.frames = int(first), int(end) - int(first) if end else 0
    if cut.card:
        made.card.MergeFrom(pb.Card(**cut.card.model_dump()))
    return made


def _join(text: str) -> pb.Join | None:
    kind, _, frames = text.rpartition(" ")
    if not kind:
        return None
    return pb.Join(kind=pb.Join.Kind.Value(f"KIND_{kind.replace(' ', '_').upper()}"), frames=int(frames))


def _fit(name: str | None) -> pb.Fit.ValueType:
    return pb.Fit.Value(f"FIT_{name.upper()}") if name else pb.FIT_UNSPECIFIED


def _sound(of: edit_form.Sound, sounds: Sounds) -> media_pb2.Blob:
    return media_pb2.Blob(key=of.key) if of.key else sounds[of.file]


def _music(of: edit_form.Music, sounds: Sounds) -> pb.Music:
    fades = {"fade_in_frames": of.fade_in, "fade_out_frames": of.fade_out}
    return pb.Music(clip=_sound(of, sounds), gain_db=of.gain, duck_db=of.duck, **fades)


def _profile(of: edit_form.Profile) -> pb.OutputProfile:
    made = pb.OutputProfile(fit=_fit(of.fit))
    if of.size:
        made.size.width, made.size.height = size(of.size, of.aspect or "16:9")
    if rate := edit_file.rate(of.fps) if of.fps else None:
        made.frame_rate.numerator, made.frame_rate.denominator = rate
    return made


def size(name: str, aspect: str) -> tuple[int, int]:
    """Width and height in pixels of `1080p` in this aspect, or of `1920x800`."""
    if name not in _SIDES:
        width, _, height = name.partition("x")
        return int(width), int(height)
    across, down = _ASPECTS[aspect]
    short = _SIDES[name]
    return short * across // min(across, down), short * down // min(across, down)


def cut_of(take: job_pb2.Take, job: job_pb2.Job, prompt_sha256: str) -> pb.Cut:
    """A take as a cut: its clip, the title of its scene, and what it was made by."""
    made_by = pb.Provenance(
        provider=take.model.partition("/")[0],
        model=take.model,
        prompt_sha256=prompt_sha256,
        create_time=take.create_time,
    )
    return pb.Cut(scene_id=take.scene_id, take_id=take.id, title=job.scene_title, clip=take.clip, provenance=made_by)


def of_scenes(production: job_pb2.Production) -> pb.EditList:
    """A production that has no film: its takes, and a card for each scene that has none."""
    cuts = [
        pb.Cut(scene_id=scene.scene_id, take_id=scene.take_id, title=scene.scene_title)
        if scene.take_id
        else pb.Cut(card=pb.Card(text=scene.scene_title or f"Scene {scene.scene_number}", frames=48))
        for scene in production.scenes
    ]
    return pb.EditList(title=production.title, cuts=cuts)


def text(of: pb.EditList) -> str:
    """An edit list as a file that says nothing that goes without saying."""
    document = dict(_whole(of))
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))


Fields = Iterator[tuple[str, Any]]


def _whole(of: pb.EditList) -> Fields:
    yield "title", of.title
    if profile := dict(_told_profile(of.profile)):
        yield "profile", profile
    if of.HasField("loudness_lufs"):
        yield "loudness", _plain(of.loudness_lufs)
    if captions := dict(_told(of.captions, language="language", burnt="burnt")):
        yield "captions", captions
    if of.HasField("music"):
        names = {"gain_db": "gain", "fade_in_frames": "fade_in", "fade_out_frames": "fade_out", "duck_db": "duck"}
        yield "music", {"key": of.music.clip.key, **dict(_told(of.music, **names))}
    if of.narrations:
        names = {"first_frame": "at", "gain_db": "gain"}
        yield "narrations", [{"key": one.clip.key, **dict(_told(one, **names))} for one in of.narrations]
    if of.ending.kind:
        yield "ending", _told_join(of.ending)
    yield "cuts", [dict(_told_cut(cut)) for cut in of.cuts]


def _told_cut(of: pb.Cut) -> Fields:
    if of.HasField("card"):
        yield "card", dict(_told(of.card, **{field.name: field.name for field in of.card.DESCRIPTOR.fields}))
    else:
        yield "take", of.take_id
    yield from _told(of, title="title")
    if of.HasField("trim"):
        end = of.trim.first_frame + of.trim.frames if of.trim.frames else ""
        yield "trim", f"{of.trim.first_frame}..{end}"
    if of.join.kind:
        yield "join", _told_join(of.join)
    yield from _told(of, gain_db="gain")
    if of.fit:
        yield "fit", pb.Fit.Name(of.fit).removeprefix("FIT_").lower()
    if of.captions:
        yield "captions", [dict(_told(one, text="text", first_frame="at", frames="frames")) for one in of.captions]


def _told_join(of: pb.Join) -> str:
    return f"{pb.Join.Kind.Name(of.kind).removeprefix('KIND_').replace('_', ' ').lower()} {of.frames}"


def _told_profile(of: pb.OutputProfile) -> Fields:
    if of.HasField("size"):
        yield from _told_size(of.size.width, of.size.height)
    if of.HasField("frame_rate"):
        rate = Fraction(of.frame_rate.numerator, of.frame_rate.denominator)
        yield "fps", _plain(round(float(rate), 3))
    if of.fit:
        yield "fit", pb.Fit.Name(of.fit).removeprefix("FIT_").lower()


def _told_size(width: int, height: int) -> Fields:
    for name in _SIDES:
        for aspect in _ASPECTS:
            if size(name, aspect) == (width, height):
                yield from {"size": name, "aspect": aspect}.items()
                return
    yield "size", f"{width}x{height}"


def _told(of: Any, **names: str) -> Fields:
    """The fields of a message that say something, by the names that they have in a file."""
    for field, name in names.items():
        if value := getattr(of, field):
            yield name, _plain(value)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
