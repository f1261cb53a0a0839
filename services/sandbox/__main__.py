"""Puts the sandbox together and runs it."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

from libs import errors, run, settings, telemetry
from libs import web as web_server
from services.sandbox import lab as labs
from services.sandbox import ledger, pool, web, webhooks
from services.sandbox import settings as sandbox_settings

log = logging.getLogger("services.sandbox")


def _now() -> datetime:
    return datetime.now(UTC)


async def main() -> None:
    """Run until told to stop."""
    config = settings.load(sandbox_settings.Settings)
    telemetry.setup("sandbox", config.log_level, config.otlp_endpoint, config.revision)
    settings.announce(config)
    config.sandbox_home.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as closing:
        books = ledger.Ledger(config.sandbox_home)
        closing.callback(books.close)
        workers = pool.Pool(config.sandbox_home / "references", config.sandbox_home / "clips")
        closing.callback(workers.close)
        sender = webhooks.Sender(web.WEBHOOKS, _now)
        lab = labs.Lab(config.sandbox_home, books, workers.develop, pool.WORKERS, _now, config.sandbox_latency, sender)
        if config.sandbox_instant:
            lab.use_stock(await workers.develop(labs.STOCK.model, labs.STOCK))
        lab.reopen()
        closing.callback(telemetry.serve_metrics(config.metrics_listen).close)
        log.info("sandbox_ready", extra={"listen": config.listen, "instant": config.sandbox_instant})
        parts = {"http": web_server.serve(web.app(lab), config.listen), "lab": lab.run, "loop": telemetry.watch_loop}
        await run.together(parts)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (errors.Error, OSError) as fault:
        raise SystemExit(str(fault)) from None
