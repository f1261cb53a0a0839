"""The plan of a film: which pictures are copied as they are, which are made, and what each of them is called."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from services.compiler import parameters, pieces, proofing, recipes, timeline
from services.compiler.edit import DIPS, Card, Edit, Fit
from services.compiler.recipes import Film, House, Profile, Recipe, Render, Run, Sound
from services.compiler.timeline import Place

_COPIED_PROFILES = ("Constrained Baseline", "Main", "High")
_COPIED_MATRICES = ("bt709", "smpte170m")
_NOTHING_BUT_CARDS = (1280, 720, Fraction(24))
HOUSE_REORDER = 2
"""How many pictures decoding runs ahead of showing in all that our encoder makes."""
_STANDS_ALONE_TOO_SELDOM = 2  # seconds of a clip that would be encoded only to reach a picture that can be copied


@dataclass(frozen=True, slots=True)
class Facts:
    """What a probe found in one clip.

    `width` and `height` are as shown: upright, in square pixels. `steady`: every picture sits on the grid of
    `fps`. `plain`: stored as shown (not turned, not squeezed, nothing hidden by an edit list) and starting on
    an IDR picture. `rotation`: clockwise degrees that turn the stored picture upright. `reorder`: how many
    pictures decoding runs ahead of showing. `keys`: the IDR pictures, by their place in showing order.
    `parameters`: the `avcC` of H.264, else empty. `matrix`: how colours are kept.
    """

    width: int
    height: int
    fps: Fraction
    frames: int
    seconds: Fraction
    codec: str
    profile: str
    pixels: str
    parameters: bytes
    steady: bool
    plain: bool
    rotation: int
    matrix: str
    reorder: int
    keys: tuple[int, ...]
    sound: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """One entry's place in the film, and where its pictures come from; `conform` says why a clip cannot be copied."""

    place: Place
    pictures: pieces.Pictures | None
    conform: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A film to the frame: its cuts, the pieces to make by their addresses, in an order that works, and the whole."""

    cuts: tuple[Cut, ...]
    pieces: Mapping[str, Recipe]
    film: Film


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under a blob key: the digest of its bytes, and what its pictures are; None for a sound."""

    digest: str
    facts: Facts | None


def plan(edit: Edit, found: Mapping[str, Found]) -> Plan:
    """Plan the film. The same input is always the same plan, to the byte.

    Clips are copied only when they all share one set of parameters: the set that fills most seconds wins, the
    other clips are made anew in the house format. Raises domain.TrimBeyondClip and domain.JoinTooLong.
    """
    facts = [None if isinstance(e.source, Card) else found[e.source].facts for e in edit.entries]
    profile = _profile([one for one in facts if one], edit)
    places = timeline.place(edit, [_available(e.source, f, profile) for e, f in zip(edit.entries, facts, strict=True)])
    why = [_obstacles(one, profile) if one else () for one in facts]
    why = [w or _too_seldom(p, f, edit.burnt, profile) for p, f, w in zip(places, facts, why, strict=True)]
    kept = _kept_parameters(facts, why)
    why = [w or _other_settings(f, kept) for f, w in zip(facts, why, strict=True)]
    profile = replace(profile, matrix=_kept_matrix(facts, why))
    house_id, render_id = parameters.free_ids(kept)
    houses = [
        _house(place, one, found, profile, house_id) if one and w else None
        for place, one, w in zip(places, facts, why, strict=True)
    ]
    pictures = [_pictures(p, f, h, found) for p, f, h in zip(places, facts, houses, strict=True)]
    runs = list(pieces.divide(places, pictures, edit.burnt, profile, render_id))
    sound = _sound(edit, places, facts, found, profile.fps)
    made: list[Recipe] = [*filter(None, houses), *(run for run in runs if isinstance(run, Render)), sound]
    whole = _film(edit, places, profile, runs, sound, _ahead(facts, why, made))
    proofs = [(start, recipes.address(proof), proof) for start, proof in proofing.divide(whole)]
    return Plan(
        tuple(Cut(*one) for one in zip(places, pictures, why, strict=True)),
        {recipes.address(recipe): recipe for recipe in made} | {name: proof for _, name, proof in proofs},
        replace(whole, proofs=tuple(recipes.Proven(name, start) for start, name, _ in proofs)),
    )


def group(fps: Fraction) -> int:
    """How many pictures of the house format lie between two that stand on their own: a second of them."""
    return timeline.nearest(fps)


def _profile(facts: Sequence[Facts], edit: Edit) -> Profile:
    weights = _seconds(((one.width, one.height, one.fps) for one in facts), facts)
    width, height, fps = max(weights, key=weights.__getitem__, default=_NOTHING_BUT_CARDS)
    width, height = edit.wish.size or (width, height)
    return Profile(max(2, width // 2 * 2), max(2, height // 2 * 2), edit.wish.fps or fps)


def _available(source: str | Card, facts: Facts | None, profile: Profile) -> int:
    if isinstance(source, Card):
        return source.frames
    return max(1, timeline.nearest(facts.seconds * profile.fps)) if facts else 0


def _obstacles(facts: Facts, profile: Profile) -> tuple[str, ...]:
    """Why this clip's pictures cannot be copied into a film of this profile."""
    size, wanted = f"{facts.width}x{facts.height}", f"{profile.width}x{profile.height}"
    checks = [
        (facts.codec == "h264" and facts.profile in _COPIED_PROFILES, f"it is {facts.codec} {facts.profile}"),
        (facts.pixels == "yuv420p", f"its pixels are {facts.pixels}"),
        (facts.matrix in _COPIED_MATRICES, f"its colours are {facts.matrix}"),
        (bool(facts.parameters), "its parameter sets are not kept apart from its pictures"),
        (size == wanted, f"its picture is {size}, the film's {wanted}"),
        (facts.fps == profile.fps, f"it runs at {facts.fps} frames a second, the film at {profile.fps}"),
        (facts.steady, "its frame rate varies"),
        (facts.plain, "its pictures are turned, squeezed, trimmed or do not start on their own"),
    ]
    return tuple(why for fine, why in checks if not fine)


def _too_seldom(place: Place, facts: Facts | None, burnt: bool, profile: Profile) -> tuple[str, ...]:
    """A clip that can hardly be copied around its joins is made anew once, not encoded again for every film."""
    if facts is None:
        return ()
    lost = pieces.uncopied(place, pieces.Pictures("", facts.frames, facts.keys), burnt)
    seldom = lost > _STANDS_ALONE_TOO_SELDOM * group(profile.fps)
    return ("too few of its pictures stand on their own",) if seldom else ()


def _kept_parameters(facts: Sequence[Facts | None], why: Sequence[tuple[str, ...]]) -> bytes | None:
    copied = [one for one, obstacles in zip(facts, why, strict=True) if one and not obstacles]
    weights = _seconds((one.parameters for one in copied), copied)
    return max(weights, key=weights.__getitem__, default=None)


def _kept_matrix(facts: Sequence[Facts | None], why: Sequence[tuple[str, ...]]) -> str:
    """What is drawn between clips that are copied must keep its colours as they do."""
    matrices = (one.matrix for one, obstacles in zip(facts, why, strict=True) if one and not obstacles)
    return next(matrices, "bt709")


def _other_settings(facts: Facts | None, kept: bytes | None) -> tuple[str, ...]:
    differs = facts is not None and facts.parameters != kept
    return ("its encoder settings differ from those of most clips",) if differs else ()


def _house(place: Place, facts: Facts, found: Mapping[str, Found], profile: Profile, parameter_id: int) -> House:
    digest = found[str(place.entry.source)].digest
    same_shape = facts.width * profile.height == facts.height * profile.width
    # Where nothing is left over the three are the same picture, and should have the same address.
    fit = Fit.PAD if same_shape else place.entry.fit
    return House(digest, profile, _available("", facts, profile), fit, parameter_id)


def _pictures(
    place: Place, facts: Facts | None, house: House | None, found: Mapping[str, Found]
) -> pieces.Pictures | None:
    if house:
        keys = tuple(range(0, house.frames, group(house.profile.fps)))
        return pieces.Pictures(recipes.address(house), house.frames, keys)
    return pieces.Pictures(found[str(place.entry.source)].digest, facts.frames, facts.keys) if facts else None


def _sound(
    edit: Edit, places: Sequence[Place], facts: Sequence[Facts | None], found: Mapping[str, Found], fps: Fraction
) -> Sound:
    music, voices = edit.music, edit.narrations
    bed = (
        recipes.Bed(found[music.source].digest, music.gain_db, music.fade_in, music.fade_out, music.duck_db)
        if music
        else None
    )
    return Sound(
        fps=fps,
        frames=places[-1].end,
        heard=tuple(_heard(place, one, found) for place, one in zip(places, facts, strict=True)),
        bed=bed,
        voices=tuple(recipes.Voice(found[voice.source].digest, voice.first, voice.gain_db) for voice in voices),
        loudness=edit.loudness,
    )


def _heard(place: Place, facts: Facts | None, found: Mapping[str, Found]) -> recipes.Heard:
    digest = found[str(place.entry.source)].digest if facts and facts.sound else None
    lead_crossed = bool(place.comes and place.comes.kind not in DIPS)
    tail_crossed = bool(place.goes and place.goes.kind not in DIPS)
    gain = place.entry.gain_db if digest else 0.0
    return recipes.Heard(
        digest, place.first, place.start, place.end, gain, place.lead, place.tail, lead_crossed, tail_crossed
    )


def _ahead(facts: Sequence[Facts | None], why: Sequence[tuple[str, ...]], made: Sequence[Recipe]) -> int:
    copied = (one.reorder for one, obstacles in zip(facts, why, strict=True) if one and not obstacles)
    ours = (HOUSE_REORDER for recipe in made if not isinstance(recipe, Sound))
    return max((*copied, *ours), default=0)


def _film(
    edit: Edit, places: Sequence[Place], profile: Profile, parts: Sequence[Run | Render], sound: Sound, ahead: int
) -> Film:
    runs = (part if isinstance(part, Run) else Run(recipes.address(part), 0, part.frames) for part in parts)
    ends = [*(place.start for place in places[1:]), places[-1].end]
    soft = () if edit.burnt else tuple(one for place in places for one in timeline.captions(place))
    return Film(
        title=edit.title,
        profile=profile,
        runs=tuple(runs),
        ahead=ahead,
        sound=recipes.address(sound),
        loudness=edit.loudness,
        chapters=tuple(recipes.Chapter(p.number, p.title, p.start, end) for p, end in zip(places, ends, strict=True)),
        subtitles=tuple(recipes.Subtitle(*one) for one in soft),
        language=edit.language,
        generated=edit.generated,
    )


T = TypeVar("T", bound=Hashable)


def _seconds(keys: Iterable[T], facts: Sequence[Facts]) -> dict[T, Fraction]:
    """How many seconds of film each key stands for, the earliest key first."""
    seconds: dict[T, Fraction] = defaultdict(Fraction)
    for key, one in zip(keys, facts, strict=True):
        seconds[key] += one.seconds
    return seconds
