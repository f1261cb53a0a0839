"""JobService: one method per RPC, in a room for each noun."""

from rushes.job.v1 import job_service_pb2_grpc
from services.job.api import costs, history, jobs, planner, productions, queues, takes, watches


class JobApi(
    planner.Planner,
    productions.Productions,
    jobs.Jobs,
    takes.Takes,
    watches.Watches,
    costs.Costs,
    history.History,
    queues.Queues,
    job_service_pb2_grpc.JobServiceServicer,
):
    """Answers callers."""
