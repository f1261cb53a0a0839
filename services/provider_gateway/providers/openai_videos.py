"""The OpenAI Videos dialect, `/v1/videos`, as vLLM-Omni, SGLang, LiteLLM, Azure and resellers speak it.

None of them copies the others faithfully, so only an id and a status are relied on. What else a server does in its own
way, the flags of its endpoint say:

- `json_create`: it takes JSON, which is sent where there is no picture; `seconds_type: int`: with a number of seconds;
- `query`: what it wants in the query of every call, such as `custom_llm_provider=hosted_vllm`;
- `key_header`: the header that it wants the key in instead of Authorization, such as Azure's `api-key`;
- `variant_names`: it has variants of a clip, by name, and is asked for the video.
"""

import asyncio
import urllib.parse
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import openai

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, listing, sdk, signatures

_PENDING = {"queued", "pending", "submitted", "in_progress", "processing", "running"}
_DONE = {"completed", "succeeded", "success", "done"}
_BAD = {"failed", "error"}
_CANCELLED = {"cancelled", "canceled", "deleted"}
_ENDED = _CANCELLED | {"expired"}
_PASSING = {"server_error", "internal_error", "internal", "unavailable", "service_unavailable", "overloaded", "timeout"}
_PAGE = 100
_MOST_PAGES = 50
_NO_LIST = {400, 404, 405}
_MOST_STOPPED = 10_000


class OpenAIVideos(providers.Provider):
    """Orders at `POST {base_url}/videos`; `base_url` ends with the version, such as `http://127.0.0.1:8000/v1`."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        self._wire = exchange.Wire(endpoint.public_only)
        self._sdk = openai.AsyncOpenAI(
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            default_query=dict(urllib.parse.parse_qsl(_query(endpoint))),
            http_client=sdk.client(self._wire),
        )
        self._sdk.organization = self._sdk.project = None  # else those of the environment go to every endpoint
        self._listing = listing.Listing(self._told)
        self._stopped: dict[str, None] = {}

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Order one clip: one POST, of a form, which every server takes, or of JSON."""
        try:
            picture = await asyncio.to_thread(_picture, order.first_frame) if order.first_frame else None
        except OSError as fault:
            return providers.NotSent(f"The first frame cannot be read: {fault.strerror}.")
        return await exchange.order(self._post(order, picture), self._endpoint.key, read=self._done_already)

    async def _post(self, order: providers.Order, picture: tuple[str, bytes, str] | None) -> httpx2.Response:
        flags = self._endpoint.flags
        is_json = bool(flags.get("json_create")) and picture is None
        body = fields(order)
        headers: dict[str, Any] = {"X-Client-Request-Id": order.submission_id}
        if not is_json:
            headers["Content-Type"] = "multipart/form-data"
        elif flags.get("seconds_type") == "int":
            body["seconds"] = order.seconds
        if "key_header" in flags:
            headers |= {"Authorization": openai.Omit(), **_credentials(self._endpoint)}
        if self.capabilities.idempotency_s:
            headers["Idempotency-Key"] = order.submission_id
        return await self._sdk.post(
            "/videos",
            cast_to=httpx2.Response,
            body=body,
            files={"input_reference": picture} if picture else None,
            options={"headers": headers},
        )

    def _done_already(self, provider_job_id: str, job: Any) -> providers.Done | None:
        outcome = read(job, self._endpoint, None)
        return outcome if isinstance(outcome, providers.Done) else None

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going. Raises ProviderAway."""
        answer, job = await self._call("GET", _path(provider_job_id))
        # vLLM-Omni answers for a failed job with the status of the error, and the job as the body.
        if isinstance(job, dict) and (job.get("object") == "video" or (answer.is_success and "id" in job)):
            return read({**job, "id": provider_job_id}, self._endpoint, exchange.retry_after(answer))
        if answer.status == 404 and provider_job_id in self._stopped:
            return providers.Failed("The job was stopped, and the provider has deleted it.", cancelled=True)
        return exchange.unread(answer, job, self._endpoint.key)

    async def poll_many(self, provider_job_ids: Collection[str]) -> Mapping[str, providers.PollOutcome]:
        """Read the list, newest first, as long as that is cheaper than asking for each. Raises ProviderAway."""
        return await self._listing.tell(provider_job_ids)

    async def _told(self, after: str) -> tuple[Mapping[str, providers.PollOutcome], str]:
        jobs, end = await self._page(after)
        return {str(job["id"]): read(job, self._endpoint, None) for job in jobs}, end

    async def find(self, order: providers.Order, since: datetime, until: datetime) -> Collection[str]:
        """The jobs of the list that were made in this span and are like this order. Raises ProviderAway.

        A job that may have been made then, and of which the list does not say what it is, spoils it: neither is it
        ours nor is it not.
        """
        found, after = list[str](), ""
        for _ in range(_MOST_PAGES):
            jobs, after = await self._page(after)
            likeness = {str(job["id"]): compare(job, order, since, until) for job in jobs}
            if None in likeness.values():
                raise providers.ProviderAway("The list does not say of every job what it is.")
            found += [id for id, is_like in likeness.items() if is_like]
            if not after or _is_before(jobs, since):
                return found
        raise providers.ProviderAway(f"The list of this span has more than {_MOST_PAGES} pages.")

    async def _page(self, after: str) -> tuple[list[dict[str, Any]], str]:
        """The jobs behind that one, newest first, and the one to go on behind; that is empty at the end."""
        behind = f"&after={urllib.parse.quote(after, safe='')}" if after else ""
        answer, page = await self._call("GET", "/videos", f"limit={_PAGE}&order=desc{behind}")
        jobs = page.get("data") if isinstance(page, dict) and answer.is_success else None
        if not isinstance(jobs, list) or not all(isinstance(one, dict) and one.get("id") for one in jobs):
            raise exchange.away(answer, page, self._endpoint.key)
        goes_on = jobs and page.get("has_more", len(jobs) >= _PAGE)  # SGLang says nothing about it
        return jobs, str(jobs[-1]["id"]) if goes_on else ""

    async def cancel(self, provider_job_id: str) -> None:
        """Ask once to stop, unless it has ended: that would delete the clip. Raises ProviderAway."""
        if not isinstance(await self.poll(provider_job_id), providers.Pending):
            return
        answer, body = await self._call("DELETE", _path(provider_job_id))
        if answer.is_success:
            self._stopped[provider_job_id] = None
            if len(self._stopped) > _MOST_STOPPED:
                del self._stopped[next(iter(self._stopped))]
        elif answer.status not in (404, 409):  # 409: it is being stopped
            raise exchange.away(answer, body, self._endpoint.key)

    async def check(self) -> None:
        """Read the newest line of the list; where there is none, the models. Raises KeyRefused, ProviderAway."""
        answer, _ = await self._call("GET", "/videos", "limit=1")
        if answer.status in _NO_LIST:
            answer, _ = await self._call("GET", "/models")
        exchange.judge(answer, self._endpoint.key)

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> providers.Hint:
        """What a callback says: `video.completed` or `video.failed`. Raises HintInvalid."""
        event_id = signatures.standard(headers, body, self._endpoint.webhook_secret, now)
        return providers.Hint(event_id, exchange.subject(body))

    async def close(self) -> None:
        """Give the connections back."""
        await self._sdk.close()
        await self._wire.close()

    async def _call(self, method: str, path: str, query: str = "") -> tuple[exchange.Answer, Any]:
        query = "&".join(filter(None, (query, _query(self._endpoint))))
        url = f"{_base(self._endpoint)}{path}{'?' if query else ''}{query}"
        return await exchange.ask(self._wire.call(method, url, _credentials(self._endpoint)))


def _base(endpoint: providers.Endpoint) -> str:
    return endpoint.base_url.rstrip("/")


def _query(endpoint: providers.Endpoint) -> str:
    return str(endpoint.flags.get("query", ""))


def _credentials(endpoint: providers.Endpoint) -> dict[str, str]:
    if "key_header" in endpoint.flags:
        return {str(endpoint.flags["key_header"]): endpoint.key}
    return {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}


def _path(provider_job_id: str) -> str:
    return f"/videos/{urllib.parse.quote(provider_job_id, safe='')}"


def fields(order: providers.Order) -> dict[str, Any]:
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
    if order.callback_url:
        form["callback_url"] = order.callback_url
    return form


def _picture(path: Path) -> tuple[str, bytes, str]:
    content = path.read_bytes()
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"first_frame.{kind}", content, f"image/{kind}"


def compare(job: Mapping[str, Any], order: providers.Order, since: datetime, until: datetime) -> bool | None:
    """Whether a job of the list was made in this span and is like this order; None when it does not say enough."""
    made, ours = exchange.moment(job.get("created_at")), fields(order)
    said = {name: str(job[name]) for name in ("model", "prompt", "seconds", "size") if job.get(name) is not None}
    if made is not None and not since <= made <= until:
        return False
    if any(text.removesuffix(".0").strip() != ours[name].strip() for name, text in said.items()):
        return False
    return True if made is not None and "prompt" in said else None


def _is_before(jobs: Collection[Mapping[str, Any]], since: datetime) -> bool:
    """Whether what follows these jobs, which are newest first if they all say when they were made, is older."""
    made = [exchange.moment(job.get("created_at")) for job in jobs]
    dated = [time for time in made if time is not None]
    return dated == made and dated == sorted(dated, reverse=True) and dated[-1] < since


def read(
    job: Mapping[str, Any], endpoint: providers.Endpoint, after_s: float | None
) -> providers.Pending | providers.Done | providers.Failed:
    """What a job says of itself."""
    status = str(job.get("status")).lower()
    if status in _DONE:
        return _done(job, endpoint)
    if status in _BAD:
        fault = job.get("error")
        code = fault.get("code") if isinstance(fault, dict) else None
        message = exchange.plain(exchange.complaint(job) or "The provider does not say why.", endpoint.key)
        return providers.Failed(message, retryable=str(code) in _PASSING or (isinstance(code, int) and code >= 500))
    if status in _ENDED:
        return providers.Failed(f"The provider ended the job as {status}.", cancelled=status in _CANCELLED)
    if status not in _PENDING:
        exchange.note_strange(status)
    return providers.Pending(after_s)


def _done(job: Mapping[str, Any], endpoint: providers.Endpoint) -> providers.Done:
    """SGLang has put the clip into a cloud storage when it says where; else it is at the server itself."""
    urls = job.get("urls")
    own = exchange.address(job.get("url")) or exchange.address(urls[0] if isinstance(urls, list) and urls else None)
    variant = "variant=video" if endpoint.flags.get("variant_names") else ""
    query = "&".join(filter(None, (variant, _query(endpoint))))
    url = own or f"{_base(endpoint)}{_path(str(job['id']))}/content{'?' if query else ''}{query}"
    headers = _credentials(endpoint) if exchange.is_at(url, endpoint) else {}
    return providers.Done(url, headers, expires_at=exchange.moment(job.get("expires_at")))
