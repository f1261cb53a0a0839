"""What a step found out, and what becomes of the submission: the decisions about paid calls, without I/O or a clock."""

import dataclasses
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from services.provider_gateway import domain

HORIZON = timedelta(hours=24)
"""How long an unknown outcome is looked for before its job ends and its money goes to suspense."""

DAILY, CLOSED_AFTER = timedelta(days=7), timedelta(days=30)
"""Since the horizon it is looked for daily, then weekly; then it is closed as charged."""

WAITS_AT_MOST = timedelta(days=38)
"""How long an order waits for money or a switch before it ends unsent: for next month's budget, and a week more."""

SENT_AT_LATEST = WAITS_AT_MOST + timedelta(days=7)
"""How old an order gets that was let in and cannot be sent."""

SETTLING = timedelta(minutes=10)
"""How long after its sender saw the end of an exchange an order may still arrive at a provider."""

LOOKS = 3
"""How many lookups in a row must find nothing, over as many times the lookup's lag, to prove that nothing is there."""

MOST_GONE = 60
"""Downloads in a row that find the clip gone, where the provider does not say when it goes: about an hour of them."""

MOST_MISSES = 20
"""Polls in a row that may not find the id before it counts as lost."""

_POLL_S = (1.0, 30.0)

_RETRY_S = (1.0, 60.0)

_LOOK_S = (5.0, 600.0)

_LONGEST_WAIT = 6


def parked(before: domain.Submission, fault: domain.Fault, retry_at: datetime, now: datetime) -> domain.Submission:
    """It may not be bought now: it waits with a reason and a date, and ends when it has waited for too long."""
    if now - before.created_at >= WAITS_AT_MOST:
        return _end(before, domain.State.REJECTED, now, dataclasses.replace(fault, retryable=False), cost_micros=0)
    return _to(before, domain.State.PARKED, now, fault=fault, next_action_at=retry_at)


def given_up(before: domain.Submission, now: datetime) -> domain.Submission:
    """It was let in, and could not be sent for too long."""
    why = "Nothing could be sent to the provider for too long; nothing is charged. Check the endpoint and its key."
    return _end(before, domain.State.REJECTED, now, domain.Fault("PROVIDER_REJECTED", why), cost_micros=0)


def admitted(before: domain.Submission, now: datetime) -> domain.Submission:
    """Its money is reserved: it can be sent."""
    return _to(before, domain.State.INTENT, now, fault=None, next_action_at=now)


def accepted(before: domain.Submission, provider_job_id: str, now: datetime, wait_s: float = 0) -> domain.Submission:
    """The provider named it: ask for it from now on, first after `wait_s` seconds."""
    first = now + timedelta(seconds=wait_s)
    named = _to(before, domain.State.ACCEPTED, now, provider_job_id=provider_job_id, fault=None, next_action_at=first)
    return dataclasses.replace(named, answered_at=before.answered_at or now)


def not_sent(before: domain.Submission, now: datetime) -> domain.Submission:
    """Nothing left this machine: it is as if it had never been tried, only later."""
    return _to(
        before, domain.State.INTENT, now, tries=before.tries + 1, next_action_at=_later(now, before.tries, _RETRY_S)
    )


def answer_lost(before: domain.Submission, now: datetime, why: str = "") -> domain.Submission:
    """The sender itself saw the exchange end without a usable answer."""
    return dataclasses.replace(unknown(before, now, why), answered_at=before.answered_at or now)


def repeat_lost(before: domain.Submission, now: datetime, why: str = "") -> domain.Submission:
    """A repeat had no usable answer: what it sent may arrive as late as what was sent first.

    Nothing is learned about the first sender: it has seen the end of its exchange, or may still be sending.
    """
    return dataclasses.replace(unknown(before, now, why), answered_at=now if before.answered_at else None)


def unknown(before: domain.Submission, now: datetime, why: str = "") -> domain.Submission:
    """Nobody knows, and `why`. After the horizon the job ends and the money goes to suspense, until it is closed."""
    if before.state is domain.State.UNRESOLVED:
        return _unresolved(before, now)
    if before.state is not domain.State.UNKNOWN:
        return _to(before, domain.State.UNKNOWN, now, fault=_in_doubt(before, why), next_action_at=now)
    if now - _sent_at(before) >= HORIZON:
        why = "The provider's answer was lost and no trace was found within a day; it may be charged."
        return _to(
            before,
            domain.State.UNRESOLVED,
            now,
            fault=domain.Fault("OUTCOME_UNKNOWN", why),
            next_action_at=now + HORIZON,
        )
    return _wait(dataclasses.replace(before, fault=before.fault or _in_doubt(before, why)), now, _LOOK_S)


def _in_doubt(before: domain.Submission, why: str) -> domain.Fault:
    until = f"{_sent_at(before) + HORIZON:%Y-%m-%d %H:%M} UTC"
    means = f"It may be charged: it is looked for until {until}, and not sent again on suspicion."
    return domain.Fault("OUTCOME_UNKNOWN", f"{why or 'Its sender is gone.'} {means}")


def _unresolved(before: domain.Submission, now: datetime) -> domain.Submission:
    age = now - _sent_at(before) - HORIZON
    if age >= CLOSED_AFTER:
        return settled(before, before.reserved_micros, "no trace was found within 30 days; it counts as charged", now)
    wait = timedelta(days=1) if age < DAILY else timedelta(days=7)
    return dataclasses.replace(before, next_action_at=now + wait, updated_at=now)


def named(evidence: Iterable[domain.Evidence]) -> set[str]:
    """The provider's ids that evidence names: a person's last word decides; more than one is for a person to solve."""
    told = [one for one in evidence if one.provider_job_id and one.kind is not domain.Learned.AMBIGUOUS]
    words = [one.provider_job_id for one in told if one.kind is domain.Learned.PERSON]
    return {words[-1]} if words else {one.provider_job_id for one in told}


def is_absent(
    before: domain.Submission, evidence: Iterable[domain.Evidence], strong: bool, lag: timedelta, now: datetime
) -> bool:
    """Whether it is proven that the provider never took it: all four conditions, or it stays unknown.

    `strong` says that a lookup that finds nothing proves something there, and `lag` how late it may be. The sender must
    have seen the end of the exchange itself: a lease that ran out does not say that nobody is sending any more.
    """
    evidence = list(evidence)
    if not strong or before.answered_at is None or before.provider_job_id or any(one.is_of_a_job for one in evidence):
        return False
    settled_at = before.answered_at + SETTLING
    looks = [one.at for one in evidence if one.kind is domain.Learned.NOT_FOUND and one.at >= settled_at]
    return len(looks) >= LOOKS and max(looks) - min(looks) >= lag * LOOKS and now >= max(looks)


def absent(before: domain.Submission, now: datetime) -> domain.Submission:
    """Proven never to have been taken: nothing is charged, and it may be tried again."""
    why = "The provider never took the order, which is proven; nothing is charged."
    return _end(before, domain.State.ABSENT, now, domain.Fault("PROVIDER_REJECTED", why, retryable=True), cost_micros=0)


def settled(before: domain.Submission, charged_micros: int, note: str, now: datetime) -> domain.Submission:
    """Closed by a person's word, or by time. Raises SubmissionNotUnknown."""
    if before.state not in (domain.State.UNKNOWN, domain.State.UNRESOLVED):
        raise domain.SubmissionNotUnknown(submission_id=before.id, state=before.state)
    if not charged_micros:
        fault = domain.Fault("PROVIDER_REJECTED", f"Settled as not charged: {note}")
        return _end(before, domain.State.ABSENT, now, fault, cost_micros=0)
    fault = domain.Fault("OUTCOME_UNKNOWN", f"Settled as charged, without a clip: {note}")
    return _end(before, domain.State.PROVIDER_FAILED, now, fault, cost_micros=charged_micros)


def rejected(before: domain.Submission, message: str, retryable: bool, now: datetime) -> domain.Submission:
    """A definite refusal: nothing is charged."""
    fault = domain.Fault("PROVIDER_REJECTED", f"The provider refused it, nothing is charged: {message}", retryable)
    return _end(before, domain.State.REJECTED, now, fault, cost_micros=0, answered_at=before.answered_at or now)


def refused(before: domain.Submission, reason: str, message: str, now: datetime) -> domain.Submission:
    """We refuse it ourselves before anything is sent."""
    return _end(before, domain.State.REJECTED, now, domain.Fault(reason, message), cost_micros=0)


def pending(before: domain.Submission, after_s: float | None, now: datetime) -> domain.Submission:
    """Not done: ask again after a tenth of the time it has taken so far."""
    return dataclasses.replace(before, tries=0, next_action_at=now + _pace(before, after_s, now), updated_at=now)


def away(before: domain.Submission, now: datetime) -> domain.Submission:
    """No usable answer: ask again later; that never fails paid work."""
    return dataclasses.replace(before, next_action_at=now + _pace(before, None, now), updated_at=now)


def missing(before: domain.Submission, now: datetime) -> domain.Submission:
    """The provider does not find its own id: a passing lag at first, then a lost job."""
    if before.state is not domain.State.ACCEPTED:
        return unknown(before, now)
    if before.tries + 1 < MOST_MISSES:
        return _wait(before, now, _POLL_S)
    if before.reserved_micros == 0:
        fault = domain.Fault(
            "PROVIDER_FAILED", "The provider lost the job; it was free, so it can be made again.", True
        )
        return _end(before, domain.State.PROVIDER_FAILED, now, fault, cost_micros=0)
    return _to(before, domain.State.UNKNOWN, now, next_action_at=now)


def provider_done(
    before: domain.Submission, cost_micros: int | None, expires_at: datetime | None, now: datetime
) -> domain.Submission:
    """Made and paid: fetch it before the provider deletes it. Without a word on the price it is the quoted most."""
    cost = before.reserved_micros if cost_micros is None else cost_micros
    return _to(
        before, domain.State.PROVIDER_DONE, now, cost_micros=cost, clip_expires_at=expires_at, next_action_at=now
    )


def provider_failed(
    before: domain.Submission, message: str, retryable: bool, cost_micros: int, now: datetime
) -> domain.Submission:
    """The provider gave up, or stopped because we asked it to."""
    if before.cancel_wanted_at and cost_micros == 0:
        fault = domain.Fault("CANCELED", f"Cancelled; nothing is charged. {message}")
    else:
        fault = domain.Fault("PROVIDER_FAILED", f"The provider could not make it: {message}", retryable)
    return _end(before, domain.State.PROVIDER_FAILED, now, fault, cost_micros=cost_micros)


def stored(before: domain.Submission, clip: domain.Clip, now: datetime) -> domain.Submission:
    """Verified and kept."""
    return _end(before, domain.State.STORED, now, None, clip=clip)


def may_be_repeated(before: domain.Submission, window: timedelta, now: datetime) -> bool:
    """Whether a provider that knows an order again for so long still knows this one; with an hour to spare."""
    left = window - min(timedelta(hours=1), window / 4) - (now - first_sent_at(before))
    is_lost = before.state is domain.State.UNKNOWN and not before.provider_job_id
    # Without a window nothing is repeated, however far behind the database's clock, which `sent_at` is of, ours is.
    return is_lost and bool(window) and left > timedelta()


def fetch_failed(before: domain.Submission, why: str, is_gone: bool, now: datetime) -> domain.Submission:
    """The download failed: try again until the provider has deleted the clip.

    That it has, only the provider can say; when it cannot be asked, we go on for a while after the time it told us.
    """
    patience = timedelta() if is_gone else HORIZON
    expires_at = before.clip_expires_at
    if (expires_at and now >= expires_at + patience) or (is_gone and not expires_at and before.tries >= MOST_GONE):
        fault = domain.Fault("CLIP_EXPIRED", f"The provider deleted the paid clip before it could be fetched: {why}")
        return _end(before, domain.State.CLIP_EXPIRED, now, fault)
    later = _later(now, before.tries, _RETRY_S)
    tries = before.tries + 1 if is_gone else min(before.tries + 1, _LONGEST_WAIT)  # only what is gone counts as such
    told = domain.Fault("CLIP_NOT_FETCHED", f"It is made and paid, and cannot be downloaded yet: {why}")
    return _to(before, domain.State.PROVIDER_DONE, now, fault=told, tries=tries, next_action_at=later)


def fetch_again(before: domain.Submission, now: datetime) -> domain.Submission:
    """A person wants the paid clip now; one that was given up is tried once more. Raises SubmissionNotPaid."""
    if before.state is domain.State.CLIP_EXPIRED:
        return _to(before, domain.State.PROVIDER_DONE, now, fault=None, next_action_at=now)
    if before.state not in (domain.State.PROVIDER_DONE, domain.State.FETCHING):
        raise domain.SubmissionNotPaid(submission_id=before.id, state=before.state)
    return dataclasses.replace(before, next_action_at=now)


def canceled(before: domain.Submission, now: datetime) -> domain.Submission:
    """Cancelled before anything was sent: free. What is past that point is resolved, finished and kept."""
    if before.state not in (domain.State.PARKED, domain.State.INTENT):
        return before
    fault = domain.Fault("CANCELED", "Cancelled before anything was sent; nothing is charged.")
    return _end(before, domain.State.CANCELED_FREE, now, fault, cost_micros=0)


def first_sent_at(submission: domain.Submission) -> datetime:
    """Since when it may be with the provider."""
    return submission.doubted_from or _sent_at(submission)


def _sent_at(submission: domain.Submission) -> datetime:
    return submission.sent_at or submission.created_at


def _pace(submission: domain.Submission, after_s: float | None, now: datetime) -> timedelta:
    """Between polls; spread by the id, so that what was sent together is not asked for together."""
    least, most = _POLL_S
    wait = max(least, min(after_s or (now - _sent_at(submission)).total_seconds() * 0.1, most))
    return timedelta(seconds=wait * (0.8 + 0.4 * (zlib.crc32(submission.id.encode()) % 1024) / 1024))


def _to(before: domain.Submission, state: domain.State, now: datetime, **changes: object) -> domain.Submission:
    kept = {"tries": 0} if state is not before.state else {}
    return dataclasses.replace(before, state=state, updated_at=now, **(kept | changes))  # type: ignore[arg-type]


def _end(
    before: domain.Submission, state: domain.State, now: datetime, fault: domain.Fault | None, **changes: object
) -> domain.Submission:
    return _to(before, state, now, fault=fault, next_action_at=None, **changes)


def _wait(before: domain.Submission, now: datetime, limits: tuple[float, float]) -> domain.Submission:
    later = _later(now, before.tries, limits)
    return dataclasses.replace(before, tries=before.tries + 1, next_action_at=later, updated_at=now)


def _later(now: datetime, tries: int, limits: tuple[float, float]) -> datetime:
    least, most = limits
    return now + timedelta(seconds=min(least * 2 ** min(tries, 10), most))
