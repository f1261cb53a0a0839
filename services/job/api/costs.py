"""The verb that adds up what things cost."""

from libs import auth
from rushes.job.v1 import job_service_pb2 as pb
from services.job import costs, wire
from services.job.api import desk


class Costs(desk.Desk):
    """Get."""

    async def GetCosts(self, request: pb.GetCostsRequest, context: desk.Context) -> pb.GetCostsResponse:
        """What jobs were quoted, were charged and hold."""
        name = pb.GetCostsRequest.GroupBy.Name(request.group_by or pb.GetCostsRequest.GROUP_BY_TENANT)
        by = costs.GroupBy(name.removeprefix("GROUP_BY_"))
        since, until = wire.between(request)
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await costs.lines(conn, tenant_id, by, request.storyboard_id, request.production_id, since, until)
        return pb.GetCostsResponse(costs=[_line(one) for one in found])


def _line(one: costs.Line) -> pb.Cost:
    return pb.Cost(
        key=one.key,
        title=one.title,
        jobs=one.jobs,
        quoted=wire.money(one.quoted, one.currency),
        spent=wire.money(one.spent, one.currency),
        held=wire.money(one.held, one.currency),
        suspense=wire.money(one.suspense, one.currency),
    )
