"""Final Cut Pro's XML (developer.apple.com/documentation/professional-video-applications), which Resolve reads too."""

import re
import xml.etree.ElementTree as ET

from services.compiler.edit import JoinKind
from services.compiler.manifest import Manifest, Source
from services.compiler.timelines import reel
from services.compiler.timelines.reel import Clip, Transition

_VERSION = "1.9"
_FORMAT = "r0"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMES = {JoinKind.CROSSFADE: "Cross Dissolve"}


def write(manifest: Manifest) -> str:
    """One project with one spine; each time is a whole number of frames."""
    root = ET.Element("fcpxml", version=_VERSION)
    names = reel.names(manifest)
    ids = {digest: f"r{number}" for number, digest in enumerate(names, 1)}
    _resources(ET.SubElement(root, "resources"), manifest, names, ids)
    event = ET.SubElement(ET.SubElement(root, "library"), "event", name=_legible(manifest.title))
    project = ET.SubElement(event, "project", name=_legible(manifest.title))
    length = _time(manifest.frames, manifest)
    sequence = ET.SubElement(project, "sequence", format=_FORMAT, duration=length, tcStart="0s", tcFormat="NDF")
    spine = ET.SubElement(sequence, "spine")
    laid = reel.of(manifest)
    for clip, comes in zip(laid.clips, laid.transitions, strict=False):
        _add_transition(spine, comes, manifest)
        _add_clip(spine, clip, manifest, ids)
    _add_transition(spine, laid.transitions[-1], manifest)
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{ET.tostring(root, encoding="unicode")}\n'


def _resources(resources: ET.Element, manifest: Manifest, names: dict[str, str], ids: dict[str, str]) -> None:
    picture = manifest.profile
    length, width, height = _time(1, manifest), str(picture.width), str(picture.height)
    ET.SubElement(resources, "format", id=_FORMAT, frameDuration=length, width=width, height=height)
    for digest, shot in manifest.clips.items():
        if shot.source:
            _add_asset(resources, shot.source, names[digest], ids[digest], manifest)


def _add_asset(resources: ET.Element, source: Source, name: str, known: str, manifest: Manifest) -> None:
    heard = {"hasAudio": "1", "audioSources": "1", "audioChannels": "2"} if source.sound else {}
    asset = ET.SubElement(
        resources,
        "asset",
        {
            "id": known,
            "name": name.removesuffix(".mp4"),
            "start": "0s",
            "duration": _time(source.frames, manifest),
            "hasVideo": "1",
            "format": _FORMAT,
            **heard,
        },
    )
    ET.SubElement(asset, "media-rep", kind="original-media", src=f"./{reel.url(name)}")


def _add_clip(spine: ET.Element, clip: Clip, manifest: Manifest, ids: dict[str, str]) -> None:
    shot = clip.shot
    place = {
        "name": _legible(shot.title),
        "offset": _time(clip.start, manifest),
        "start": _time(clip.first, manifest),
        "duration": _time(clip.frames, manifest),
    }
    if shot.source:
        made = ET.SubElement(spine, "asset-clip", {"ref": ids[shot.source.sha256]} | place)
    else:
        made = ET.SubElement(spine, "gap", place)
    if note := "\n".join(reel.words(shot)):
        ET.SubElement(made, "note").text = _legible(note)
    if shot.source and shot.gain_db:
        ET.SubElement(made, "adjust-volume", amount=f"{shot.gain_db:g}dB")


def _add_transition(spine: ET.Element, one: Transition | None, manifest: Manifest) -> None:
    if one:
        name = _NAMES.get(one.kind, one.kind.replace("_", " ").title())
        offset, duration = _time(one.at - one.before, manifest), _time(one.before + one.after, manifest)
        ET.SubElement(spine, "transition", name=name, offset=offset, duration=duration)


def _legible(text: str) -> str:
    """Without the few characters that XML has no way to write."""
    return _NOT_XML.sub("", text)


def _time(frame: int, manifest: Manifest) -> str:
    """Rational seconds, as a multiple of the frame's."""
    rate = manifest.profile.fps
    return f"{frame * rate.denominator}/{rate.numerator}s" if frame else "0s"
