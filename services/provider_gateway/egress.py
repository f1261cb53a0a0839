"""The one way to addresses that providers name: public ones over https, checked where the connection is made."""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import aiohttp.abc
import yarl

Origin = tuple[str, str, int | None]

_CHUNK_BYTES = 1 << 20
_MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_UNREADABLE = "the provider names an address that cannot be read"
_EXACT = re.compile(r"[!-~]+")
# Where clouds tell their machines secrets, beside the link-local range: Azure, Amazon and Alibaba.
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16,
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html,
# https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
_METADATA = {"168.63.129.16", "fd00:ec2::254", "100.100.100.200"}

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # mapped, NAT64, local and multicast numbers are all outside
# The ranges of IANA's two special-purpose registries, multicast, and what else leads back to where we stand.
# https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in """
        0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
        192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15
        198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32
        2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20
    """.split()
)


class Refused(Exception):
    """We do not go there, or no further; the message says why, without the address."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow an answer may be, in seconds and bytes.

    `whole_s` for all of it, `silence_s` without a byte; once `grace_s` have passed, `least_bytes_per_s` on average.
    """

    whole_s: float = 900.0
    silence_s: float = 30.0
    grace_s: float = 30.0
    least_bytes_per_s: float = 8192.0


def is_public(address: str) -> bool:
    """Whether this is the number of a machine out in the internet; what is no number is not."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if number.version == 6 and number not in _GLOBAL_UNICAST:
        return False
    return not any(number in special for special in _SPECIAL)


def is_metadata(address: str) -> bool:
    """Whether clouds answer at this number with the secrets of their machines."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    number = getattr(number, "ipv4_mapped", None) or number
    return number.is_link_local or str(number) in _METADATA


def guarded(
    resolver: aiohttp.abc.AbstractResolver | None = None, may_reach: Callable[[str], bool] = is_public, **more: Any
) -> aiohttp.TCPConnector:
    """Connections to public numbers alone; `more` is aiohttp's. Needs a running event loop. Raises Refused in use."""
    guard = _Guard(resolver or aiohttp.DefaultResolver(), may_reach)
    return aiohttp.TCPConnector(resolver=guard, use_dns_cache=False, socket_factory=guard.open_socket, **more)


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
        may_reach: Callable[[str], bool] = is_public,
    ) -> None:
        self._pace, trust = pace or Pace(), tls or ssl.create_default_context()
        self._abroad = _session(guarded(resolver, may_reach, ssl=trust))
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
        here, own = _parsed(url), origin(_parsed(home)) if home else None
        first = origin(here)
        for _ in range(_MOST_REDIRECTS + 1):
            if origin(here) != first:
                credentials = {}
            async with self._session(here, own).get(
                here, headers={**headers, **credentials}, allow_redirects=False, timeout=self._timeout(until)
            ) as response:
                if response.status not in _REDIRECTS:
                    yield Answer(response, self._pace)
                    return
                here = here.join(_parsed(response.headers.get("Location", "")))
        raise Refused(f"it redirects more than {_MOST_REDIRECTS} times")

    def _session(self, url: yarl.URL, own: Origin | None) -> aiohttp.ClientSession:
        if origin(url) == own:
            return self._home
        if url.scheme != "https":
            raise Refused("the provider names an address that is not https and not at its endpoint")
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
                raise Refused("it is larger than it may be")
            if seconds > self._pace.grace_s and received < seconds * self._pace.least_bytes_per_s:
                raise Refused(f"it comes more slowly than {self._pace.least_bytes_per_s:.0f} bytes a second")
            yield chunk


class _Guard(aiohttp.abc.AbstractResolver):
    """Asks the DNS once for each connection, which then goes to that answer; no name and no number gets past it."""

    def __init__(self, resolver: aiohttp.abc.AbstractResolver, may_reach: Callable[[str], bool]) -> None:
        self._resolver, self._may_reach = resolver, may_reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        """Every number of a name; one that is not public spoils them all."""
        try:
            answers = await self._resolver.resolve(host, port, family)
        except ValueError:  # it cannot be written as the DNS writes names
            raise Refused(_UNREADABLE) from None
        for answer in answers:
            self._check(answer["host"])
        return answers

    def open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for this number: those that stand in an address never came to `resolve`."""
        family, kind, protocol, _, address = info
        self._check(str(address[0]))
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Give the resolver back."""
        await self._resolver.close()

    def _check(self, number: str) -> None:
        if not self._may_reach(number):
            raise Refused("the provider names an address that is not public and not at its endpoint")


def origin(url: yarl.URL) -> Origin:
    """Where credentials may go: scheme, host and port."""
    return url.scheme, (url.raw_host or "").lower(), url.port


def _parsed(text: str) -> yarl.URL:
    """Without changing a sign of it, where it can be sent as it is: it may be signed."""
    try:
        url = yarl.URL(text, encoded=bool(_EXACT.fullmatch(text)))
        has_user = url.raw_user is not None or url.raw_password is not None
    except ValueError:
        raise Refused(_UNREADABLE) from None
    if has_user:
        raise Refused("the provider names an address with a user in it")
    return url


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )
