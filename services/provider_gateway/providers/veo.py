"""The dialect of Veo on Vertex: long-running predictions, whose clips lie in a bucket of one's own.

The endpoint's settings are `project`, `location` and `bucket`. Each order has a folder of its own in the bucket, so
that one whose answer was lost is found by its clip. A job is named by its operation, or, found so, by its clip.
"""

import asyncio
import base64
import json
import math
import re
import urllib.parse
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, service_account

_GOOGLE = ".googleapis.com"
_STORAGE = "https://storage.googleapis.com/storage/v1"
NEEDED = ("project", "location", "bucket")
_OPERATION = re.compile(r"(projects/[^/?#]+/locations/[^/?#]+/publishers/google/models/[^/?#]+)/operations/[^/?#]+")
_CLIP = re.compile(r"gs://([^/?#]+)/(.+)")
_PASSING = {8, 13, 14}
"""Of google.rpc.Code: RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE."""
_LABEL = 63


class GoogleVeo(providers.Provider):
    """Orders at `POST {base_url}/v1beta1/projects/…:predictLongRunning`.

    Anywhere but at googleapis.com, the storage is under the `base_url` as well.
    """

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        base = endpoint.base_url.rstrip("/")
        self._base, self._storage = f"{base}/v1beta1", _STORAGE if base.endswith(_GOOGLE) else f"{base}/storage/v1"
        project, location, self._bucket = (
            urllib.parse.quote(endpoint.settings.get(one, ""), safe="") for one in NEEDED
        )
        self._publisher = f"{self._base}/projects/{project}/locations/{location}/publishers/google"
        self._objects = f"{self._storage}/b/{self._bucket}/o"
        self._wire = exchange.Wire(endpoint.public_only)
        self._tokens = service_account.Tokens(endpoint, self._wire)

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Order one clip: one POST."""
        try:
            body = await asyncio.to_thread(_body, order, self._bucket)
            headers = await self._access()
        except OSError as fault:
            return providers.NotSent(f"A frame cannot be read: {fault.strerror}.")
        except providers.KeyRefused as fault:
            return providers.Rejected(str(fault), passing=True, account=True)
        except providers.ProviderAway as fault:
            return providers.NotSent(f"There is no access token: {fault}")
        url = f"{self._publisher}/models/{urllib.parse.quote(order.wire_model, safe='')}:predictLongRunning"
        headers["X-Client-Request-Id"] = order.submission_id
        return await exchange.order(self._wire.order("POST", url, headers, body), self._endpoint.key, read_id=_name)

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        if clip := _CLIP.fullmatch(provider_job_id):
            own = clip[1] == self._endpoint.settings.get("bucket") and clip[2].startswith("submissions/")
            return await self._poll_clip(provider_job_id) if own else providers.Missing()
        operation = _OPERATION.fullmatch(provider_job_id)
        if operation is None:
            return providers.Missing()
        body = json.dumps({"operationName": provider_job_id}).encode()
        answer, told = await self._call("POST", f"{self._base}/{operation[1]}:fetchPredictOperation", body)
        if not isinstance(told, dict) or not isinstance(told.get("name"), str) or not answer.is_success:
            return exchange.unread(answer, told, self._endpoint.key)
        outcome = read(told, self._endpoint.key, exchange.retry_after(answer))
        return await self._done(outcome) if isinstance(outcome, str) else outcome

    async def _poll_clip(self, gcs_uri: str) -> providers.PollOutcome:
        answer, told = await self._call("GET", self.object_url(gcs_uri))
        return await self._done(gcs_uri) if answer.is_success else exchange.unread(answer, told, self._endpoint.key)

    async def _done(self, gcs_uri: str) -> providers.Done:
        access = {"Authorization": (await self._headers())["Authorization"]}
        return providers.Done(f"{self.object_url(gcs_uri)}?alt=media", access)

    def object_url(self, gcs_uri: str) -> str:
        """Where the object `gs://bucket/name` is to be had by HTTP."""
        bucket, _, name = gcs_uri.removeprefix("gs://").partition("/")
        return f"{self._storage}/b/{bucket}/o/{urllib.parse.quote(name, safe='')}"

    async def find(self, order: providers.Order, since: datetime, until: datetime) -> Collection[str]:
        """The clips in the order's folder, which are there once they are made. Raises ProviderAway."""
        query = urllib.parse.urlencode({"prefix": folder(order)})
        answer, told = await self._call("GET", f"{self._objects}?{query}")
        items = told.get("items", []) if isinstance(told, dict) and answer.is_success else None
        if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
            raise exchange.away(answer, told, self._endpoint.key)
        names = [str(one.get("name")) for one in items]
        return [f"gs://{self._bucket}/{name}" for name in names if name.endswith(".mp4")]

    async def check(self) -> None:
        """Look into the bucket, which needs the key and the settings. Raises KeyRefused, ProviderAway."""
        call = self._wire.call("GET", f"{self._objects}?maxResults=1", await self._access())
        await exchange.check(call, self._endpoint.key)

    async def probe(self, wire_model: str) -> bool:
        """Whether this model is still sold here; for dates of retirement contradict each other. Raises ProviderAway."""
        url = f"{self._base}/publishers/google/models/{urllib.parse.quote(wire_model, safe='')}"
        answer, told = await self._call("GET", url)
        if not answer.is_success and answer.status != 404:
            raise exchange.away(answer, told, self._endpoint.key)
        return answer.is_success

    async def close(self) -> None:
        """Give the connections back."""
        await self._wire.close()

    async def _call(self, method: str, url: str, body: bytes | None = None) -> tuple[exchange.Answer, Any]:
        return await exchange.ask(self._wire.call(method, url, await self._headers(), body))

    async def _headers(self) -> dict[str, str]:
        try:
            return await self._access()
        except providers.KeyRefused as fault:
            raise providers.ProviderAway(str(fault)) from fault

    async def _access(self) -> dict[str, str]:
        """The headers of a call. Raises KeyRefused, ProviderAway."""
        if missing := [name for name in NEEDED if not self._endpoint.settings.get(name)]:
            raise providers.KeyRefused(f"This endpoint needs the settings {', '.join(missing)}.")
        return {"Content-Type": "application/json", **await self._tokens.headers()}


def folder(order: providers.Order) -> str:
    """Where in the bucket the clips of this order go, and no others."""
    return f"submissions/{order.submission_id}/"


def fields(order: providers.Order, bucket: str, *frames: dict[str, str] | None) -> dict[str, Any]:
    """The body of an order; `frames` are the first and the last."""
    shape, side = math.gcd(order.width, order.height), min(order.width, order.height)
    pictures = {name: frame for name, frame in zip(("image", "lastFrame"), frames, strict=False) if frame}
    parameters: dict[str, Any] = {
        "sampleCount": 1,
        "storageUri": f"gs://{bucket}/{folder(order)}",
        "durationSeconds": order.seconds,
        "aspectRatio": f"{order.width // shape}:{order.height // shape}",
        "resolution": "4k" if side == 2160 else f"{side}p",
        "generateAudio": order.audio,
    }
    if order.seed is not None:
        parameters["seed"] = order.seed
    if order.negative_prompt:
        parameters["negativePrompt"] = order.negative_prompt
    return {
        "instances": [{"prompt": order.prompt, **pictures}],
        "parameters": parameters,
        "labels": {"submission": order.submission_id.lower()[:_LABEL]},
    }


def _body(order: providers.Order, bucket: str) -> bytes:
    return json.dumps(fields(order, bucket, _frame(order.first_frame), _frame(order.last_frame))).encode()


def _frame(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    content = path.read_bytes()
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return {"bytesBase64Encoded": base64.b64encode(content).decode(), "mimeType": f"image/{kind}"}


def _name(body: Any) -> str | None:
    name = body.get("name") if isinstance(body, dict) else None
    return name if isinstance(name, str) and _OPERATION.fullmatch(name) else None


def read(operation: dict[str, Any], key: str, after_s: float | None) -> providers.Pending | providers.Failed | str:
    """What an operation says of itself; once it is done, where its clip is."""
    if not operation.get("done"):
        return providers.Pending(after_s)
    fault, response = operation.get("error"), operation.get("response")
    if isinstance(fault, dict):
        said = exchange.plain(exchange.complaint(operation) or "The provider does not say why.", key)
        return providers.Failed(said, retryable=fault.get("code") in _PASSING)
    told = response if isinstance(response, dict) else {}
    videos = told.get("videos")
    video = videos[0] if isinstance(videos, list) and videos and isinstance(videos[0], dict) else {}
    if isinstance(uri := video.get("gcsUri"), str) and _CLIP.fullmatch(uri):
        return uri
    if video:
        # Our orders name a bucket. What comes all the same could only be kept as base64 in the database.
        return providers.Failed("The provider sent the clip inside its answer, which is not supported.", charged=True)
    return _filtered(told, key)


def _filtered(response: dict[str, Any], key: str) -> providers.Failed:
    reasons = response.get("raiMediaFilteredReasons")
    said = " ".join(str(reason) for reason in reasons) if isinstance(reasons, list) else ""
    free = False if "will not be charged" in said else None
    why = exchange.plain(said, key) or "It finished without a video."
    return providers.Failed(f"The provider filtered the clip; change the prompt. {why}", charged=free)
