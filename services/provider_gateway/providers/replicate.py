"""The Replicate dialect: predictions of official models, https://replicate.com/docs/reference/http.

Each model has its own input, and everything of a prediction is deleted an hour after its end.
"""

import asyncio
import json
import re
import urllib.parse
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, forms, signatures

_FORM = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "seconds": "duration",
    "shape": "aspect_ratio",
    "side": "resolution",
    "seed": "seed",
    "audio": "generate_audio",
    "first_frame": "image",
    "last_frame": "last_frame_image",
}
_PENDING = {"starting", "processing"}
_PASSING = re.compile(r"\(code: PA\)|\(E(8765|9828)\)")
"""The codes of "Prediction interrupted; please retry" and "Director: unexpected error"; they stand in the message."""
_MOST_BYTES = 6_000_000
"""Larger orders are taken, and then interrupted without a reason, as others have seen; uploads would need its files."""
_PAGES = 20


class Replicate(providers.Provider):
    """Orders at `POST {base_url}/models/{owner}/{name}/predictions`; `base_url` ends with the version, `/v1`."""

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
        if len(body) > _MOST_BYTES:
            return providers.Rejected(
                "The frames are too large for Replicate: take pictures of less than 4 MB together."
            )
        url = f"{self._base}/models/{urllib.parse.quote(forms.model(order))}/predictions"
        headers = self._headers | {"Content-Type": "application/json", "X-Client-Request-Id": order.submission_id}
        return await exchange.order(self._wire.order("POST", url, headers, body), self._endpoint.key)

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        answer, job = await self._call("GET", self._job_url(provider_job_id))
        if answer.status != 200 or not _is_job(job):
            return exchange.unread(answer, job, self._endpoint.key)
        return read(job, self._endpoint, exchange.retry_after(answer))

    async def poll_many(self, provider_job_ids: Collection[str]) -> Mapping[str, providers.PollOutcome]:
        """Read the list, newest first, as far as is worth it. Raises ProviderAway."""
        wanted, known = set(provider_job_ids), dict[str, providers.PollOutcome]()
        url = f"{self._base}/predictions"
        for _ in range(_PAGES):
            jobs, more = await self._page(url)
            known |= {job["id"]: read(job, self._endpoint, None) for job in jobs if job["id"] in wanted}
            if more is None or len(known) == len(wanted):
                break
            url = more
        return known

    async def find(self, order: providers.Order, since: datetime, until: datetime) -> Collection[str]:
        """The predictions that can be this order: made in this span, for its callback, or else with its input.

        Raises ProviderAway.
        """
        span = urllib.parse.urlencode({"created_after": since.isoformat(), "created_before": until.isoformat()})
        url, found = f"{self._base}/predictions?{span}", list[str]()
        for _ in range(_PAGES):
            jobs, more = await self._page(url)
            found += [job["id"] for job in jobs if can_be(job, order, since, until)]
            if more is None:
                return found
            url = more
        raise providers.ProviderAway(f"The list of this span has more than {_PAGES} pages.")

    async def _page(self, url: str) -> tuple[list[dict[str, Any]], str | None]:
        answer, page = await self._call("GET", url)
        listed = page.get("results") if isinstance(page, dict) and answer.status == 200 else None
        if not isinstance(listed, list):
            raise exchange.away(answer, page, self._endpoint.key)
        if (more := page.get("next")) and not str(more).startswith(f"{self._base}/predictions?"):
            raise providers.ProviderAway("The list goes on at another address.")
        return [job for job in listed if _is_job(job)], more or None

    async def cancel(self, provider_job_id: str) -> None:
        """Ask once to stop. Raises ProviderAway."""
        answer, job = await self._call("POST", f"{self._job_url(provider_job_id)}/cancel")
        if not answer.is_success and answer.status != 404:
            raise exchange.away(answer, job, self._endpoint.key)

    async def check(self) -> None:
        """Ask whose key it is. Raises KeyRefused, ProviderAway."""
        await exchange.check(self._wire.call("GET", f"{self._base}/account", self._headers), self._endpoint.key)

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> providers.Hint:
        """What a callback says: it holds the prediction. Raises HintInvalid."""
        event_id = signatures.standard(headers, body, self._endpoint.webhook_secret, now)
        job = exchange.loaded(body)
        if not _is_job(job):
            raise providers.HintInvalid("It does not name a prediction.")
        return providers.Hint(event_id, job["id"])

    async def close(self) -> None:
        """Give the connections back."""
        await self._wire.close()

    async def _call(self, method: str, url: str) -> tuple[exchange.Answer, Any]:
        return await exchange.ask(self._wire.call(method, url, self._headers))

    def _job_url(self, provider_job_id: str) -> str:
        return f"{self._base}/predictions/{urllib.parse.quote(provider_job_id, safe='')}"


def fields(order: providers.Order, first: str | None = None, last: str | None = None) -> dict[str, Any]:
    """The body of an order."""
    body: dict[str, Any] = {"input": forms.fill(order, _FORM, first, last)}
    if order.callback_url:
        body |= {"webhook": order.callback_url, "webhook_events_filter": ["completed"]}
    return body


def _body(order: providers.Order) -> bytes:
    return json.dumps(fields(order, forms.data_url(order.first_frame), forms.data_url(order.last_frame))).encode()


def can_be(job: dict[str, Any], order: providers.Order, since: datetime, until: datetime) -> bool:
    """Whether a prediction of a list can be this order; its input is gone an hour after its end."""
    made = exchange.moment(job.get("created_at"))
    if job.get("model") != forms.model(order) or made is None or not since <= made <= until:
        return False
    if job.get("webhook") and order.callback_url:
        return bool(job["webhook"] == order.callback_url)
    return forms.same(order, _FORM, job.get("input"))


def _is_job(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("id"), str) and isinstance(body.get("status"), str)


def read(
    job: dict[str, Any], endpoint: providers.Endpoint, after_s: float | None
) -> providers.Pending | providers.Done | providers.Failed:
    """What a prediction says of itself."""
    status = job["status"].lower()
    if status == "succeeded":
        return _done(job, endpoint)
    if status == "failed":
        said = exchange.plain(exchange.complaint(job) or "The provider does not say why.", endpoint.key)
        return providers.Failed(said, retryable=_PASSING.search(said) is not None)
    if status in ("canceled", "cancelled"):
        return providers.Failed("The provider cancelled the job.", cancelled=True)
    if status == "aborted":
        return providers.Failed("The provider ended the job before it began.", retryable=True, charged=False)
    if status not in _PENDING:
        exchange.note_strange(status)
    return providers.Pending(after_s)


def _done(job: dict[str, Any], endpoint: providers.Endpoint) -> providers.Done | providers.Failed:
    output = job.get("output")
    url = exchange.address(output[0] if isinstance(output, list) and output else output)
    if url is not None:
        home = exchange.is_at(url, endpoint)
        return providers.Done(url, {"Authorization": f"Bearer {endpoint.key}"} if home else {})
    if job.get("data_removed"):
        return providers.Failed("The provider has deleted the clip, an hour after its end.", charged=True)
    return providers.Failed("The provider filtered the clip: it finished without a video. Change the prompt.")
