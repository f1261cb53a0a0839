"""Keeps connections to addresses that strangers name out of private networks, where each connection is made."""

import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import aiohttp.abc
import yarl

Origin = tuple[str, str, int | None]

_UNREADABLE = "it names an address that cannot be read"
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


def origin(url: yarl.URL) -> Origin:
    """Where credentials may go: scheme, host and port."""
    return url.scheme, (url.raw_host or "").lower(), url.port


def parsed(text: str) -> yarl.URL:
    """The address, unchanged where it can be sent as it is: it may be signed. Raises Refused."""
    try:
        url = yarl.URL(text, encoded=bool(_EXACT.fullmatch(text)))
        has_user = url.raw_user is not None or url.raw_password is not None
    except ValueError:
        raise Refused(_UNREADABLE) from None
    if has_user:
        raise Refused("it names an address with a user in it")
    return url


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
            raise Refused("it names an address that is not public")
