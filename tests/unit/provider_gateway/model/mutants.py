"""Ten designs that look right and lose money, and one more: each is the protocol but for one thing."""

import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta

from services.provider_gateway import budgets, domain, lifecycle
from tests.unit.provider_gateway.model import protocol
from tests.unit.provider_gateway.model.protocol import BORN, S


class RetriesOnATimeout(protocol.Protocol):
    """No answer counts as not sent."""

    answer_lost = staticmethod(lifecycle.not_sent)


class SendsBeforeItPersists(protocol.Protocol):
    """The order is written to the wire before SENDING is committed."""

    persists_first = False


class BeginsWithoutComparing(protocol.Protocol):
    """Who has read an intent takes it, whoever has taken it since."""

    begins_once = False


class ProvesAbsenceAtOnce(protocol.Protocol):
    """Absence without the time in which an order may still arrive."""

    @staticmethod
    def is_absent(
        before: domain.Submission, seen: Iterable[domain.Evidence], strong: bool, lag: timedelta, now: datetime
    ) -> bool:
        """As if the exchange had ended long ago."""
        long_ago = before.answered_at and BORN - timedelta(days=1)
        return lifecycle.is_absent(dataclasses.replace(before, answered_at=long_ago), seen, strong, lag, now)


class BelievesSendersDead(protocol.Protocol):
    """Absence without proof that the sender cannot send any more."""

    @staticmethod
    def is_absent(
        before: domain.Submission, seen: Iterable[domain.Evidence], strong: bool, lag: timedelta, now: datetime
    ) -> bool:
        """As if every lease that ran out were a death."""
        ended = before.answered_at or BORN
        return lifecycle.is_absent(dataclasses.replace(before, answered_at=ended), seen, strong, lag, now)


class ForgetsWhatIsCancelled(protocol.Protocol):
    """A cancel ends the work, whatever was paid."""

    follows_cancelled = False


class ReleasesTheUnknown(protocol.Protocol):
    """Money comes back when the answer is lost."""

    @staticmethod
    def posting(before: domain.Submission, after: domain.Submission) -> budgets.Posting | None:
        """As if it had been refused."""
        if after.state is S.UNKNOWN and before.state is S.SENDING:
            return budgets.Posting("release", before.reserved_micros, -before.reserved_micros)
        return budgets.posting(before, after)


class LetsALibraryRetry(protocol.Protocol):
    """The provider's own library sends again by itself."""

    library_sends_once = False


class StopsLookingAtTheHorizon(protocol.Protocol):
    """What is unresolved is left to itself."""

    sweeps_unresolved = False


class DoubtsNames(protocol.Protocol):
    """A lookup that finds nothing counts for more than the provider's id."""

    believes_names = False
    named = staticmethod(lambda evidence: set[str]())

    @staticmethod
    def is_absent(
        before: domain.Submission, seen: Iterable[domain.Evidence], strong: bool, lag: timedelta, now: datetime
    ) -> bool:
        """As if nobody had named a job."""
        unnamed = [one for one in seen if not one.provider_job_id]
        return lifecycle.is_absent(dataclasses.replace(before, provider_job_id=None), unnamed, strong, lag, now)


class NotesNoRepeats(protocol.Protocol):
    """An order is sent again, and the row still says that every exchange about it has ended."""

    notes_repeats = False


DESIGNS = (
    RetriesOnATimeout,
    SendsBeforeItPersists,
    BeginsWithoutComparing,
    ProvesAbsenceAtOnce,
    BelievesSendersDead,
    ForgetsWhatIsCancelled,
    ReleasesTheUnknown,
    LetsALibraryRetry,
    StopsLookingAtTheHorizon,
    DoubtsNames,
)
