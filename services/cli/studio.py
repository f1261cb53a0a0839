"""The way into the studio for the person at this machine: an address that lets one browser in, once."""

import asyncio
import getpass
from pathlib import Path

from rushes.access.v1 import session_service_pb2 as pb
from services.cli import client, gateway, house


async def way_in(of: house.House) -> str:
    """The address; what is behind its `#` no server is told, and is good for ten minutes. Raises Ended."""
    async with client.connect(of) as services:
        made = await services.call(services.sessions.CreateTicket, pb.CreateTicketRequest(name=_name()))
    return door(of, made.ticket)


def door(of: house.House, ticket: str) -> str:
    """Where a ticket is taken."""
    return f"http://{of.elsewhere.get('pages') or of.address('studio')}/signin#{ticket}"


def show(home: Path) -> str:
    """The address of the house that runs there. Raises Ended."""
    return asyncio.run(way_in(gateway.running(home)))


def _name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container nobody need have a name
        return ""
