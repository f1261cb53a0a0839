"""Reads the address of the bus."""

import urllib.parse


def credentials(url: str) -> dict[str, str]:
    """The user and the password of `nats://user:password@host`, for `nats.connect`; empty where there are none.

    Said apart from the address, they hold for the servers that a cluster tells of, too: there is no user in their
    addresses, from which nats-py would take it (`_connect_command` in nats/aio/client.py).
    """
    told = urllib.parse.urlsplit(url)
    return {"user": told.username, "password": told.password} if told.username and told.password else {}
