"""The OpenRouter dialect, `/videos` with an answer of 202; ofox speaks it as well.

https://openrouter.ai/docs/api_reference/videos: there is no list, no cancel and no idempotency key.
"""

import asyncio
import json
import urllib.parse
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, forms, signatures

_FORM = {
    "prompt": "prompt",
    "seconds": "duration",
    "shape": "aspect_ratio",
    "side": "resolution",
    "seed": "seed",
    "audio": "generate_audio",
}
_PENDING = {"pending", "queued", "in_progress", "processing"}
_ENDED = {"failed", "cancelled", "canceled", "expired"}


class OpenRouter(providers.Provider):
    """Orders at `POST {base_url}/videos`; `base_url` ends with the version, such as `https://openrouter.ai/api/v1`."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        self._base = endpoint.base_url.rstrip("/")
        self._wire = exchange.Wire(endpoint.public_only)
        self._headers = {"Authorization": f"Bearer {endpoint.key}"}

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Order one clip: one POST."""
        try:
            body = await asyncio.to_thread(_body, order)
        except OSError as fault:
            return providers.NotSent(f"A frame cannot be read: {fault.strerror}.")
        headers = self._headers | {"Content-Type": "application/json", "X-Client-Request-Id": order.submission_id}
        call = self._wire.order("POST", f"{self._base}/videos", headers, body)
        return await exchange.order(call, self._endpoint.key)

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        url = self._job_url(provider_job_id)
        answer, job = await exchange.ask(self._wire.call("GET", url, self._headers))
        if answer.status not in (200, 202) or not isinstance(job, dict) or not isinstance(job.get("status"), str):
            return exchange.unread(answer, job, self._endpoint.key)
        return read(job, self._endpoint, exchange.retry_after(answer))

    async def check(self) -> None:
        """Read what the key may do. Raises KeyRefused, ProviderAway."""
        await exchange.check(self._wire.call("GET", f"{self._base}/key", self._headers), self._endpoint.key)

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> providers.Hint:
        """What a callback says. Raises HintInvalid."""
        signatures.openrouter(headers, body, self._endpoint.webhook_secret, now)
        job_id, event = exchange.subject(body), exchange.loaded(body)
        # Not the header X-OpenRouter-Idempotency-Key, which says the same and is not signed.
        return providers.Hint(f"{job_id}-{event.get('type')}", job_id)

    async def close(self) -> None:
        """Give the connections back."""
        await self._wire.close()

    def _job_url(self, provider_job_id: str) -> str:
        return f"{self._base}/videos/{urllib.parse.quote(provider_job_id, safe='')}"


def fields(order: providers.Order, first: str | None = None, last: str | None = None) -> dict[str, Any]:
    """The body of an order. `session_id` groups what belongs together in their log: here, one submission."""
    body = {"model": forms.model(order), **forms.fill(order, _FORM), "session_id": order.submission_id}
    frames = [
        {"type": "image_url", "image_url": {"url": url}, "frame_type": kind}
        for url, kind in ((first, "first_frame"), (last, "last_frame"))
        if url
    ]
    if frames:
        body["frame_images"] = frames
    if order.callback_url:
        body["callback_url"] = order.callback_url
    return body


def _body(order: providers.Order) -> bytes:
    return json.dumps(fields(order, forms.data_url(order.first_frame), forms.data_url(order.last_frame))).encode()


def read(
    job: dict[str, Any], endpoint: providers.Endpoint, after_s: float | None
) -> providers.Pending | providers.Done | providers.Failed:
    """What a job says of itself."""
    status, usage = job["status"].lower(), job.get("usage")
    cost = exchange.micros(usage.get("cost")) if isinstance(usage, dict) else None
    if status == "completed":
        return _done(job, endpoint, cost)
    if status in _ENDED:
        said = exchange.plain(exchange.complaint(job) or f"The provider ended the job as {status}.", endpoint.key)
        charged = None if cost is None else cost > 0
        return providers.Failed(said, charged=charged, cancelled=status.startswith("cancel"), cost_micros=cost)
    if status not in _PENDING:
        exchange.note_strange(status)
    return providers.Pending(after_s)


def _done(job: dict[str, Any], endpoint: providers.Endpoint, cost: int | None) -> providers.Done | providers.Failed:
    """The clip is at OpenRouter itself, for the key alone; `urls` are signed and open to whoever reads them."""
    for name in ("unsigned_urls", "urls"):
        urls = job.get(name)
        url = exchange.address(urls[0]) if isinstance(urls, list) and urls else None
        home = url is not None and exchange.is_at(url, endpoint)
        if url is not None and (home or name == "urls"):
            headers = {"Authorization": f"Bearer {endpoint.key}"} if home else {}
            return providers.Done(url, headers, exchange.moment(job.get("expires_at")), cost)
    return providers.Failed(
        "The provider filtered the clip: it finished without a video. Change the prompt.",
        charged=None if cost is None else cost > 0,
        cost_micros=cost,
    )
