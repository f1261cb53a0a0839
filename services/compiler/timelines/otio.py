"""OpenTimelineIO (https://opentimelineio.readthedocs.io): one track of clips, gaps' place taken by generators."""

import opentimelineio
from opentimelineio import opentime, schema

from services.compiler.edit import Card, JoinKind
from services.compiler.manifest import Manifest
from services.compiler.timelines import reel
from services.compiler.timelines.reel import Clip, Transition

_OURS = "rushes"


def write(manifest: Manifest) -> str:
    """The timeline as JSON. Clips are named as they lie in the film's archive of scenes."""
    laid, names = reel.of(manifest), reel.names(manifest)
    track = schema.Track(name="V1", kind=schema.TrackKind.Video)
    for clip, comes in zip(laid.clips, laid.transitions, strict=False):
        if comes:
            track.append(_transition(comes, manifest))
        track.append(_clip(clip, manifest, names))
    if ending := laid.transitions[-1]:
        track.append(_transition(ending, manifest))
    timeline = schema.Timeline(name=manifest.title, global_start_time=_time(0, manifest))
    timeline.tracks.append(track)
    timeline.metadata[_OURS] = {"film_id": manifest.film_id, "sha256": manifest.file.sha256}
    told: str = opentimelineio.adapters.write_to_string(timeline, "otio_json")
    return told + "\n"


def _clip(clip: Clip, manifest: Manifest, names: dict[str, str]) -> schema.Clip:
    shot = clip.shot
    made = schema.Clip(name=shot.title, source_range=_range(clip.first, clip.frames, manifest))
    if shot.source:
        made.media_reference = schema.ExternalReference(
            target_url=reel.url(names[shot.source.sha256]), available_range=_range(0, shot.source.frames, manifest)
        )
    elif shot.card:
        made.media_reference = _card(shot.card, manifest)
    made.metadata[_OURS] = {
        "number": shot.number,
        "scene_id": shot.scene_id,
        "take_id": shot.take_id,
        "gain_db": shot.gain_db,
        "sha256": shot.source.sha256 if shot.source else "",
        "provider": shot.maker.provider if shot.maker else "",
        "model": shot.maker.model if shot.maker else "",
    }
    return made


def _card(card: Card, manifest: Manifest) -> schema.GeneratorReference:
    words = {"text": card.text, "subtext": card.subtext, "background": card.background, "ink": card.ink}
    return schema.GeneratorReference(
        generator_kind="rushes.card", available_range=_range(0, card.frames, manifest), parameters=words
    )


def _transition(one: Transition, manifest: Manifest) -> schema.Transition:
    dissolves = one.kind is JoinKind.CROSSFADE
    return schema.Transition(
        name=one.kind.replace("_", " ").capitalize(),
        transition_type=schema.TransitionTypes.SMPTE_Dissolve if dissolves else schema.TransitionTypes.Custom,
        in_offset=_time(one.before, manifest),
        out_offset=_time(one.after, manifest),
        metadata={_OURS: {"kind": str(one.kind)}},
    )


def _range(first: int, frames: int, manifest: Manifest) -> opentime.TimeRange:
    return opentime.TimeRange(_time(first, manifest), _time(frames, manifest))


def _time(frame: int, manifest: Manifest) -> opentime.RationalTime:
    return opentime.RationalTime(frame, float(manifest.profile.fps))
