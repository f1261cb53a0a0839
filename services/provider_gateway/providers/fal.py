"""The fal dialect: one queue in front of many models, https://fal.ai/docs/api-reference/inference-api.

fal tells to keep the addresses that a create returns, because they hold only `owner/app`, not the whole model. A job is
called `owner/app#request_id` here, which is read from them: so no host that an answer names is ever sent the key, and a
job found in the history, which holds no addresses, has the same name.
"""

import asyncio
import contextlib
import functools
import json
import re
import urllib.parse
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, forms, signatures

_QUEUE = "https://queue.fal.run"
_PLATFORM, _KEYS = "https://api.fal.ai/v1", "https://rest.fal.ai/.well-known/jwks.json"
_FORM = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "seconds": "duration",
    "shape": "aspect_ratio",
    "side": "resolution",
    "seed": "seed",
    "audio": "generate_audio",
    "first_frame": "image_url",
    "last_frame": "end_image_url",
}
_KEPT_S = 30 * 86_400
"""How long the media is to stay: as long as fal keeps the JSON that says where it is."""
_STATUS_PATH = re.compile(r"/(?P<app>[^?#]+)/requests/[^/?#]+/status")
_SPACES = {"workflows", "comfy"}
"""Namespaces before an owner."""
_PENDING = {"IN_QUEUE", "IN_PROGRESS"}
_UNBILLED = re.compile(r"runner_.*|startup_timeout|request_timeout")
"""What the queue itself calls its failures; those are never billed, and may pass."""
_CANCEL_TOLD = {200, 202, 400, 404}
"""It is, it will be, it has ended, it is unknown."""
_ANY_MODEL = "fal-ai/flux/dev"
"""Who does not sell it says so only to those with a key."""
_PAGES = 20
_KEYS_FOR = timedelta(hours=24)
_KEYS_AGAIN = timedelta(minutes=1)


class Fal(providers.Provider):
    """Orders at `POST {base_url}/{model}`; anywhere but at queue.fal.run all of fal is under the `base_url`."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        self._base = endpoint.base_url.rstrip("/")
        at_home = self._base == _QUEUE
        self._history = f"{_PLATFORM if at_home else f'{self._base}/v1'}/models/requests/by-endpoint"
        self._keys_url = _KEYS if at_home else f"{self._base}/.well-known/jwks.json"
        self._keys: list[ed25519.Ed25519PublicKey] = []
        self._keys_at: datetime | None = None
        self._wire = exchange.Wire(endpoint.public_only)
        self._headers = {"Authorization": f"Key {endpoint.key}"}

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Order one clip: one POST."""
        try:
            body = await asyncio.to_thread(_body, order)
        except OSError as fault:
            return providers.NotSent(f"A frame cannot be read: {fault.strerror}.")
        query = f"?{urllib.parse.urlencode({'fal_webhook': order.callback_url})}" if order.callback_url else ""
        url = f"{self._base}/{urllib.parse.quote(forms.model(order))}{query}"
        headers = self._headers | {
            "Content-Type": "application/json",
            "X-Client-Request-Id": order.submission_id,
            "X-Fal-No-Retry": "1",
            "X-Fal-Object-Lifecycle-Preference": json.dumps({"expiration_duration_seconds": _KEPT_S}),
        }
        call = self._wire.order("POST", url, headers, body)
        return await exchange.order(call, self._endpoint.key, read_id=functools.partial(self._job, forms.model(order)))

    def _job(self, model: str, body: Any) -> str | None:
        """What the job is called here that a create answered with."""
        request_id = body.get("request_id") if isinstance(body, dict) else None
        if not isinstance(request_id, str) or not request_id:
            return None
        status_url = str(body.get("status_url"))
        at_home = status_url.startswith(f"{self._base}/")
        found = _STATUS_PATH.fullmatch(status_url.removeprefix(self._base)) if at_home else None
        return f"{found['app'] if found else app_of(model)}#{request_id}"

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going, and once it has ended for the result. Raises ProviderAway."""
        url = self._url(provider_job_id)
        if url is None:
            return providers.Missing()
        answer, status = await self._ask("GET", f"{url}/status")
        said = status.get("status") if isinstance(status, dict) and answer.status in (200, 202) else None
        if said is None:
            return exchange.unread(answer, status, self._endpoint.key)
        if said == "COMPLETED":
            return ended(status, *await self._ask("GET", url), self._endpoint)
        if said not in _PENDING:
            exchange.note_strange(str(said))
        return providers.Pending(exchange.retry_after(answer))

    async def cancel(self, provider_job_id: str) -> None:
        """Ask once to stop. Raises ProviderAway."""
        if url := self._url(provider_job_id):
            answer, body = await self._ask("PUT", f"{url}/cancel")
            if answer.status not in _CANCEL_TOLD:
                raise exchange.away(answer, body, self._endpoint.key)

    async def find(self, order: providers.Order, since: datetime, until: datetime) -> Collection[str]:
        """The ended requests to this model that were sent in this span with this input. Raises ProviderAway.

        https://fal.ai/docs/platform-apis/v1/models/requests/by-endpoint.md does not say whether what still runs is
        listed: to find nothing proves nothing.
        """
        model, found = forms.model(order), list[str]()
        # It filters by the end, and no request that is looked for can have ended before it was sent.
        query = {"endpoint_id": model, "start": since.isoformat(), "expand": "payloads", "limit": "100"}
        for _ in range(_PAGES):
            answer, page = await self._ask("GET", f"{self._history}?{urllib.parse.urlencode(query)}")
            listed = page.get("items") if isinstance(page, dict) and answer.is_success else None
            if not isinstance(listed, list):
                raise exchange.away(answer, page, self._endpoint.key)
            found += [f"{app_of(model)}#{one['request_id']}" for one in listed if can_be(one, order, since, until)]
            if not (page.get("has_more") and page.get("next_cursor")):
                return found
            query["cursor"] = str(page["next_cursor"])
        raise providers.ProviderAway(f"The history of this span has more than {_PAGES} pages.")

    def called(self, order: providers.Order, shown: str) -> str:
        """With its `owner/app`, which fal's pages leave out."""
        return shown if "#" in shown else f"{app_of(forms.model(order))}#{shown}"

    async def check(self) -> None:
        """Ask for a line of the history, which takes the key. Raises KeyRefused, ProviderAway."""
        url = f"{self._history}?endpoint_id={_ANY_MODEL}&limit=1"
        exchange.judge(await self._wire.call("GET", url, self._headers), self._endpoint.key, good={404})

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> providers.Hint:
        """What a callback says: that a request has ended, but not of which `owner/app`. Raises HintInvalid."""
        try:
            event_id = signatures.fal(headers, body, await self._keys_for(now, _KEYS_FOR), now)
        except providers.HintInvalid:  # perhaps there are new keys
            event_id = signatures.fal(headers, body, await self._keys_for(now, _KEYS_AGAIN), now)
        return providers.Hint(event_id, "")

    async def _keys_for(self, now: datetime, age: timedelta) -> Collection[ed25519.Ed25519PublicKey]:
        """The public keys, asked for again when they are older than this; the old ones when no answer comes."""
        if self._keys_at is None or now - self._keys_at > age:
            self._keys_at = now
            with contextlib.suppress(providers.ProviderAway):
                _, jwks = await exchange.ask(self._wire.call("GET", self._keys_url, {}))
                self._keys = signatures.ed25519_keys(jwks) or self._keys
        return self._keys

    async def close(self) -> None:
        """Give the connections back."""
        await self._wire.close()

    async def _ask(self, method: str, url: str) -> tuple[exchange.Answer, Any]:
        return await exchange.ask(self._wire.call(method, url, self._headers))

    def _url(self, provider_job_id: str) -> str | None:
        """The address of a request; None when its name does not hold one."""
        app, _, request_id = provider_job_id.rpartition("#")
        name = urllib.parse.quote(request_id, safe="")
        return f"{self._base}/{urllib.parse.quote(app)}/requests/{name}" if app else None


def app_of(model: str) -> str:
    """The `owner/app` of a model, which is what addresses hold."""
    parts = model.split("/")
    return "/".join(parts[: 3 if parts[0] in _SPACES else 2])


def fields(order: providers.Order, first: str | None = None, last: str | None = None) -> dict[str, Any]:
    """The body of an order: the app's own input. The frames are `data:` addresses."""
    return forms.fill(order, _FORM, first, last)


def _body(order: providers.Order) -> bytes:
    return json.dumps(fields(order, forms.data_url(order.first_frame), forms.data_url(order.last_frame))).encode()


def can_be(request: Any, order: providers.Order, since: datetime, until: datetime) -> bool:
    """Whether a request of the history can be this order."""
    if not isinstance(request, dict) or not isinstance(request.get("request_id"), str):
        return False
    sent = exchange.moment(request.get("sent_at"))
    return sent is not None and since <= sent <= until and forms.same(order, _FORM, request.get("json_input"))


def ended(
    status: dict[str, Any], answer: exchange.Answer, result: Any, endpoint: providers.Endpoint
) -> providers.PollOutcome:
    """What the result of a request says that has ended, well or not. Raises ProviderAway."""
    video = result.get("video") if isinstance(result, dict) and answer.is_success else None
    url = exchange.address(video.get("url")) if isinstance(video, dict) else None
    if url is not None:
        home = exchange.is_at(url, endpoint)
        return providers.Done(url, {"Authorization": f"Key {endpoint.key}"} if home else {})
    if answer.is_success and isinstance(result, dict):
        return providers.Failed("The provider filtered the clip: it finished without a video. Change the prompt.")
    # An error may be about this question only, unless the model says it, or the status has said so too.
    if _is_of_the_model(answer, result):
        return failed(result, answer, endpoint.key)
    if exchange.complaint(status):
        return failed(status, answer, endpoint.key)
    return exchange.unread(answer, result, endpoint.key)


def _is_of_the_model(answer: exchange.Answer, result: Any) -> bool:
    detail = result.get("detail") if isinstance(result, dict) else None
    return bool(detail) and (answer.status == 422 or (400 <= answer.status < 500 and isinstance(detail, list)))


def failed(said: Any, answer: exchange.Answer, key: str) -> providers.Failed:
    """Why there is no clip: `detail` of the model, or `error_type` of the queue, whose own failures are never billed.

    https://fal.ai/docs/documentation/model-apis/errors.md, …/request-errors.md
    """
    detail = said.get("detail")
    first = detail[0] if isinstance(detail, list) and detail else detail
    kind = str(said.get("error_type") or (first.get("type") if isinstance(first, dict) else ""))
    message = exchange.plain(exchange.complaint(said) or "The provider does not say why.", key)
    if "content_policy" in kind:
        message = f"{message} Change the prompt."
    unbilled = _UNBILLED.fullmatch(kind) is not None
    return providers.Failed(
        message,
        retryable=unbilled or answer.headers.get("x-fal-retryable", "").lower() == "true",
        charged=False if unbilled else None,
        cancelled=kind == "client_cancelled",
    )
