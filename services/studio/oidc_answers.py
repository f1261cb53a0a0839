"""Asks an OpenID provider over HTTP: with a deadline, without following it anywhere, and never more than a megabyte."""

import asyncio
import json
import logging
import urllib.parse
from collections.abc import Mapping
from typing import Any

import urllib3

log = logging.getLogger(__name__)

_WITHIN_S, _SILENCE_S = 10.0, 5.0
_MOST_BYTES = 1 << 20
_POOL = urllib3.PoolManager(timeout=_SILENCE_S, retries=False)


class Refused(Exception):
    """Nobody was signed in; the text says why, to the person."""


class Away(Refused):
    """The provider cannot be asked, or gives no sense; the text says why, to whoever looks after the house."""


async def got(url: str) -> Mapping[str, Any]:
    """The document at an address. Raises Away."""
    status, told = await _answer("GET", url, None, {})
    if status != 200:
        raise Away(f"{_host(url)} answers {status}")
    return told


async def posted(url: str, form: Mapping[str, str], client: tuple[str, str]) -> Mapping[str, Any]:
    """What is answered to a form, refusals too; `client` are id and secret (RFC 6749, 2.3.1). Raises Away."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if client[1]:
        user, password = (urllib.parse.quote_plus(part) for part in client)
        headers |= urllib3.make_headers(basic_auth=f"{user}:{password}")
    status, told = await _answer("POST", url, urllib.parse.urlencode(form).encode(), headers)
    if status >= 500:
        raise Away(f"{_host(url)} answers {status}")
    if status != 200:
        log.warning("code_refused", extra={"status": status, "error": str(told.get("error"))[:100]})
    return told if status == 200 else {}


async def _answer(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[int, Mapping[str, Any]]:
    try:
        async with asyncio.timeout(_WITHIN_S):
            status, read = await asyncio.to_thread(_read, method, url, body, headers)
    except (TimeoutError, urllib3.exceptions.HTTPError) as fault:
        raise Away(f"{_host(url)} does not answer ({type(fault).__name__})") from None
    try:
        told = json.loads(read)
    except ValueError:
        told = None
    if status == 200 and not isinstance(told, dict):
        raise Away(f"{_host(url)} does not answer with a JSON object")
    return status, told if isinstance(told, dict) else {}


def _read(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
    answer = _POOL.request(
        method,
        url,
        body=body,
        headers={"accept": "application/json", **headers},
        redirect=False,
        preload_content=False,
    )
    try:
        read: bytes = answer.read(_MOST_BYTES)
        return answer.status, read
    finally:
        answer.close()


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc
