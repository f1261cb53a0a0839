"""Plans between protobuf and the domain; checks requests, does no I/O."""

from collections.abc import Mapping, Sequence

from libs import errors
from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import quote_pb2
from rushes.type.v1 import clip_pb2
from services.job import domain, planning, wire

MOST_TAKES = 10


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
    )


def _auto_pick(asked: job_pb2.AutoPick.ValueType) -> domain.AutoPick:
    never = asked == job_pb2.AUTO_PICK_NEVER
    return domain.AutoPick.NEVER if never else domain.AutoPick.FIRST


def check_films(planned: Sequence[planning.Planned]) -> None:
    """Raises BadRequest when no scene is left for the film."""
    if all(one.action is domain.Action.LEAVE for one in planned):
        raise wire.BadRequest([errors.Violation("options.leave_scene_ids", "should leave a scene for the film")])


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
    )
