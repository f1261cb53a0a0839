"""The verb that tells what happened to a job."""

from libs import auth, moments, paging
from rushes.job.v1 import job_history_pb2, job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from services.job import domain, history, store
from services.job.api import desk


class History(desk.Desk):
    """List."""

    async def ListJobHistory(
        self, request: pb.ListJobHistoryRequest, context: desk.Context
    ) -> pb.ListJobHistoryResponse:
        """Oldest first."""
        bound, tenant_id = f"history {request.job_id}", auth.caller().tenant_id
        size = paging.page_size(request.page_size)
        (after,) = paging.decode(request.page_token, bound) if request.page_token else (0,)
        async with self.database.tenant(tenant_id) as conn:
            if not await store.find_jobs(conn, tenant_id, [request.job_id]):
                raise domain.JobNotFound(job_id=request.job_id)
            found = await history.of(conn, tenant_id, request.job_id, after, size + 1)
        more = paging.encode([found[size - 1].id], bound) if len(found) > size else ""
        return pb.ListJobHistoryResponse(changes=map(_change, found[:size]), next_page_token=more)


def _change(one: history.Change) -> job_history_pb2.JobChange:
    return job_history_pb2.JobChange(
        version=one.version,
        change_time=moments.stamp(one.at),
        state_before=job_pb2.Job.State.Value(f"STATE_{one.state_before}"),
        state=job_pb2.Job.State.Value(f"STATE_{one.state}"),
        attempt=one.attempt,
        submission_state=one.submission_state,
        hold=one.hold,
        reason=one.reason,
    )
