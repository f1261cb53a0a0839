"""Wires the provider gateway: settings, database, bus, providers, doors; then runs them together."""

import asyncio
import uuid
from datetime import UTC, datetime

from libs import auth, blobs, bus, db, rpc, run, telemetry
from libs import settings as settings_reader
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc
from services.provider_gateway import api, catalogue, events, fetch, settings, ticks, wire
from services.provider_gateway.providers import registry

_GRACE_S = 150.0  # longer than an order takes at most: a paid call is not cut off


async def main() -> None:
    """Run until SIGTERM."""
    told = settings_reader.load(settings.Settings)
    telemetry.setup("provider_gateway", told.log_level, told.otlp_endpoint)
    offer = catalogue.load(told.catalogue_path)
    sellers = registry.sellers(
        offer, {name: (one.base_url, one.key.get_secret_value()) for name, one in told.endpoints.items()}
    )
    database = db.Database(told.database_url, pool=12)
    channel = await bus.Bus.connect(told.nats_url, "provider_gateway")
    fetcher = fetch.Fetcher(blobs.open_store(told.blobs_url), told.clip_max_bytes)

    def clock() -> datetime:
        return datetime.now(UTC)

    # A name of its own for each start: a restarted process must not take its dead self's leases for its own.
    driver = ticks.Driver(database, sellers, fetcher, clock, uuid.uuid4().hex, told.lease_s, told.most_at_once)
    limits = {wire.CURRENCY: told.budget_micros, wire.PLAY_CURRENCY: told.play_budget_micros}
    servicer = rpc.Servicer(
        provider_gateway_service_pb2_grpc.add_ProviderGatewayServiceServicer_to_server,
        api.GatewayApi(database, offer, frozenset(sellers), limits, clock),
        "rushes.provider_gateway.v1.ProviderGatewayService",
    )
    verifier = auth.Verifier(told.auth_jwks_url, told.auth_issuer, told.auth_audience)
    server = rpc.Server(told.listen, "provider_gateway", [servicer], verifier, database.answers, told.reflection)
    heard = events.Events(offer, frozenset(sellers), clock)
    metrics = telemetry.serve_metrics(told.metrics_listen)
    try:
        await run.together(
            {
                "rpc": server.run,
                "relay": channel.relay(database, "provider_gateway"),
                "deliver": channel.deliver(database, "provider_gateway", heard.handlers()),
                "drive": driver.run,
                "loop": telemetry.watch_loop,
            },
            grace_s=_GRACE_S,
        )
    finally:
        metrics.close()
        await asyncio.gather(channel.close(), database.close(), fetcher.close(), *(s.close() for s in sellers.values()))


if __name__ == "__main__":
    asyncio.run(main())
