"""The one way to addresses that providers name: public ones over https, checked where the connection is made."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import aiohttp
import aiohttp.abc
import yarl

from libs import egress

_CHUNK_BYTES = 1 << 20
_MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow an answer may be, in seconds and bytes.

    `whole_s` for all of it, `silence_s` without a byte; once `grace_s` have passed, `least_bytes_per_s` on average.
    """

    whole_s: float = 900.0
    silence_s: float = 30.0
    grace_s: float = 30.0
    least_bytes_per_s: float = 8192.0


class Egress:
    """Fetches from addresses that providers name. Needs a running event loop.

    Only the origin that the operator gave an endpoint may be unencrypted or private. There are no proxies, no cookies,
    and no decompression. `resolver` asks the DNS, `tls` trusts the certificates, `may_reach` judges the numbers.
    """

    def __init__(
        self,
        pace: Pace | None = None,
        resolver: aiohttp.abc.AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        may_reach: Callable[[str], bool] = egress.is_public,
    ) -> None:
        self._pace, trust = pace or Pace(), tls or ssl.create_default_context()
        self._abroad = _session(egress.guarded(resolver, may_reach, ssl=trust))
        self._home = _session(aiohttp.TCPConnector(ssl=trust))

    async def close(self) -> None:
        """Give the connections back."""
        await self._abroad.close()
        await self._home.close()

    @contextlib.asynccontextmanager
    async def get(
        self, url: str, credentials: Mapping[str, str], headers: Mapping[str, str], home: str = ""
    ) -> AsyncIterator["Answer"]:
        """The answer, inside the block, after at most 5 redirects, each checked like the first address.

        `credentials` go to the origin of `url` alone; once a redirect has left it, nowhere. `home` is any address at
        the endpoint's own origin. Raises Refused, aiohttp.ClientError.
        """
        until = asyncio.get_running_loop().time() + self._pace.whole_s
        here, own = egress.parsed(url), egress.origin(egress.parsed(home)) if home else None
        first = egress.origin(here)
        for _ in range(_MOST_REDIRECTS + 1):
            if egress.origin(here) != first:
                credentials = {}
            async with self._session(here, own).get(
                here, headers={**headers, **credentials}, allow_redirects=False, timeout=self._timeout(until)
            ) as response:
                if response.status not in _REDIRECTS:
                    yield Answer(response, self._pace)
                    return
                here = here.join(egress.parsed(response.headers.get("Location", "")))
        raise egress.Refused(f"it redirects more than {_MOST_REDIRECTS} times")

    def _session(self, url: yarl.URL, own: egress.Origin | None) -> aiohttp.ClientSession:
        if egress.origin(url) == own:
            return self._home
        if url.scheme != "https":
            raise egress.Refused("it names an address that is not https and not at its endpoint")
        return self._abroad

    def _timeout(self, until: float) -> aiohttp.ClientTimeout:
        left_s = max(0.001, until - asyncio.get_running_loop().time())
        return aiohttp.ClientTimeout(total=left_s, sock_connect=10, sock_read=self._pace.silence_s)


class Answer:
    """What came back: its status, its headers, and a body that is read once."""

    def __init__(self, response: aiohttp.ClientResponse, pace: Pace) -> None:
        self._response, self._pace = response, pace
        self.status, self.headers, self.length = response.status, response.headers, response.content_length

    async def chunks(self, most_bytes: int) -> AsyncIterator[bytes]:
        """The body as it comes. Raises Refused when it is larger or slower than it may be, aiohttp.ClientError."""
        began, received = asyncio.get_running_loop().time(), 0
        async for chunk in self._response.content.iter_chunked(_CHUNK_BYTES):
            received += len(chunk)
            seconds = asyncio.get_running_loop().time() - began
            if received > most_bytes:
                raise egress.Refused("it is larger than it may be")
            if seconds > self._pace.grace_s and received < seconds * self._pace.least_bytes_per_s:
                raise egress.Refused(f"it comes more slowly than {self._pace.least_bytes_per_s:.0f} bytes a second")
            yield chunk


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )
