"""Looks through a stretch of a film before there is one: that it decodes around its joins, and how it looks."""

import dataclasses
import functools
import hashlib
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from encodings import cp437  # noqa: F401  (what reads a ZIP asks for it, and inside the jail nothing can be imported)
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from PIL import Image, UnidentifiedImageError

from services.compiler import abreast, archive, domain, media, sheet, sprite, stills
from services.compiler.proofing import AFTER
from services.compiler.recipes import Proof
from services.compiler.reel import Reel

_BUT_SMOOTHED = {"skip_loop_filter": "all"}
"""All that was written is read, but the edges of blocks are left as they are: nobody looks at these pictures."""
_FINDINGS, _POSTER = "proof.json", "poster.jpg"
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Seen:
    """Packets that were decoded: so many from `first` on, in decoding order, and what `digest` makes of them."""

    first: int
    count: int
    digest: str

    @property
    def packets(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, slots=True)
class Print:
    """What a proof leaves: what was seen, the parameter sets that it needs, and stills; the poster is a JPEG."""

    seen: tuple[Seen, ...]
    record: bytes
    scenes: tuple[Image.Image, ...]
    small: tuple[Image.Image, ...]
    poster: bytes


def make(recipe: Proof, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Look through it and write its print. Raises media.SourceUnreadable and domain.FilmNotAsPlanned."""
    reel = Reel(recipe.runs, recipe.profile.fps, folder)
    cell, tile = sheet.cell(recipe.profile, recipe.all_scenes), sprite.cell(recipe.profile)
    seen = [functools.partial(_seen, reel, join, recipe.frames) for join in recipe.joins]
    chosen = [functools.partial(stills.of_scene, reel, scene, cell) for scene in recipe.scenes]
    chosen += [functools.partial(stills.small, reel, frame, tile) for frame in recipe.small]
    chosen += [functools.partial(stills.poster, reel, scene) for scene in recipe.scenes[: recipe.poster]]
    looks: list[Callable[[], Seen | Image.Image]] = [*seen, *chosen]
    found = abreast.done(looks)
    findings = [dataclasses.asdict(one) for one in found if isinstance(one, Seen)]
    pictures = [one for one in found if isinstance(one, Image.Image)]
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr(archive.entry(_FINDINGS), json.dumps({"seen": findings, "record": reel.record.hex()}))
        for name, picture in zip(_names(recipe), pictures, strict=True):
            packed.writestr(archive.entry(name), _written(picture, name))
    tell(recipe.frames)


def read(path: Path) -> Print:
    """What `make` has written. Raises domain.FilmNotAsPlanned when it is no longer as it was."""
    try:
        return _read(path)
    except (zipfile.BadZipFile, UnidentifiedImageError, ValueError, KeyError) as fault:
        raise domain.FilmNotAsPlanned(check=domain.UNPROVEN) from fault


def _read(path: Path) -> Print:
    with zipfile.ZipFile(path) as packed:
        told, names = json.loads(packed.read(_FINDINGS)), packed.namelist()

        def pictures(kind: str) -> tuple[Image.Image, ...]:
            return tuple(Image.open(io.BytesIO(packed.read(name))) for name in names if name.startswith(kind))

        return Print(
            seen=tuple(Seen(**one) for one in told["seen"]),
            record=bytes.fromhex(told["record"]),
            scenes=pictures("scene"),
            small=pictures("small"),
            poster=packed.read(_POSTER) if _POSTER in names else b"",
        )


def digest(packets: Iterable[bytes]) -> str:
    """One sha256, in hex, of those of so many packets."""
    return hashlib.sha256(b"".join(packets)).hexdigest()


def _seen(reel: Reel, join: int, frames: int) -> Seen:
    """Decode strictly the group of pictures that ends before the join, and the first pictures after it.

    Of that group only what others are made of: what nothing is made of spoils nothing.
    """
    after, shown = range(join, min(join + AFTER, frames)), list[int]()
    decoder, packets, first = reel.decoder(), list[bytes](), 0
    decoder.options |= _BUT_SMOOTHED
    for number, packet in itertools.chain(reel.packets(max(join - 1, 0)), [(frames, None)]):
        if packet:
            first = first if packets else number
            packets.append(hashlib.sha256(bytes(packet)).digest())
            packet.pts = number
        decoder.skip_frame = "NONREF" if number < join else "DEFAULT"
        shown += [one for one in _decoded(decoder, packet, reel.source(number)) if one in after]
        if len(shown) == len(after) > 0:
            break
    if shown != list(after):
        raise domain.FilmNotAsPlanned(check="every picture after a join decodes")
    return Seen(first, len(packets), digest(packets))


def _decoded(decoder: VideoCodecContext, packet: "av.Packet[VideoStream] | None", source: str) -> list[int]:
    """The frames of the pictures that come out of the decoder now."""
    with media.blamed_on(source):
        pictures = decoder.decode(packet)
    if any(picture.is_corrupt for picture in pictures):
        raise media.SourceUnreadable(source, "is damaged")
    return [picture.pts or 0 for picture in pictures]


def _names(recipe: Proof) -> list[str]:
    """Of its stills, in the order in which they are taken."""
    scenes = [f"scene {number:04d}.ppm" for number in range(len(recipe.scenes))]
    return [*scenes, *(f"small {number:04d}.ppm" for number in range(len(recipe.small))), *[_POSTER] * recipe.poster]


def _written(picture: Image.Image, name: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG" if name == _POSTER else "PPM", quality=_QUALITY, optimize=True)
    return file.getvalue()
