"""Plans between protobuf and the domain; checks requests, does no I/O."""

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from libs import errors, sizes
from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import model_pb2, quote_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from services.job import domain, planning, wire

MOST_TAKES = 10
_RESOLUTION = re.compile(r"[0-9A-Za-z]{0,16}")

Offer = Sequence[model_pb2.Model]
"""The models that can be bought here."""


def check(request: job_service_pb2.PlanProductionRequest) -> None:
    """Raises BadRequest with every violation."""
    found = []
    if not request.storyboard_id:
        found.append(errors.Violation("storyboard_id", "should name the storyboard to film"))
    if request.revision < 1:
        found.append(errors.Violation("revision", "should be at least 1"))
    if found:
        raise wire.BadRequest(found)


def options(asked: job_service_pb2.PlanOptions, tenant_id: str) -> planning.Options:
    """What the caller wants otherwise. Raises BadRequest with every violation."""
    found = []
    counts = {"takes": asked.takes or 1} | {f"scene_takes[{key}]": count for key, count in asked.scene_takes.items()}
    for field, count in counts.items():
        if not 1 <= count <= MOST_TAKES:
            found.append(errors.Violation(f"options.{field}", f"should be 1 to {MOST_TAKES}"))
    for index, frame in enumerate(asked.keyframes):
        place = f"options.keyframes[{index}]"
        if not frame.scene_id:
            found.append(errors.Violation(f"{place}.scene_id", "should name the scene that starts on it"))
        if not frame.still.key.startswith(f"t/{tenant_id}/") or not frame.still.sha256:
            found.append(errors.Violation(f"{place}.still", "should be a still of yours, with its key and sha256"))
    if asked.HasField("approve_above_micros") and asked.approve_above_micros < 0:
        found.append(errors.Violation("options.approve_above_micros", "should not be negative"))
    if not _RESOLUTION.fullmatch(asked.resolution):
        found.append(errors.Violation("options.resolution", "should be the name of a resolution, such as 480p"))
    if found:
        raise wire.BadRequest(found)
    return planning.Options(
        remake=frozenset(asked.remake_scene_ids),
        takes=asked.takes or 1,
        scene_takes=dict(asked.scene_takes),
        auto_pick=_auto_pick(asked.auto_pick),
        keyframes={frame.scene_id: wire.media(frame.still) for frame in asked.keyframes},
        approve_above_micros=asked.approve_above_micros if asked.HasField("approve_above_micros") else None,
        leave=frozenset(asked.leave_scene_ids),
        model=asked.model,
        resolution=asked.resolution,
    )


def _auto_pick(asked: job_pb2.AutoPick.ValueType) -> domain.AutoPick:
    never = asked == job_pb2.AUTO_PICK_NEVER
    return domain.AutoPick.NEVER if never else domain.AutoPick.FIRST


def check_films(planned: Sequence[planning.Planned]) -> None:
    """Raises BadRequest when no scene is left for the film."""
    if all(one.action is domain.Action.LEAVE for one in planned):
        raise wire.BadRequest([errors.Violation("options.leave_scene_ids", "should leave a scene for the film")])


def check_model(model: str, offer: Offer) -> None:
    """Raises BadRequest when a model is named that cannot be bought here."""
    known = [one.id for one in offer]
    if model and model not in known:
        able = _either(known) if known else "empty, as no model can be bought here"
        raise wire.BadRequest([errors.Violation("options.model", f"should be {able}")])


def at(
    resolution: str, scenes: Iterable[domain.Scene], offer: Offer
) -> tuple[list[domain.Scene], dict[str, errors.Violation]]:
    """The scenes at that resolution; and what is wrong with it for scenes, by their ids, whose model has it not.

    Models that are not on offer are left to the gateway's refusal.
    """
    makes = {one.id: list(map(_shape, one.shapes)) for one in offer} if resolution else {}
    found, faults = [], {}
    for scene in scenes:
        made = sizes.alike(sizes.Size(*scene.size), makes.get(scene.model, ()))
        size = next((made[name] for name in made if name.casefold() == resolution.casefold()), None)
        found.append(_sized(scene, size) if size else scene)
        if scene.model in makes and not size:
            able = _either(made) if made else "no picture of this shape"
            why = f"{resolution}; {scene.model} makes {able}"
            faults[scene.scene_id] = errors.Violation("options.resolution", why)
    return found, faults


def check_resolution(planned: Sequence[planning.Planned], faults: Mapping[str, errors.Violation]) -> None:
    """Raises BadRequest when a scene is made that cannot be made at the resolution, each kind of fault once."""
    found = dict.fromkeys(faults[one.scene.scene_id] for one in planned if one.is_made and one.scene.scene_id in faults)
    if found:
        raise wire.BadRequest(list(found))


def differ_in_size(
    scenes: Iterable[domain.Scene], takes: Mapping[str, Sequence[domain.Take]], specs: Mapping[str, bytes]
) -> set[str]:
    """The ids of the takes that were made of what their scenes ask for in all but the size; `specs` by their ids."""
    return {
        take.id
        for scene in scenes
        for take in takes[scene.scene_id]
        if take.id in specs and _unsized(specs[take.id]) == _unsized(scene.spec)
    }


def _sized(scene: domain.Scene, size: sizes.Size) -> domain.Scene:
    spec = clip_pb2.ClipSpec.FromString(scene.spec)
    spec.size.CopyFrom(media_pb2.FrameSize(width=size.width, height=size.height))
    told = spec.SerializeToString(deterministic=True)
    return dataclasses.replace(scene, spec=told, digest=hashlib.sha256(told).hexdigest(), size=size)


def _unsized(told: bytes) -> clip_pb2.ClipSpec:
    spec = clip_pb2.ClipSpec.FromString(told)
    spec.ClearField("size")
    return spec


def _shape(of: model_pb2.Shape) -> sizes.Shape:
    return sizes.Shape(sizes.Size(of.size.width, of.size.height), of.resolution)


def _either(names: Iterable[str]) -> str:
    """Such as `480p, 720p or 1080p`."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def items(planned: Sequence[planning.Planned]) -> list[quote_pb2.QuoteItem]:
    """What has to be quoted: one clip for each scene that is made."""
    return [
        quote_pb2.QuoteItem(scene_id=one.scene.scene_id, spec=clip_pb2.ClipSpec.FromString(one.scene.spec))
        for one in planned
        if one.is_made
    ]


def most_micros(planned: Sequence[planning.Planned], quoted: Mapping[str, int]) -> int:
    """The most that all takes of a plan can cost."""
    return sum(one.count * quoted[one.scene.scene_id] for one in planned if one.is_made)


def plan(
    request: job_service_pb2.PlanProductionRequest,
    planned: Sequence[planning.Planned],
    quote: quote_pb2.Quote | None,
    digest: str,
    warnings: Sequence[str],
    left: job_pb2.TimeLeft | None,
    approval_wanted: bool,
) -> job_pb2.Plan:
    """A plan as callers see it."""
    made = [one for one in planned if one.is_made]
    quoted = wire.prices(quote, [one.scene for one in made]) if quote else {}
    currency = quote.most_you_can_pay.currency if quote else ""
    most = wire.money(most_micros(planned, quoted) if quote else None, currency)
    return job_pb2.Plan(
        storyboard_id=request.storyboard_id,
        revision=request.revision,
        digest=digest,
        scenes=[_scene(one, quoted.get(one.scene.scene_id, 0), currency) for one in planned],
        quote_id=quote.id if quote else "",
        most_you_can_pay=most,
        clips=sum(one.count for one in made),
        duration=wire.length(sum(one.count * one.scene.seconds for one in made)),
        play_money=bool(quote and quote.play_money),
        warnings=[*(quote.warnings if quote else ()), *warnings],
        approval_wanted=approval_wanted,
        time_left=left,
    )


def _scene(one: planning.Planned, quoted_micros: int, currency: str) -> job_pb2.ScenePlan:
    return job_pb2.ScenePlan(
        scene_id=one.scene.scene_id,
        scene_number=one.number,
        scene_title=one.scene.title,
        seam=clip_pb2.Seam.ValueType(one.seam),
        action=job_pb2.ScenePlan.Action.Value(f"ACTION_{one.action}"),
        reason=job_pb2.ScenePlan.Reason.Value(f"REASON_{one.reason}"),
        take_id=one.take.id if one.take else "",
        takes=one.count,
        duration=wire.length(one.scene.seconds),
        most_you_can_pay=wire.money(one.count * quoted_micros if one.is_made else None, currency),
        digest=one.scene.digest,
        digest_before=one.digest_before,
        waits=one.waits,
        model=one.scene.model,
        size=media_pb2.FrameSize(width=one.scene.size[0], height=one.scene.size[1]),
    )
