"""The Gemini Interactions dialect, `/v1/interactions`: Gemini Omni on an API key."""

import asyncio
import base64
import math
import re
import urllib.parse
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from google import genai
from google.genai import types

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, sdk, signatures

_PENDING = {"queued", "in_progress", "requires_action", "requires_continuation"}
_ENDED = {"failed", "cancelled", "incomplete", "budget_exceeded"}
_PASSING = {"internal", "unavailable", "service_unavailable", "deadline_exceeded", "too_many_requests"}
_LABEL = 63
_FILE = re.compile(r"(.*/files/[^/:?#]+):download\?alt=media")


class GoogleInteractions(providers.Provider):
    """Orders at `POST {base_url}/v1/interactions`; `base_url` is without a version."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        self._base = f"{endpoint.base_url.rstrip('/')}/v1"
        self._wire = exchange.Wire(endpoint.public_only)
        self._http = sdk.client(self._wire)
        self._sdk = genai.Client(
            vertexai=False,
            api_key=endpoint.key or "none",
            http_options=types.HttpOptions(
                base_url=endpoint.base_url,
                api_version="v1",
                httpx_async_client=self._http,
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )
        # Typed for a parsed answer, which is what the SDK shows to type checkers; what is used here is not.
        self._interactions: Any = self._sdk.aio.interactions.with_raw_response

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Order one clip: one POST. Sound and a negative prompt cannot be chosen here."""
        try:
            body = await asyncio.to_thread(_body, order)
        except OSError as fault:
            return providers.NotSent(f"A frame cannot be read: {fault.strerror}.")
        return await exchange.order(self._post(order, body), self._endpoint.key)

    async def _post(self, order: providers.Order, body: dict[str, Any]) -> httpx2.Response:
        headers = {"X-Client-Request-Id": order.submission_id}
        if self.capabilities.idempotency_s:
            headers["Idempotency-Key"] = order.submission_id
        response = (await self._interactions.create(**body, extra_headers=headers)).http_response
        assert isinstance(response, httpx2.Response)
        return response

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        answer, job = await self._call("GET", self._job_url(provider_job_id))
        if not isinstance(job, dict) or not isinstance(job.get("status"), str) or not answer.is_success:
            return exchange.unread(answer, job, self._endpoint.key)
        outcome = read(job, self._endpoint, exchange.retry_after(answer))
        return await self._once_there(outcome) if isinstance(outcome, providers.Done) else outcome

    async def _once_there(self, done: providers.Done) -> providers.PollOutcome:
        """An interaction can be completed before its file can be had (https://github.com/lobehub/lobehub/pull/17572)."""
        file = _FILE.fullmatch(done.url)
        if file is None or not done.headers:
            return done
        answer, told = await self._call("GET", file[1])
        state = told.get("state") if isinstance(told, dict) and answer.is_success else None
        if state == "FAILED":
            return providers.Failed("The provider made the clip, and could not make a file of it.", charged=True)
        if state == "PROCESSING":
            return providers.Pending(exchange.retry_after(answer))
        return done  # whatever keeps it from being had, the download will tell

    async def cancel(self, provider_job_id: str) -> None:
        """Ask once to stop. Raises ProviderAway."""
        answer, body = await self._call("POST", f"{self._job_url(provider_job_id)}/cancel")
        if not answer.is_success and answer.status not in (400, 404, 409):  # it has ended, or is not known
            raise exchange.away(answer, body, self._endpoint.key)

    async def check(self) -> None:
        """Ask for an interaction of nobody: Google looks at the key first. Raises KeyRefused, ProviderAway."""
        answer, _ = await self._call("GET", self._job_url("v1_none"))
        exchange.judge(answer, self._endpoint.key, good={400, 404})

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> providers.Hint:
        """What a callback says: `interaction.completed` or `interaction.failed`. Raises HintInvalid."""
        event_id = signatures.standard(headers, body, self._endpoint.webhook_secret, now)
        return providers.Hint(event_id, exchange.subject(body))

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()
        self._sdk.close()
        await self._wire.close()

    async def _call(self, method: str, url: str) -> tuple[exchange.Answer, Any]:
        return await exchange.ask(self._wire.call(method, url, _credentials(self._endpoint)))

    def _job_url(self, provider_job_id: str) -> str:
        return f"{self._base}/interactions/{urllib.parse.quote(provider_job_id, safe='')}"


def _credentials(endpoint: providers.Endpoint) -> dict[str, str]:
    return {"x-goog-api-key": endpoint.key or "none"}


def fields(order: providers.Order, *pictures: dict[str, str]) -> dict[str, Any]:
    """The body of an order, with its frames. What is left out is billed at Google's default, so everything is said."""
    shape = math.gcd(order.width, order.height)
    side = min(order.width, order.height)
    config: dict[str, Any] = {"video_config": {"task": "image_to_video" if pictures else "text_to_video"}}
    if order.seed is not None:
        config["seed"] = order.seed
    body: dict[str, Any] = {
        "model": order.wire_model,
        "background": True,
        "input": [*pictures, {"type": "text", "text": _prompt(order)}] if pictures else order.prompt,
        "generation_config": config,
        "labels": {"submission": order.submission_id.lower()[:_LABEL]},
        "response_format": {
            "type": "video",
            "aspect_ratio": f"{order.width // shape}:{order.height // shape}",
            "duration": f"{order.seconds}s",
            "resolution": "4k" if side == 2160 else f"{side}p",
            "delivery": "uri",
        },
    }
    if order.callback_url:
        body["webhook_config"] = {
            "uris": [order.callback_url],
            "user_metadata": {"submission": order.submission_id},
        }
    return body


def _prompt(order: providers.Order) -> str:
    """Two pictures are told apart by tags, in their order (https://ai.google.dev/gemini-api/docs/omni)."""
    if not order.last_frame:
        return order.prompt
    return f"{'<FIRST_FRAME> ' if order.first_frame else ''}<LAST_FRAME> {order.prompt}"


def _body(order: providers.Order) -> dict[str, Any]:
    return fields(order, *(_picture(path) for path in (order.first_frame, order.last_frame) if path))


def _picture(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return {"type": "image", "data": base64.b64encode(content).decode(), "mime_type": f"image/{kind}"}


def read(
    job: dict[str, Any], endpoint: providers.Endpoint, after_s: float | None
) -> providers.Pending | providers.Done | providers.Failed:
    """What an interaction says of itself."""
    status = job["status"].lower()
    video = _video(job)
    if video and status not in _PENDING:
        return _done(video, endpoint)
    if status == "completed":
        return providers.Failed("The provider filtered the clip: it finished without a video. Change the prompt.")
    if status in _ENDED:
        code, said = _fault(job)
        message = exchange.plain(said or f"The provider ended the job as {status}.", endpoint.key)
        return providers.Failed(message, retryable=str(code) in _PASSING, cancelled=status == "cancelled")
    if status not in _PENDING:
        exchange.note_strange(status)
    return providers.Pending(after_s)


def _done(video: dict[str, Any], endpoint: providers.Endpoint) -> providers.Done | providers.Failed:
    url = exchange.address(video.get("uri"))
    if url is None:
        # It could only be kept as base64 in the database, which is no place for a film.
        return providers.Failed("The provider sent the clip inside its answer, which is not supported.", charged=True)
    return providers.Done(url, _credentials(endpoint) if exchange.is_at(url, endpoint) else {})


def _video(job: dict[str, Any]) -> dict[str, Any] | None:
    """The last video of the model's output, by link or inline."""
    contents = [content for step in _objects(job.get("steps")) for content in _objects(step.get("content"))]
    videos = [one for one in contents if one.get("type") == "video" and (one.get("uri") or one.get("data"))]
    return videos[-1] if videos else None


def _fault(job: dict[str, Any]) -> tuple[object, str | None]:
    """The first error, of the interaction or of a step: `{code, message}`."""
    steps = [step.get("error") for step in _objects(job.get("steps"))]
    fault = next(iter(_objects([*_objects(job.get("errors")), *steps, job.get("error")])), {})
    return fault.get("code"), exchange.complaint({"error": fault})


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
