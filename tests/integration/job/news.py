"""What the gateway and the compiler say, as the job service hears it."""

import datetime

from google.protobuf import duration_pb2, timestamp_pb2

from rushes.compiler.v1 import events_pb2 as compiler_pb
from rushes.provider_gateway.v1 import events_pb2 as gateway_pb
from rushes.provider_gateway.v1 import submission_pb2
from rushes.type.v1 import media_pb2, money_pb2

NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
COST = 400_000
TRACE = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


def at(moment=NOW):
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def blob(name, sha256="ab" * 32):
    kind = "image/png" if name.endswith(".png") else "video/mp4"
    return media_pb2.Blob(key=f"t/acme/clips/{name}", content_type=kind, size_bytes=1200, sha256=sha256)


def stored(job, attempt=1, sha256="ab" * 32):
    """The clip is there, with its last frame if that was wanted."""
    return gateway_pb.ClipStored(
        **whose(job, attempt),
        clip=blob(f"{job.id}.mp4"),
        duration=duration_pb2.Duration(seconds=4, nanos=41_666_667),
        size=media_pb2.FrameSize(width=640, height=360),
        last_frame=blob(f"{job.id}.last.png", sha256) if job.last_frame_wanted else None,
        cost=money_pb2.Money(currency="XTS", micros=COST),
        event_time=at(),
    )


def failed(job, attempt=1, retryable=False, cost=0, **more):
    """The call ended without a clip; a cost of None is not known."""
    return gateway_pb.SubmissionFailed(
        **whose(job, attempt) | more,
        state=submission_pb2.Submission.STATE_PROVIDER_FAILED,
        reason="PROVIDER_FAILED",
        message="The provider could not make it.",
        retryable=retryable,
        cost=None if cost is None else money_pb2.Money(currency="XTS", micros=cost),
        event_time=at(),
    )


def moved(job, state="ACCEPTED", version=3, attempt=1, **more):
    return gateway_pb.SubmissionStateChanged(
        **whose(job, attempt) | more,
        state=submission_pb2.Submission.State.Value(f"STATE_{state}"),
        version=version,
        event_time=at(),
    )


def parked(job, reason="BUDGET_EXCEEDED", version=1, attempt=1):
    """It waits for money, or a switch, until an hour from now."""
    until = at(NOW + datetime.timedelta(hours=1))
    return moved(job, "PARKED", version, attempt, reason=reason, message="Raise it.", retry_time=until)


def whose(job, attempt):
    submission_id = f"sub_{job.id}_{attempt}"
    known_by = {"submission_id": submission_id, "account": "endpoint:sandbox-openai"}
    return {"tenant_id": job.tenant_id, "job_id": job.id, "attempt": attempt} | known_by


def film_progressed(production_id, progress, tenant="acme"):
    return compiler_pb.FilmProgressed(progress=progress, **of_film(production_id, tenant))


def film_completed(production_id, tenant="acme"):
    return compiler_pb.FilmCompleted(frames=96, **of_film(production_id, tenant))


def film_failed(production_id, tenant="acme"):
    words = {"reason": "CLIP_UNREADABLE", "message": "The clip of scene 2 cannot be read."}
    return compiler_pb.FilmFailed(**words, **of_film(production_id, tenant))


def of_film(production_id, tenant):
    return {"tenant_id": tenant, "film_id": "film_1", "production_id": production_id, "event_time": at()}
