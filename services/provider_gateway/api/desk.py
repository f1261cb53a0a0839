"""What every verb of the gateway has at hand."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc.aio

from libs import db
from services.provider_gateway import catalogue, credentials, keyring, vault

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Desk:
    """Where callers are answered. `limits` are what new tenants may spend, by currency, in micros.

    `draining` ends the watches of a server that is going away.
    """

    database: db.Database
    offer: catalogue.Catalogue
    limits: Mapping[str, int]
    clock: Callable[[], datetime]
    keyring: keyring.Keyring
    vault: vault.Vault
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    def check_endpoint(self, name: str) -> None:
        """Raises EndpointNotFound."""
        if name not in self.offer.endpoints:
            known = ", ".join(sorted(self.offer.endpoints))
            raise credentials.EndpointNotFound(endpoint=name[:100], known=known)
