"""Wires the provider gateway: settings, database, bus, vault, doors; then runs them together."""

import asyncio
import resource
import uuid
from datetime import UTC, datetime

from libs import blobs, bus, db, entrance, run, telemetry
from libs import settings as settings_reader
from services.provider_gateway import api, callbacks, catalogue, events, fetch, keyring, settings, vault, wire, works
from services.provider_gateway.providers import registry

_GRACE_S = 150.0  # longer than an order takes at most: a paid call is not cut off


def _clock() -> datetime:
    return datetime.now(UTC)


async def main() -> None:
    """Run until SIGTERM."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every key
    told = settings_reader.load(settings.Settings)
    telemetry.setup("provider_gateway", told.log_level, told.otlp_endpoint, told.revision)
    settings_reader.announce(told)
    offer = catalogue.load(told.catalogue_path, told.catalogue_overrides_path)
    safe, installed = vault.of(told.vault_keys), registry.installed(offer, told.endpoints)
    database = db.Database(told.database_url, pool=12)
    keys = keyring.Keyring(database, offer, installed, safe, registry.build, _clock, told.private_endpoints)
    fetcher = fetch.Fetcher(blobs.open_store(told.blobs_url), told.clip_max_bytes)
    addresses = callbacks.Addresses(told.public_url, told.callbacks_secret.get_secret_value())
    means = works.Means(database, offer, keys, fetcher, addresses, _clock)
    moving = works.Works(means, uuid.uuid4().hex, told.lease_s, told.most_at_once)
    limits = {wire.CURRENCY: told.budget_micros, wire.PLAY_CURRENCY: told.play_budget_micros}
    answers = api.GatewayApi(database, offer, limits, _clock, keys, safe)
    heard = events.Events(moving.admission, _clock).handlers()
    channel = await bus.Bus.connect(told.nats_url, "provider_gateway")
    served = [api.servicer(answers), moving.letters(heard)]
    front = entrance.of(told, works.operated(database, told), served, bus=channel.is_well)
    front.server.draining = answers.draining
    parts = {
        **front.parts,
        "relay": channel.relay(database, "provider_gateway"),
        "deliver": channel.deliver(database, "provider_gateway", heard),
        "loop": telemetry.watch_loop,
    }
    doors = callbacks.Door(database, keys, addresses, _clock).parts(told.callbacks_listen)
    metrics = telemetry.serve_metrics(told.metrics_listen)
    try:
        await run.together({**parts, **doors, **moving.parts()}, grace_s=_GRACE_S)
    finally:
        metrics.close()
        await asyncio.gather(channel.close(), moving.close())


if __name__ == "__main__":
    asyncio.run(main())
