"""Calls back whoever asked to be told that a clip has ended: signed, and with the lies that its order asked for."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import logging
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.sandbox import disaster, domain

log = logging.getLogger(__name__)

_TIMEOUT_S = 10
_WAITS_S = (0.1, 1, 5)
"""Before each attempt; the first lets the answer of the create go ahead."""


@dataclass(frozen=True, slots=True)
class Message:
    """One callback: an http address, the body as it was signed, and the headers with the signature."""

    url: str
    body: bytes
    headers: Mapping[str, str]


Write = Callable[[domain.Clip, datetime], Message | None]
"""What a dialect tells of a clip that has ended (its order has a `callback_url`); None when it tells nothing."""


def secret(key_sha256: str) -> bytes:
    """What the callbacks for an API key are signed with: sha256 of "rushes sandbox webhook " and the key's sha256."""
    return hashlib.sha256(f"rushes sandbox webhook {key_sha256}".encode()).digest()


def standard(clip: domain.Clip, id: str, body: bytes, now: datetime) -> Message:
    """Signed as Standard Webhooks has it: `webhook-id`, `webhook-timestamp` and `webhook-signature`.

    The receiver knows the secret as `whsec_` and base64 of `secret`. See https://www.standardwebhooks.com.
    """
    stamp = str(int(now.timestamp()))
    mac = hmac.digest(secret(clip.order.key_sha256), f"{id}.{stamp}.".encode() + body, "sha256")
    headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
    return Message(clip.order.callback_url or "", body, headers)


class Sender:
    """Sends callbacks in the background, each at most three times; what a crash leaves unsent is never sent."""

    def __init__(self, writers: Mapping[domain.Dialect, Write], clock: Callable[[], datetime]) -> None:
        self._writers, self._clock = writers, clock
        self._tasks: set[asyncio.Task[None]] = set()

    def ended(self, clip: domain.Clip) -> None:
        """Tell of a clip that has ended, when and as often as its disasters want."""
        plan = clip.order.plan
        if clip.order.callback_url is None or disaster.Mode.WEBHOOK_NONE in plan or disaster.Mode.WEBHOOK_EARLY in plan:
            return
        task = asyncio.create_task(self._tell(clip))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, clip: domain.Clip) -> None:
        plan = clip.order.plan
        if disaster.Mode.WEBHOOK_LATE in plan:
            await asyncio.sleep(plan.number(disaster.Mode.WEBHOOK_LATE))
        message = self._written(clip)
        for _ in range(2 if disaster.Mode.WEBHOOK_TWICE in plan else 1):
            await self._send(clip, message)

    async def call(self, clip: domain.Clip) -> None:
        """Tell of a clip that has ended, and return once that was heard or given up."""
        await self._send(clip, self._written(clip))

    def _written(self, clip: domain.Clip) -> Message | None:
        write = self._writers.get(clip.order.dialect)
        message = write(clip, self._clock()) if write else None
        if message and disaster.Mode.WEBHOOK_FORGED in clip.order.plan:
            return replace(message, body=message.body + b" ")
        return message

    async def _send(self, clip: domain.Clip, message: Message | None) -> None:
        if message is None:
            return
        for wait_s in _WAITS_S:
            await asyncio.sleep(wait_s)
            if await asyncio.to_thread(_posted, message):
                return
        log.warning("callback_given_up", extra={"clip_id": clip.id, "client_ref": clip.order.client_ref})


def _posted(message: Message) -> bool:
    """Whether the receiver said that it has it. No redirect is followed."""
    url = urllib.parse.urlsplit(message.url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(url.hostname or "", url.port, timeout=_TIMEOUT_S)
        try:
            target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
            connection.request("POST", target, message.body, dict(message.headers))
            return connection.getresponse().status // 100 == 2
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return False
