"""Wires the compiler: settings, database, bus, media store, doors; then runs them together."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from libs import blobs, bus, db, dead_letters, entrance, operating, rpc, run, telemetry
from libs import settings as settings_reader
from rushes.compiler.v1 import compiler_service_pb2_grpc
from services.compiler import api, events, extraction, settings, sharing, stuck, ticks, uploads, workshop


def clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


async def main() -> None:
    """Run until SIGTERM."""
    told = settings_reader.load(settings.Settings)
    telemetry.setup("compiler", told.log_level, told.otlp_endpoint, told.revision)
    settings_reader.announce(told)
    database = db.Database(told.database_url)
    channel = await bus.Bus.connect(told.nats_url, "compiler")
    files = blobs.open_store(told.blobs_url)
    # A name of its own for each start: a restarted process must not take its dead self's leases for its own.
    shop = workshop.fitted_out(database, files, clock, uuid.uuid4().hex, told)
    kept = timedelta(seconds=told.segments_kept_s)
    compiling = ticks.Compiling(shop, told.compiler_workers, kept, told.segments_bytes)
    compiler_api = api.CompilerApi(shop)
    servicer = rpc.Servicer(
        compiler_service_pb2_grpc.add_CompilerServiceServicer_to_server,
        compiler_api,
        "rushes.compiler.v1.CompilerService",
        deadlines=uploads.DEADLINES_S | extraction.DEADLINES_S,
    )
    servicers = [servicer, sharing.servicer(shop), dead_letters.servicer(database, events.HANDLERS)]
    front = entrance.of(told, operating.Means("compiler", database, told, stuck.of), servicers, bus=channel.is_well)
    compiler_api.draining = front.server.draining
    metrics = telemetry.serve_metrics(told.metrics_listen)
    try:
        await run.together(
            {
                **front.parts,
                "relay": channel.relay(database, "compiler"),
                "deliver": channel.deliver(database, "compiler", events.HANDLERS),
                "cut": compiling.run,
                "loop": telemetry.watch_loop,
            }
        )
    finally:
        metrics.close()
        await channel.close()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
