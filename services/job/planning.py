"""What a production would do: which takes still fit their scenes, and what has to be made."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.job import continuity, domain

EVERY_SCENE = "*"
_OF_OTHERS = (domain.Reason.CONTENT_CHANGED, domain.Reason.MODEL_CHANGED, domain.Reason.SIZE_CHANGED)
"""The takes were made of something else."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller wants otherwise: scenes to make anew or to leave, how many takes, who picks, stills of seams.

    What is made is made with `model` and at `resolution`; where they are empty, as the storyboard says.
    """

    remake: frozenset[str] = frozenset()
    takes: int = 1
    scene_takes: Mapping[str, int] = field(default_factory=dict)
    auto_pick: domain.AutoPick = domain.AutoPick.FIRST
    keyframes: Mapping[str, domain.Media] = field(default_factory=dict)
    approve_above_micros: int | None = None
    leave: frozenset[str] = frozenset()
    model: str = ""
    resolution: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is done about one scene.

    `count` takes are made; each opens and closes on these stills, or `waits` for the last frame of the scene before.
    """

    scene: domain.Scene
    number: int
    seam: domain.Seam
    action: domain.Action
    reason: domain.Reason
    take: domain.Take | None
    count: int
    opens_on: domain.Media | None
    closes_on: domain.Media | None
    input_take_id: str
    waits: bool
    gives_frame: bool
    digest_before: str = ""

    @property
    def is_made(self) -> bool:
        """Whether anything is bought."""
        return self.action in (domain.Action.MAKE, domain.Action.REMAKE)


def decide(
    scenes: Sequence[domain.Scene],
    takes: Mapping[str, Sequence[domain.Take]],
    known: Collection[str],
    options: Options,
    resized: Collection[str] = (),
) -> list[Planned]:
    """What to do about each scene; `takes` are those of each, the one to prefer first, and `known` was ever filmed.

    `resized` are the ids of takes that differ from what their scenes ask for in the size of the picture alone.
    """
    planned: list[Planned] = []
    for index, scene in enumerate(scenes):
        before = planned[-1] if planned else None
        planned.append(_decide(scenes, index, before, takes.get(scene.scene_id, ()), options, resized))
        if planned[-1].reason is domain.Reason.NEW_SCENE and scene.scene_id in known:
            planned[-1] = dataclasses.replace(planned[-1], reason=domain.Reason.NO_TAKE)
    return planned


def everything(scenes: Sequence[domain.Scene], options: Options) -> list[Planned]:
    """A plan that makes every scene, whatever takes there are."""
    planned = decide(scenes, {}, (), options)
    return [dataclasses.replace(one, reason=domain.Reason.UNSPECIFIED) for one in planned]


def _decide(
    scenes: Sequence[domain.Scene],
    index: int,
    before: Planned | None,
    takes: Sequence[domain.Take],
    options: Options,
    resized: Collection[str],
) -> Planned:
    scene, seam = scenes[index], continuity.seam(scenes, index)
    hangs = seam is domain.Seam.LAST_FRAME and before is not None
    input_take = before.take if hangs and before else None
    opens_on = input_take.last_frame if input_take else options.keyframes.get(scene.scene_id)
    if seam is domain.Seam.CUT:
        opens_on = None
    closes_on = continuity.closing(scenes, index, options.keyframes)
    gives_frame = continuity.gives_frame(scenes, index)
    waits = hangs and input_take is None
    stills = None if waits else (_sha256(opens_on), _sha256(closes_on))
    reason, fits = _fitting(scene, stills, gives_frame, takes, resized)
    if fits and options.remake & {scene.scene_id, EVERY_SCENE}:
        reason, fits = domain.Reason.ASKED, None
    action = domain.Action.REUSE if fits else domain.Action.REMAKE if takes else domain.Action.MAKE
    hangs_on_nothing = hangs and before is not None and before.action is domain.Action.LEAVE
    if not fits and (hangs_on_nothing or scene.scene_id in options.leave - options.remake):
        fits = next((take for take in takes if take.last_frame or not gives_frame), None)
        reason, action = domain.Reason.LEFT, domain.Action.REUSE if fits else domain.Action.LEAVE
    return Planned(
        scene=scene,
        number=index + 1,
        seam=seam,
        action=action,
        reason=reason,
        take=fits,
        count=0 if fits or action is domain.Action.LEAVE else options.scene_takes.get(scene.scene_id, options.takes),
        opens_on=opens_on,
        closes_on=closes_on,
        input_take_id=input_take.id if input_take else "",
        waits=waits,
        gives_frame=gives_frame,
        digest_before=takes[0].digest if reason in _OF_OTHERS else "",
    )


def _fitting(
    scene: domain.Scene,
    stills: tuple[str, str] | None,
    gives_frame: bool,
    takes: Sequence[domain.Take],
    resized: Collection[str],
) -> tuple[domain.Reason, domain.Take | None]:
    """The first take that was made of exactly this; else why there is none. Without `stills` they are not known yet."""
    if not takes:
        return domain.Reason.NEW_SCENE, None
    same = [take for take in takes if take.digest == scene.digest]
    if not same:
        return _otherwise(scene, takes, resized), None
    joined = [take for take in same if stills == (take.opens_on, take.closes_on)]
    if not joined:
        return domain.Reason.SEAM_CHANGED, None
    framed = [take for take in joined if take.last_frame or not gives_frame]
    return (domain.Reason.UNCHANGED, framed[0]) if framed else (domain.Reason.LAST_FRAME_MISSING, None)


def _otherwise(scene: domain.Scene, takes: Sequence[domain.Take], resized: Collection[str]) -> domain.Reason:
    """In what takes that were made of something else differ."""
    if any(take.id in resized for take in takes):
        return domain.Reason.SIZE_CHANGED
    if all(take.model != scene.model for take in takes):
        return domain.Reason.MODEL_CHANGED
    return domain.Reason.CONTENT_CHANGED


def digest(storyboard_id: str, revision: int, quote_id: str, planned: Sequence[Planned], options: Options) -> str:
    """What a caller sends back, so that what was shown is what is done."""
    told = [
        [one.scene.scene_id, one.action, one.take and one.take.id, one.count, one.scene.digest, one.seam, *_stills(one)]
        for one in planned
    ]
    whole = [storyboard_id, revision, quote_id, options.auto_pick, options.approve_above_micros, told]
    return hashlib.sha256(json.dumps(whole, separators=(",", ":")).encode()).hexdigest()


def jobs(
    production: domain.Production,
    planned: Sequence[Planned],
    quoted: Mapping[str, int],
    new_id: Callable[[str], str],
) -> list[domain.Job]:
    """The jobs of a plan, as a production that films begins with them; `quoted` is what one take can cost."""
    made: list[domain.Job] = []
    waits_for: str | None = None
    for one in planned:
        of_scene = [
            _job(production, one, number, waits_for, quoted[one.scene.scene_id], new_id)
            for number in range(1, one.count + 1)
        ]
        made += of_scene
        waits_for = of_scene[0].id if of_scene else None
    return made


def _job(
    production: domain.Production,
    one: Planned,
    take_number: int,
    waits_for: str | None,
    quoted_micros: int,
    new_id: Callable[[str], str],
) -> domain.Job:
    return domain.Job(
        id=new_id("job"),
        production_id=production.id,
        tenant_id=production.tenant_id,
        scene_id=one.scene.scene_id,
        scene_number=one.number,
        scene_title=one.scene.title,
        seam=one.seam,
        spec=one.scene.spec,
        waits_for=waits_for if one.waits else None,
        last_frame_wanted=one.gives_frame,
        currency=production.currency,
        quoted_micros=quoted_micros,
        created_at=production.created_at,
        updated_at=production.created_at,
        state=domain.JobState.WAITING if one.waits else domain.JobState.RUNNING,
        hold=domain.Hold.SEAM if one.waits else domain.Hold.NOTHING,
        take_number=take_number,
        storyboard_id=production.storyboard_id,
        digest=one.scene.digest,
        model=one.scene.model,
        first_frame=one.opens_on,
        last_frame=one.closes_on,
        input_take_id=one.input_take_id,
        changed_in=production.version,
    )


def slots(production: domain.Production, planned: Sequence[Planned]) -> list[domain.Slot]:
    """The places of the scenes in the production; those that reuse a take are filled."""
    return [
        domain.Slot(
            production_id=production.id,
            tenant_id=production.tenant_id,
            scene_number=one.number,
            scene_id=one.scene.scene_id,
            scene_title=one.scene.title,
            seam=one.seam,
            action=one.action,
            reason=one.reason,
            take_id=one.take.id if one.take else None,
            caption=one.scene.caption,
        )
        for one in planned
        if one.action is not domain.Action.LEAVE
    ]


def _stills(one: Planned) -> tuple[str, str]:
    return _sha256(one.opens_on), _sha256(one.closes_on)


def _sha256(still: domain.Media | None) -> str:
    return still.sha256 if still else ""
