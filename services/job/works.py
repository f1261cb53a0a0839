"""The job service besides JobService, put together: webhooks and what sends them, and dead letters."""

from collections.abc import Callable, Mapping
from datetime import datetime

from libs import backlog, db, dead_letters, rpc, run
from rushes.job.v1 import webhook_service_pb2_grpc
from services.job import events, gauges, settings, stakes, webhook_sender, webhooks
from services.job.api import webhooks as webhook_api

_SWEEP_EVERY_S = 3600.0
_MEASURE_EVERY_S = 15.0


class Works:
    """Needs a running event loop."""

    def __init__(self, database: db.Database, told: settings.Settings, clock: Callable[[], datetime]) -> None:
        self._database, keys = database, told.webhook_keys
        known = {name: key.get_secret_value() for name, key in keys.keys.items()} if keys else {}
        self._keys = webhooks.Keys(known, keys.current if keys else "")
        self._gauges = gauges.Gauges(database, clock)
        self._post = webhook_sender.Post(told.webhooks_private)
        self._sender = webhook_sender.Sender(database, self._post, self._keys, clock)
        self._api = webhook_api.WebhookApi(database, self._sender, self._keys, clock, told.webhooks_private)

    def servicers(self) -> list[rpc.Servicer]:
        """The services they are seen through."""
        add = webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server
        hooks = rpc.Servicer(add, self._api, "rushes.job.v1.WebhookService")
        return [hooks, dead_letters.servicer(self._database, events.HANDLERS, stakes.of)]

    def parts(self) -> Mapping[str, run.Part]:
        """Everything that time moves."""
        return {
            "measure": run.every("measure", _MEASURE_EVERY_S, self._gauges.look),
            "backlog": backlog.watch(self._database),
            "webhooks": self._sender.run,
            "webhook_sweep": run.every("webhook_sweep", _SWEEP_EVERY_S, self._sender.sweep),
        }

    async def close(self) -> None:
        """Give the connections back."""
        await self._post.close()
