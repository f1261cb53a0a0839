"""Wires the studio: settings, channels to the services, the web server; then runs them together."""

import asyncio
from datetime import UTC, datetime

from libs import blobs, rpc, run, telemetry
from libs import settings as settings_reader
from libs import web as web_server
from services.studio import door, settings, web


async def main() -> None:
    """Run until SIGTERM."""
    told = settings_reader.load(settings.Settings)
    telemetry.setup("studio", told.log_level, told.otlp_endpoint, told.revision)
    settings_reader.announce(told)
    channels = {
        "storyboard": rpc.connect(told.storyboard_address),
        "job": rpc.connect(told.job_address),
        "provider_gateway": rpc.connect(told.provider_gateway_address),
        "compiler": rpc.connect(told.compiler_address),
    }
    app = web.build(channels, blobs.open_store(told.blobs_url), lambda: datetime.now(UTC), door.of(told))
    metrics = telemetry.serve_metrics(told.metrics_listen)
    try:
        await run.together({"web": web_server.serve(web_server.traced(app), told.listen), "loop": telemetry.watch_loop})
    finally:
        metrics.close()
        await asyncio.gather(*(channel.close() for channel in channels.values()))


if __name__ == "__main__":
    asyncio.run(main())
