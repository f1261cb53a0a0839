"""The Runware dialect: tasks, posted in lists to one address, under ids of our own, https://runware.ai/docs/platform.

The id of a task is made from its submission's, so that a lost order can be asked for, and one sent twice is refused.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, forms

_FORM = {
    "prompt": "positivePrompt",
    "negative_prompt": "negativePrompt",
    "seconds": "duration",
    "width": "width",
    "height": "height",
    "seed": "seed",
    "frames": "inputs.frameImages",
    "picture": "image",
}
"""`frames` is the list of pictures, and `picture` the field of each; older models take `frameImages`, `inputImage`."""
_SPACE = uuid.UUID("6f1d2c0a-5f0e-4d7b-9a57-3c1e8b0d4f21")
"""Of our ids; it must never change."""
_KEPT_S = 7 * 86_400
"""How long a clip is to stay. Accounts with zero data retention lose it after 60 s unless an order says otherwise:
https://runware.ai/docs/models-api/zero-data-retention.md; of the others, users report these seven days."""
_MOST = 100
"""Tasks in one list."""
_ABOUT_US = {401, 402, 403, 408, 425, 429}
"""Refusals of the key and the moment."""
_PASSING = re.compile(r"timeout|internal|unavailable|overload|rateLimit", re.IGNORECASE)


class Runware(providers.Provider):
    """Posts tasks to `base_url`, such as `https://api.runware.ai/v1`."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.capabilities = capabilities
        self._endpoint = endpoint
        self._wire = exchange.Wire(endpoint.public_only)
        self._headers = {"Authorization": f"Bearer {endpoint.key}", "Content-Type": "application/json"}

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Order one clip: one POST."""
        try:
            body = await asyncio.to_thread(_body, order)
        except OSError as fault:
            return providers.NotSent(f"A frame cannot be read: {fault.strerror}.")
        id = task_id(order.submission_id)
        headers = self._headers | {"X-Client-Request-Id": order.submission_id}
        call = self._wire.order("POST", self._endpoint.base_url, headers, body)
        answer = await exchange.sent(call, self._endpoint.key)
        if not isinstance(answer, exchange.Answer):
            return answer
        if _is_taken(exchange.parsed(answer), id):
            return providers.Accepted(id)
        return exchange.created(answer, self._endpoint.key, lambda body: id if any(_about(body, id, "data")) else None)

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Ask how it is going; of what is no longer active, the archive tells how it went. Raises ProviderAway."""
        outcome, answer, body = await self._look(provider_job_id)
        if outcome is None and not _is_answer(answer, body):
            return exchange.unread(answer, body, self._endpoint.key)
        return outcome or providers.Missing()

    async def _look(self, id: str) -> tuple[providers.PollOutcome | None, exchange.Answer, Any]:
        for task in ("getResponse", "getTaskDetails"):
            answer, body = await self._ask([{"taskType": task, "taskUUID": id}])
            outcome = told(body, id, self._endpoint.key)
            if outcome or not _is_answer(answer, body):
                break
        return outcome, answer, body

    async def poll_many(self, provider_job_ids: Collection[str]) -> Mapping[str, providers.PollOutcome]:
        """Ask for a hundred at a time. Raises ProviderAway."""
        ids, known = list(provider_job_ids), dict[str, providers.PollOutcome]()
        for start in range(0, len(ids), _MOST):
            some = ids[start : start + _MOST]
            answer, body = await self._ask([{"taskType": "getResponse", "taskUUID": id} for id in some])
            if not _is_answer(answer, body):
                raise exchange.away(answer, body, self._endpoint.key)
            known |= {id: outcome for id in some if (outcome := told(body, id, self._endpoint.key))}
        return known

    async def find(self, order: providers.Order, since: datetime, until: datetime) -> Collection[str]:
        """The task of this order, whenever it was made. Raises ProviderAway."""
        id = task_id(order.submission_id)
        outcome, answer, body = await self._look(id)
        if outcome is None and not _is_answer(answer, body):
            raise exchange.away(answer, body, self._endpoint.key)
        return [id] if outcome else []

    async def check(self) -> None:
        """Ask for the account. Raises KeyRefused, ProviderAway."""
        task = {"taskType": "accountManagement", "taskUUID": str(uuid.uuid4()), "operation": "getDetails"}
        await exchange.check(self._posted([task]), self._endpoint.key)

    async def close(self) -> None:
        """Give the connections back."""
        await self._wire.close()

    async def _ask(self, tasks: Sequence[Mapping[str, str]]) -> tuple[exchange.Answer, Any]:
        return await exchange.ask(self._posted(tasks))

    def _posted(self, tasks: Sequence[Mapping[str, str]]) -> Coroutine[Any, Any, exchange.Answer]:
        return self._wire.call("POST", self._endpoint.base_url, self._headers, json.dumps(tasks).encode())


def task_id(submission_id: str) -> str:
    """The UUID of a submission's task: derived, in the form of version 4, which is what Runware asks for."""
    return str(uuid.UUID(bytes=uuid.uuid5(_SPACE, submission_id).bytes, version=4))


def fields(order: providers.Order, first: str | None = None, last: str | None = None) -> dict[str, Any]:
    """The task of an order."""
    names = {**_FORM, **order.form}
    task = {
        "taskType": "videoInference",
        "taskUUID": task_id(order.submission_id),
        "model": forms.model(order),
        **forms.fill(order, _FORM),
        "deliveryMethod": "async",
        "numberResults": 1,
        "includeCost": True,
        "ttl": _KEPT_S,
    }
    frames = [{names["picture"]: url, "frame": which} for url, which in ((first, "first"), (last, "last")) if url]
    if frames:
        forms.put(task, names["frames"].split("."), frames)
    if order.callback_url:
        task["webhookURL"] = order.callback_url
    return task


def _body(order: providers.Order) -> bytes:
    return json.dumps([fields(order, forms.data_url(order.first_frame), forms.data_url(order.last_frame))]).encode()


def _about(body: Any, id: str, name: str) -> list[dict[str, Any]]:
    """What is said of one task, among the `data` or the `errors`."""
    listed = body.get(name) if isinstance(body, dict) else None
    objects = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [one for one in objects if one.get("taskUUID") == id]


def _is_taken(body: Any, id: str) -> bool:
    """Whether the refusal is that this id has its task: ours, because no other submission has this id."""
    return any(str(one.get("code")).lower() == "conflicttaskuuid" for one in _about(body, id, "errors"))


def _is_answer(answer: exchange.Answer, body: Any) -> bool:
    """Whether it answers the question: a refusal of it can only be that there is no such task."""
    is_refusal = 400 <= answer.status < 500 and answer.status not in _ABOUT_US
    return isinstance(body, dict) and (answer.is_success or is_refusal)


def told(body: Any, id: str, key: str) -> providers.Pending | providers.Done | providers.Failed | None:
    """What an answer says of a task; None when it does not know it."""
    for one in _about(body, id, "data") + _about(body, id, "errors"):
        if isinstance(archived := one.get("response"), dict):  # empty while the task runs
            return told(archived, id, key) or providers.Pending()
        if one.get("status") is not None:
            return read(one, key)
    return None


def read(task: dict[str, Any], key: str) -> providers.Pending | providers.Done | providers.Failed:
    """What a task says of itself. The address of a video takes no key."""
    status, cost = str(task["status"]).lower(), exchange.micros(task.get("cost"))
    if status == "success":
        if (url := exchange.address(task.get("videoURL"))) is not None:
            return providers.Done(url, {}, cost_micros=cost)
        return _failed("The provider filtered the clip: it finished without a video. Change the prompt.", "", cost)
    if status == "error":
        said = exchange.plain(exchange.complaint({"error": task}) or "The provider does not say why.", key)
        return _failed(said, str(task.get("code")), cost)
    if status != "processing":
        exchange.note_strange(status)
    return providers.Pending()


def _failed(message: str, code: str, cost: int | None) -> providers.Failed:
    passing = _PASSING.search(code) is not None
    return providers.Failed(message, passing, charged=None if cost is None else cost > 0, cost_micros=cost)
