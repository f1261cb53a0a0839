"""The addresses of the founding documents for operators: queue, failures, and whether anybody works."""

import asyncio
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette import requests, responses

from rushes.job.v1 import job_pb2, job_service_pb2
from services.studio.rest import calls, founding, refusals

_WORKERS = ("job", "provider_gateway", "compiler")
_HEALTH_S = 1.0
_RECENT, _COUNTED = 5, 200
_NOT_RETRYABLE = "Job not found or cannot be retried"


class Ops:
    """All addresses of operators."""

    def __init__(self, services: calls.Services) -> None:
        self._services = services

    def routes(self) -> list[tuple[str, str, founding.Answers]]:
        """Method, path and what answers."""
        queue, retry = founding.door(self._queue, ""), founding.door(self._retry, _NOT_RETRYABLE)
        return [
            ("GET", "/api/admin/queue", queue),
            ("GET", "/api/admin/jobs", queue),
            ("POST", "/api/admin/queue/retry/{id}", retry),
            ("POST", "/api/admin/jobs/retry/{id}", retry),
            ("GET", "/api/health/worker", founding.door(self._worker, "")),
        ]

    async def _queue(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        by_tenant = job_service_pb2.GetQueueStatsRequest(group_by=job_service_pb2.GetQueueStatsRequest.GROUP_BY_TENANT)
        lines = (await self._services.ask("jobs.GetQueueStats", request, by_tenant)).lines
        counted = {
            name: (await self._services.ask("jobs.ListJobs", request, _in_state(state))).jobs
            for name, state in (("completed", job_pb2.Job.STATE_SUCCEEDED), ("failed", job_pb2.Job.STATE_FAILED))
        }
        waiting, active, delayed = (sum(getattr(line, it) for line in lines) for it in ("waiting", "running", "parked"))
        stats = {"waiting": waiting, "active": active, "delayed": delayed, "total": waiting + active + delayed}
        stats |= {name: len(jobs) for name, jobs in counted.items()}
        healthy = all((await self._health()).values()) and not any(line.stuck for line in lines)
        return {
            "stats": stats,
            "recentFailures": [_failure(it) for it in counted["failed"][:_RECENT]],
            "healthy": healthy,
        }

    async def _retry(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        if not path["id"].startswith("job_"):
            raise refusals.bad_request([{"parameter": "id", "detail": "should be the id of a job"}], 400)
        try:
            asked = job_service_pb2.RetryJobRequest(job_id=path["id"])
            answer = await self._services.ask("jobs.RetryJob", request, asked)
        except grpc.aio.AioRpcError as fault:
            if fault.code() is grpc.StatusCode.FAILED_PRECONDITION:
                raise refusals.Refusal(404, refusals.of(fault).reason, _NOT_RETRYABLE) from None
            raise
        return {"success": True, "message": "Job queued for retry", "jobId": answer.job.id}

    async def _worker(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        states = await self._health()
        healthy = all(states.values())
        now = self._services.clock().astimezone(UTC).isoformat(timespec="seconds")
        told = {"healthy": healthy, "workers": states, "timestamp": now}
        return responses.JSONResponse(told, 200 if healthy else 503)

    async def _health(self) -> dict[str, bool]:
        states = await asyncio.gather(*(serving(self._services.channels[name]) for name in _WORKERS))
        return dict(zip(_WORKERS, states, strict=True))


async def serving(channel: grpc.aio.Channel) -> bool:
    """Whether the service at the other end takes calls."""
    return await _said(channel, "") == health_pb2.HealthCheckResponse.SERVING


async def hears(channel: grpc.aio.Channel) -> bool:
    """Whether the service at the other end does not say that its bus is away; one that says nothing of it may hear."""
    return await _said(channel, "bus") != health_pb2.HealthCheckResponse.NOT_SERVING


async def _said(channel: grpc.aio.Channel, name: str) -> int:
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=_HEALTH_S)).status)
    except grpc.aio.AioRpcError:
        return health_pb2.HealthCheckResponse.UNKNOWN


def _in_state(state: job_pb2.Job.State.ValueType) -> job_service_pb2.ListJobsRequest:
    return job_service_pb2.ListJobsRequest(state=state, page_size=_COUNTED)


def _failure(job: job_pb2.Job) -> dict[str, Any]:
    """A failed job without its prompt: ids, and why."""
    return {
        "id": job.id,
        "data": {"productionId": job.production_id, "sceneId": job.scene_id, "model": job.spec.model},
        "failedReason": job.error.message,
        "reason": job.error.reason,
        "attemptsMade": 1,
        "timestamp": job.end_time.ToJsonString(),
    }
