"""The Gemini Interactions dialect, `/v1/interactions`: Gemini Omni on an API key."""

import asyncio
import base64
import math
from pathlib import Path
from typing import Any

import httpx2
from google import genai
from google.genai import types

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange

_PENDING = {"queued", "in_progress", "requires_action", "requires_continuation"}
_ENDED = {"failed", "cancelled", "incomplete", "budget_exceeded"}
_PASSING = {"internal", "unavailable", "service_unavailable", "deadline_exceeded", "too_many_requests"}
_LABEL = 63


class GoogleInteractions:
    """Orders at `POST {base_url}/v1/interactions`; `base_url` is without a version."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        self._http = exchange.client()
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
            picture = await asyncio.to_thread(_picture, order.first_frame) if order.first_frame else None
        except OSError as fault:
            return providers.NotSent(f"The first frame cannot be read: {fault.strerror}.")
        return await exchange.order(self._post(order, picture), self._endpoint.key)

    async def _post(self, order: providers.Order, picture: dict[str, str] | None) -> httpx2.Response:
        headers = {"Idempotency-Key": order.submission_id} if self.capabilities.idempotent else {}
        return _raw(await self._interactions.create(**fields(order, picture), extra_headers=headers))

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        response, body = await exchange.ask(self._get(provider_job_id), self._endpoint.key)
        if not isinstance(body, dict) or not isinstance(body.get("status"), str) or not response.is_success:
            return exchange.unread(response, body, self._endpoint.key)
        return read(body, self._endpoint, exchange.poll_after(response))

    async def _get(self, provider_job_id: str) -> httpx2.Response:
        return _raw(await self._interactions.get(provider_job_id))

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()
        self._sdk.close()


def _raw(answer: Any) -> httpx2.Response:
    response = answer.http_response
    assert isinstance(response, httpx2.Response)
    return response


def fields(order: providers.Order, picture: dict[str, str] | None) -> dict[str, Any]:
    """The body of an order. Everything that costs is said: what is left out is billed at Google's default."""
    shape = math.gcd(order.width, order.height)
    side = min(order.width, order.height)
    config: dict[str, Any] = {"video_config": {"task": "image_to_video" if picture else "text_to_video"}}
    if order.seed is not None:
        config["seed"] = order.seed
    return {
        "model": order.wire_model,
        "background": True,
        "input": [picture, {"type": "text", "text": order.prompt}] if picture else order.prompt,
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
        return providers.Failed(message, retryable=str(code) in _PASSING)
    if status not in _PENDING:
        exchange.note_strange(status)
    return providers.Pending(after_s)


def _done(video: dict[str, Any], endpoint: providers.Endpoint) -> providers.Done | providers.Failed:
    url = exchange.address(video.get("uri"))
    if url is None:
        # It could only be kept as base64 in the database, which is no place for a film.
        return providers.Failed("The provider sent the clip inside its answer, which is not supported.", charged=True)
    return providers.Done(str(url), {"x-goog-api-key": endpoint.key} if exchange.is_at(url, endpoint) else {})


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
