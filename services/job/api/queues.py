"""The verb that counts what waits and runs, and what has just ended."""

from libs import auth, dead_letters, moments
from rushes.job.v1 import job_service_pb2 as pb
from rushes.job.v1 import queue_pb2
from services.job import queues, wire
from services.job.api import desk


class Queues(desk.Desk):
    """Get."""

    async def GetQueueStats(self, request: pb.GetQueueStatsRequest, context: desk.Context) -> pb.GetQueueStatsResponse:
        """Of the tenant, or of the house for an operator."""
        someone = auth.caller()
        if request.every_tenant and dead_letters.OPERATOR not in someone.roles:
            raise queues.OperatorNeeded
        kinds = pb.GetQueueStatsRequest
        name = kinds.GroupBy.Name(request.group_by or kinds.GROUP_BY_MODEL)
        by = queues.GroupBy(name.removeprefix("GROUP_BY_"))
        scope = self.database.house() if request.every_tenant else self.database.tenant(someone.tenant_id)
        async with scope as conn:
            tenant_id = None if request.every_tenant else someone.tenant_id
            found = await queues.lines(conn, tenant_id, by, self.clock())
        return pb.GetQueueStatsResponse(lines=map(_line, found))


def _line(one: queues.Line) -> queue_pb2.QueueLine:
    return queue_pb2.QueueLine(
        key=one.key,
        waiting=one.waiting,
        parked=one.parked,
        running=one.running,
        oldest_waiting_time=moments.stamp(one.oldest_waiting),
        oldest_running_time=moments.stamp(one.oldest_running),
        stuck=one.stuck,
        succeeded=one.succeeded,
        failed=one.failed,
        p50=wire.length(one.p50_s) if one.p50_s is not None else None,
        p95=wire.length(one.p95_s) if one.p95_s is not None else None,
        failures=[queue_pb2.FailureCount(reason=reason, jobs=jobs) for reason, jobs in one.failures],
    )
