"""What can become of a paid call: the steps of the real gateway, taken at random by its own rules and its own books."""

import dataclasses
import datetime
import random
from collections.abc import Callable

from libs import db
from services.provider_gateway import claims, domain, lifecycle, recorder, store

S = domain.State
Step = Callable[[domain.Submission, datetime.datetime], domain.Submission]
_DAY = datetime.timedelta(hours=25)


def _sending(one: domain.Submission, now: datetime.datetime) -> domain.Submission:
    return dataclasses.replace(one, state=S.SENDING, updated_at=now)


def _accepted(one: domain.Submission, now: datetime.datetime) -> domain.Submission:
    return lifecycle.accepted(one, f"video_{one.id}", now)


def _rejected(retryable: bool) -> Step:
    return lambda one, now: lifecycle.rejected(one, "No.", retryable, now)


def _failed(retryable: bool, is_free: bool) -> Step:
    return lambda one, now: lifecycle.provider_failed(one, "No.", retryable, 0 if is_free else one.reserved_micros, now)


def _settled(is_free: bool) -> Step:
    return lambda one, now: lifecycle.settled(one, 0 if is_free else one.reserved_micros, "Seen.", now)


def _stored(one: domain.Submission, now: datetime.datetime) -> domain.Submission:
    def media(name: str, kind: str) -> domain.Media:
        return domain.Media(f"t/{one.tenant_id}/clips/{one.id}{name}", kind, 1200, one.id.encode().hex()[-64:])

    last_frame = media(".png", "image/png") if one.last_frame_wanted else None
    return lifecycle.stored(one, domain.Clip(media(".mp4", "video/mp4"), 4.0, 640, 360, last_frame), now)


def _expired(one: domain.Submission, now: datetime.datetime) -> domain.Submission:
    return lifecycle.fetch_failed(dataclasses.replace(one, clip_expires_at=now), "It is gone.", True, now)


STEPS: dict[domain.State, tuple[Step, ...]] = {
    S.PARKED: (lifecycle.admitted,),
    S.INTENT: (_sending,),
    S.SENDING: (_accepted, _accepted, _accepted, lifecycle.unknown, _rejected(True), _rejected(False)),
    S.UNKNOWN: (_accepted, lifecycle.absent, lambda one, now: lifecycle.unknown(one, now + _DAY), _settled(False)),
    S.UNRESOLVED: (_accepted, _settled(True), _settled(False)),
    S.ACCEPTED: (
        *(lambda one, now: lifecycle.provider_done(one, None, None, now),) * 4,
        *(_failed(True, True), _failed(False, True), _failed(True, False)),
    ),
    S.PROVIDER_DONE: (lambda one, now: dataclasses.replace(one, state=S.FETCHING, updated_at=now),),
    S.FETCHING: (
        *(_stored,) * 5,
        lambda one, now: lifecycle.fetch_failed(one, "It stumbled.", False, now),
        _expired,
    ),
}
"""What may follow each state that is not final; what stands there more often is more likely."""


def is_free(one: domain.Submission) -> bool:
    """Whether it has ended, and nothing was charged."""
    return one.state in domain.FINAL and one.cost_micros == 0


async def befall(
    gateway: db.Database, tenant: str, submission_id: str, chance: random.Random, now: datetime.datetime
) -> None:
    """One step of one submission, with its money and its news."""
    async with gateway.house() as conn:
        one = await store.lock_submission(conn, tenant, submission_id)
        if one.state in domain.FINAL:
            return
        unwanted = one.state in (S.PARKED, S.INTENT) and await store.cancelled(conn, {one.job_id})
        step = lifecycle.canceled if unwanted else chance.choice(STEPS[one.state])
        await recorder.record(conn, [claims.Change(one, step(one, now))], now)
