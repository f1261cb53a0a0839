"""JobService: one method per RPC, in a room for each noun."""

from rushes.job.v1 import job_service_pb2_grpc
from services.job.api import costs, jobs, planner, productions, takes, watches


class JobApi(
    planner.Planner,
    productions.Productions,
    jobs.Jobs,
    takes.Takes,
    watches.Watches,
    costs.Costs,
    job_service_pb2_grpc.JobServiceServicer,
):
    """Answers callers."""
