"""Verbs of submissions: following paid calls, and deciding about those nobody knows the outcome of."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import audit, auth, errors, paging, rpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from rushes.provider_gateway.v1 import submission_pb2
from services.provider_gateway import admission, budgets, claims, domain, evidence, lifecycle, recorder, store, wire
from services.provider_gateway.api import desk
from services.provider_gateway.providers import exchange

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_LONGEST_NOTE = 500
_MOST_CHARGED = 1_000_000_000_000


class Calls(desk.Desk):
    """Get, list, watch, cancel, reconcile, settle, fetch; and the evidence."""

    async def GetSubmission(self, request: pb.GetSubmissionRequest, context: desk.Context) -> pb.GetSubmissionResponse:
        """One paid call."""
        return pb.GetSubmissionResponse(submission=wire.submission(await self._submission(request.submission_id)))

    async def ListSubmissions(
        self, request: pb.ListSubmissionsRequest, context: desk.Context
    ) -> pb.ListSubmissionsResponse:
        """Newest first."""
        page = paging.by_id(request.page_size, request.page_token, f"submissions {request.state} {request.job_id}")
        name = submission_pb2.Submission.State.Name(request.state).removeprefix("STATE_")
        state = domain.State(name) if request.state else None
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await store.list_submissions(conn, tenant_id, state, request.job_id, page.below, page.most)
        shown, more = page.cut(found)
        return pb.ListSubmissionsResponse(submissions=map(wire.submission, shown), next_page_token=more)

    async def WatchSubmission(
        self, request: pb.WatchSubmissionRequest, context: desk.Context
    ) -> AsyncIterator[pb.WatchSubmissionResponse]:
        """As it stands, then again after each change, until it is final."""
        seen = request.after_version
        while True:
            one = await self._submission(request.submission_id)
            if one.version > seen or (one.state in domain.FINAL and one.version != seen):
                seen = one.version
                yield pb.WatchSubmissionResponse(submission=wire.submission(one))
            if one.state in domain.FINAL:
                return
            await self._pause()

    async def CancelSubmission(
        self, request: pb.CancelSubmissionRequest, context: desk.Context
    ) -> pb.CancelSubmissionResponse:
        """Free where nothing was sent; else a wish."""
        tenant_id, one = auth.caller().tenant_id, await self._submission(request.submission_id)
        if one.state not in domain.FINAL:  # else the job may have another, which is not meant
            async with self.database.tenant(tenant_id) as conn:
                await admission.withdraw(conn, tenant_id, one.job_id, self.clock())
            log.info("cancel_asked", extra={"submission_id": one.id, "by": auth.caller().subject})
        return pb.CancelSubmissionResponse(submission=wire.submission(await self._submission(one.id)))

    async def ReconcileSubmission(
        self, request: pb.ReconcileSubmissionRequest, context: desk.Context
    ) -> pb.ReconcileSubmissionResponse:
        """Look again at once; with a provider's id, take a person's word for it."""
        caller, name = auth.caller(), request.provider_job_id.strip()
        async with self.database.tenant(caller.tenant_id) as conn:
            one = await store.lock_submission(conn, caller.tenant_id, request.submission_id)
            if one.state not in domain.UNNAMED:
                raise domain.SubmissionNotUnknown(submission_id=one.id, state=one.state)
            if name:
                _check_word(caller, one, name)
                await self._take_word(conn, one, name, f"{caller.subject}: {request.note}"[:_LONGEST_NOTE])
            await store.hurry(conn, [one.id])
            if name:
                await audit.note(conn, one.tenant_id, "submission_named", one.id, provider_job_id=name)
        log.info("submission_reconciled", extra={"submission_id": one.id, "by": caller.subject, "named": bool(name)})
        return pb.ReconcileSubmissionResponse(submission=wire.submission(await self._submission(one.id)))

    async def SettleSubmission(
        self, request: pb.SettleSubmissionRequest, context: desk.Context
    ) -> pb.SettleSubmissionResponse:
        """Close an unknown outcome by a person's word."""
        caller, now = auth.caller(), self.clock()
        async with self.database.tenant(caller.tenant_id) as conn:
            one = await store.lock_submission(conn, caller.tenant_id, request.submission_id)
            _check_settling(request, one)
            note = f"{caller.subject}: {request.note.strip()}"[:_LONGEST_NOTE]
            settled = lifecycle.settled(one, request.charged.micros, note, now)
            word = domain.Evidence(domain.Learned.PERSON, now, "", note)
            await recorder.record(conn, [claims.Change(one, settled, word)], now)
            micros, currency = request.charged.micros, one.currency
            await audit.note(
                conn, one.tenant_id, "submission_settled", one.id, charged_micros=micros, currency=currency
            )
        facts = {"submission_id": one.id, "by": caller.subject, "charged_micros": request.charged.micros}
        log.warning("submission_settled", extra=facts)
        return pb.SettleSubmissionResponse(submission=wire.submission(await self._submission(one.id)))

    async def FetchSubmission(
        self, request: pb.FetchSubmissionRequest, context: desk.Context
    ) -> pb.FetchSubmissionResponse:
        """Download a paid clip now, for free."""
        tenant_id, now = auth.caller().tenant_id, self.clock()
        async with self.database.tenant(tenant_id) as conn:
            one = await store.lock_submission(conn, tenant_id, request.submission_id)
            again = lifecycle.fetch_again(one, now)
            if one.state is domain.State.CLIP_EXPIRED:
                await recorder.record(conn, [claims.Change(one, again)], now)
            else:
                await store.hurry(conn, [one.id])
        return pb.FetchSubmissionResponse(submission=wire.submission(await self._submission(one.id)))

    async def ListEvidence(self, request: pb.ListEvidenceRequest, context: desk.Context) -> pb.ListEvidenceResponse:
        """What was learned about a paid call, oldest first."""
        one = await self._submission(request.submission_id)
        async with self.database.tenant(one.tenant_id) as conn:
            found = await evidence.about(conn, one.id)
        return pb.ListEvidenceResponse(evidence=[wire.evidence(one.id, *row) for row in found])

    async def _submission(self, submission_id: str) -> domain.Submission:
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            return await store.get_submission(conn, tenant_id, submission_id)

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self.draining.wait()
            raise rpc.ServerDraining

    async def _take_word(self, conn: AsyncConnection, one: domain.Submission, name: str, note: str) -> None:
        owners = await evidence.taken(conn, one.account, [name])
        if owners.get(name, one.id) != one.id:
            raise domain.ProviderJobTaken(provider_job_id=name)
        word = domain.Evidence(domain.Learned.PERSON, self.clock(), name, note)
        await evidence.add(conn, [evidence.Piece(one, word)])


def _check_word(caller: auth.Caller, one: domain.Submission, name: str) -> None:
    """What is bought with a key of the installation, which tenants share, only an operator names."""
    if len(name) > exchange.LONGEST_ID or not name.isprintable():
        raise wire.BadRequest([errors.Violation("provider_job_id", "should be the id that the provider shows")])
    if one.account.startswith("endpoint:") and budgets.OPERATOR not in caller.roles:
        raise budgets.OperatorNeeded


def _check_settling(request: pb.SettleSubmissionRequest, one: domain.Submission) -> None:
    found = []
    if not request.note.strip():
        found.append(errors.Violation("note", "should say how it is known, for the record"))
    if request.charged.micros > _MOST_CHARGED:
        found.append(errors.Violation("charged.micros", "is more than any clip costs"))
    if request.charged.micros < 0:
        found.append(errors.Violation("charged.micros", "should not be negative"))
    if request.charged.micros and request.charged.currency != one.currency:
        found.append(errors.Violation("charged.currency", f"should be {one.currency}, as it was quoted"))
    if found:
        raise wire.BadRequest(found)
