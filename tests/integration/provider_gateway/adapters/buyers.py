"""Someone who buys in one dialect and looks into the sandbox's ledger."""

import asyncio
import dataclasses
import datetime
import hashlib
import json
import secrets
from typing import Any

from services.provider_gateway import providers
from tests.integration.provider_gateway.adapters import dialects


@dataclasses.dataclass
class Buyer:
    """An adapter with a key of its own, which may ask the sandbox for disasters, and what the sandbox noted of it."""

    dialect: dialects.Dialect
    seller: providers.Provider
    reel: Any
    key: str

    def order(self, prompt: str = "", **changes: Any) -> providers.Order:
        """An order like no other."""
        return order(self.dialect, prompt, **changes)

    async def bought(self, order: providers.Order) -> str:
        """The id of the job that an order has become."""
        outcome = await self.seller.create(order)
        assert isinstance(outcome, providers.Accepted), outcome
        return outcome.provider_job_id

    async def ended(self, job_id: str) -> providers.PollOutcome:
        """What becomes of a job."""
        async with asyncio.timeout(15):
            while isinstance(outcome := await self.seller.poll(job_id), providers.Pending):  # noqa: ASYNC110, HTTP tells
                await asyncio.sleep(0.05)
            return outcome

    async def found(self, order: providers.Order) -> list[str]:
        """The jobs that can be this order, which was sent within the last two minutes."""
        now, span = datetime.datetime.now(datetime.UTC), datetime.timedelta(minutes=2)
        return sorted(await self.seller.find(order, now - span, now + span))

    def lines(self, event: str, *orders: providers.Order) -> list[dict[str, Any]]:
        """What the ledger has about these orders."""
        lines: list[dict[str, Any]] = self.reel.lines(event, [order.submission_id for order in orders])
        return lines

    def everything(self) -> list[dict[str, Any]]:
        """What the ledger has about the key."""
        sha256 = hashlib.sha256(self.key.encode()).hexdigest()
        lines = map(json.loads, (self.reel.home / "ledger.jsonl").read_text().splitlines())
        return [line for line in lines if line["key_sha256"] == sha256]


def order(dialect: dialects.Dialect, prompt: str = "", **changes: Any) -> providers.Order:
    """Four seconds of 720p, which every dialect sells, under a name and with a prompt of its own."""
    facts: dict[str, Any] = {
        "submission_id": f"sub_{secrets.token_hex(8)}",
        "wire_model": dialect.model,
        "prompt": f"{prompt} A lighthouse at dusk, number {secrets.token_hex(4)}.".strip(),
        "negative_prompt": "",
        "seconds": 4,
        "width": 1280,
        "height": 720,
        "seed": 7,
        "audio": True,
    }
    return providers.Order(**facts | changes)
