"""Wires the job service: settings, database, bus, doors; then runs them together."""

import asyncio
from datetime import UTC, datetime

from libs import bus, db, entrance, operating, rpc, run, telemetry
from libs import settings as settings_reader
from rushes.job.v1 import job_service_pb2_grpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc
from rushes.storyboard.v1 import storyboard_service_pb2_grpc
from services.job import api, events, settings, stuck, works


def clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


async def main() -> None:
    """Run until SIGTERM."""
    told = settings_reader.load(settings.Settings)
    telemetry.setup("job", told.log_level, told.otlp_endpoint, told.revision)
    settings_reader.announce(told)
    database = db.Database(told.database_url)
    channel = await bus.Bus.connect(told.nats_url, "job")
    encrypted = rpc.tls_of(told)
    job_api = api.JobApi(
        database,
        storyboard_service_pb2_grpc.StoryboardServiceStub(rpc.connect(told.storyboard_address, encrypted)),
        provider_gateway_service_pb2_grpc.ProviderGatewayServiceStub(
            rpc.connect(told.provider_gateway_address, encrypted)
        ),
        clock,
        approve_above_micros=told.approve_above_micros,
    )
    servicer = rpc.Servicer(job_service_pb2_grpc.add_JobServiceServicer_to_server, job_api, "rushes.job.v1.JobService")
    moving = works.Works(database, told, clock)
    means = operating.Means("job", database, told, stuck.of)
    front = entrance.of(told, means, [servicer, *moving.servicers()], bus=channel.is_well)
    front.server.draining = job_api.draining
    metrics = telemetry.serve_metrics(told.metrics_listen)
    try:
        await run.together(
            {
                **front.parts,
                "relay": channel.relay(database, "job"),
                "deliver": channel.deliver(database, "job", events.HANDLERS),
                "loop": telemetry.watch_loop,
                **moving.parts(),
            }
        )
    finally:
        metrics.close()
        await moving.close()
        await channel.close()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
