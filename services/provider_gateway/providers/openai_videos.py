"""The OpenAI Videos dialect, `/v1/videos`, as vLLM-Omni, SGLang, LiteLLM and resellers speak it.

None of them copies the others faithfully, so only an id and a status are relied on.
"""

import asyncio
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import openai

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange

_PENDING = {"queued", "pending", "submitted", "in_progress", "processing", "running"}
_DONE = {"completed", "succeeded", "success", "done"}
_BAD = {"failed", "error"}
_ENDED = {"cancelled", "canceled", "expired", "deleted"}
_PASSING = {"server_error", "internal_error", "internal", "unavailable", "service_unavailable", "overloaded", "timeout"}
_LATEST = 32_503_680_000
"""The year 3000: a larger time is in milliseconds."""


class OpenAIVideos:
    """Orders at `POST {base_url}/videos`; `base_url` ends with the version, such as `http://127.0.0.1:8000/v1`."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        self._sdk = openai.AsyncOpenAI(
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            http_client=exchange.client(),
        )
        self._sdk.organization = self._sdk.project = None  # else those of the environment go to every endpoint

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Order one clip: one multipart POST."""
        try:
            picture = await asyncio.to_thread(_picture, order.first_frame) if order.first_frame else None
        except OSError as fault:
            return providers.NotSent(f"The first frame cannot be read: {fault.strerror}.")
        return await exchange.order(self._post(order, picture), self._endpoint.key, self._done_already)

    async def _post(self, order: providers.Order, picture: tuple[str, bytes, str] | None) -> httpx2.Response:
        headers = {"Content-Type": "multipart/form-data", "X-Client-Request-Id": order.submission_id}
        if self.capabilities.idempotent:
            headers["Idempotency-Key"] = order.submission_id
        return await self._sdk.post(
            "/videos",
            cast_to=httpx2.Response,
            body=fields(order),
            files={"input_reference": picture} if picture else None,
            options={"headers": headers},
        )

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        path = _path(provider_job_id)
        response, body = await exchange.ask(self._sdk.get(path, cast_to=httpx2.Response), self._endpoint.key)
        # vLLM-Omni answers for a failed job with the status of the error, and the job as the body.
        if not isinstance(body, dict) or not (body.get("object") == "video" or (response.is_success and "id" in body)):
            return exchange.unread(response, body, self._endpoint.key)
        return read(body, self._endpoint, self._job_url(provider_job_id), exchange.poll_after(response))

    def _done_already(self, provider_job_id: str, job: dict[str, Any]) -> providers.Done | None:
        outcome = read(job, self._endpoint, self._job_url(provider_job_id), None)
        return outcome if isinstance(outcome, providers.Done) else None

    def _job_url(self, provider_job_id: str) -> str:
        return self._endpoint.base_url.rstrip("/") + _path(provider_job_id)

    async def close(self) -> None:
        """Give the connections back."""
        await self._sdk.close()


def fields(order: providers.Order) -> dict[str, str]:
    """The form of an order: texts only, which is what every server takes; what few know is sent only when asked for."""
    form = {
        "model": order.wire_model,
        "prompt": order.prompt,
        "seconds": str(order.seconds),
        "size": f"{order.width}x{order.height}",
    }
    if order.negative_prompt:
        form["negative_prompt"] = order.negative_prompt
    if order.seed is not None:
        form["seed"] = str(order.seed)
    if not order.audio:
        form["generate_sound"] = "false"
    return form


def _path(provider_job_id: str) -> str:
    return f"/videos/{urllib.parse.quote(provider_job_id, safe='')}"


def _picture(path: Path) -> tuple[str, bytes, str]:
    content = path.read_bytes()
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"first_frame.{kind}", content, f"image/{kind}"


def read(
    job: dict[str, Any], endpoint: providers.Endpoint, job_url: str, after_s: float | None
) -> providers.Pending | providers.Done | providers.Failed:
    """What a job says of itself."""
    status = str(job.get("status")).lower()
    if status in _DONE:
        return _done(job, endpoint, job_url)
    if status in _BAD:
        fault = job.get("error")
        code = fault.get("code") if isinstance(fault, dict) else None
        message = exchange.plain(exchange.complaint(job) or "The provider does not say why.", endpoint.key)
        return providers.Failed(message, retryable=str(code) in _PASSING or (isinstance(code, int) and code >= 500))
    if status in _ENDED:
        return providers.Failed(f"The provider ended the job as {status}.")
    if status not in _PENDING:
        exchange.note_strange(status)
    return providers.Pending(after_s)


def _done(job: dict[str, Any], endpoint: providers.Endpoint, job_url: str) -> providers.Done:
    urls = job.get("urls")
    own = exchange.address(job.get("url")) or exchange.address(urls[0] if isinstance(urls, list) and urls else None)
    url = own or httpx2.URL(f"{job_url}/content")
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key and exchange.is_at(url, endpoint) else {}
    return providers.Done(str(url), headers, expires_at=_time(job.get("expires_at")))


def _time(value: object) -> datetime | None:
    """Unix seconds or milliseconds, as a number or a text; or ISO 8601."""
    try:
        if isinstance(value, str) and not value.isdigit():
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = float(value)  # type: ignore[arg-type]
        return datetime.fromtimestamp(seconds if seconds < _LATEST else seconds / 1000, UTC) if seconds > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
