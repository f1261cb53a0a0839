"""A gateway that has the verbs of credentials alone, and providers that remember the key they were made with."""

import datetime
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import grpc.aio
import pytest
import sqlalchemy as sa
from google.protobuf import field_mask_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from libs import ids, rpc
from rushes.provider_gateway.v1 import credential_pb2, provider_gateway_service_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc as pb_grpc
from services.provider_gateway import (
    catalogue,
    credential_store,
    credentials,
    domain,
    keyring,
    providers,
    vault,
)
from services.provider_gateway.api import keys

CHECKED = {"source": "-", "checked_at": "2026-11-21"}
OFFER = catalogue.Catalogue.model_validate(
    {
        "default_model": "",
        "models": [],
        "endpoints": {
            "openai": {"dialect": "openai_videos", "base_url": "https://api.openai.com/v1", **CHECKED},
            "gemini": {"dialect": "google_interactions", "base_url": "https://gemini.example", **CHECKED},
            "sandbox-openai": {"dialect": "openai_videos", "capabilities": {"retention_s": 60}, **CHECKED},
        },
    }
)
NOW = datetime.datetime(2026, 11, 21, 12, 0, 30, tzinfo=datetime.UTC)
OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
ORDER = providers.Order("sub_1", "model", "A kite.", "", 1, 640, 360, None, True)
CANARY = "sk-canary-0123456789abcdef"
ENABLED, DISABLED = credential_pb2.Credential.STATE_ENABLED, credential_pb2.Credential.STATE_DISABLED

Open = Callable[..., Any]


class Shop(providers.Provider):
    """Somebody who sells to every key but `refused…`, and is away for `away…`."""

    def __init__(self, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> None:
        self.endpoint, self.capabilities, self.closed = endpoint, capabilities, False

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        return providers.Accepted(f"{order.submission_id} with {self.endpoint.key}")

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        return providers.Pending()

    async def check(self) -> None:
        if self.endpoint.key.startswith("refused"):
            raise providers.KeyRefused("No such key.")
        if self.endpoint.key.startswith("away"):
            raise providers.ProviderAway("No answer came.")

    async def close(self) -> None:
        self.closed = True


class Api(keys.Keys, pb_grpc.ProviderGatewayServiceServicer):
    """The verbs of credentials alone."""


class House:
    """A gateway with these keys for its vault: called as anybody, and looked into."""

    def __init__(self, place: Any, issuer: Any, outer: Mapping[str, bytes], current: str, private: bool) -> None:
        self.database, self._issuer, self.now = place.database, issuer, NOW
        self.vault = vault.Vault(outer, current)
        installed = {"sandbox-openai": providers.Endpoint("sandbox-openai", "http://127.0.0.1:1/v1", "of the house")}
        self.keyring = keyring.Keyring(
            self.database, OFFER, installed, self.vault, self._made, lambda: self.now, private, idle_s=0.0
        )
        self.made: list[Shop] = []
        self.stub: Any = None

    def _made(self, _: str, endpoint: providers.Endpoint, capabilities: providers.Capabilities) -> providers.Provider:
        self.made = [*getattr(self, "made", []), Shop(endpoint, capabilities)]
        return self.made[-1]

    async def open(self, serve: Any) -> "House":
        api = Api(
            database=self.database,
            offer=OFFER,
            limits={},
            clock=lambda: self.now,
            keyring=self.keyring,
            vault=self.vault,
        )
        name = "rushes.provider_gateway.v1.ProviderGatewayService"
        servicer = rpc.Servicer(pb_grpc.add_ProviderGatewayServiceServicer_to_server, api, name)
        self.stub = pb_grpc.ProviderGatewayServiceStub((await serve("provider_gateway", servicer)).channel)
        return self

    async def __call__(self, verb: str, tenant: str = "acme", **fields: Any) -> Any:
        request = getattr(provider_gateway_service_pb2, f"{verb}Credential{'s' * (verb == 'List')}Request")(**fields)
        method = getattr(self.stub, f"{verb}Credential{'s' * (verb == 'List')}")
        answer = await method(request, metadata=self._issuer.bearer(tenant), timeout=15)
        return getattr(answer, "credential", answer)

    async def refused(self, verb: str, **fields: Any) -> tuple[str, str]:
        """The code and the reason, of a refusal that shows no key."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self(verb, **fields)
        status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
        assert status is not None
        assert "canary" not in str(status)
        info = error_details_pb2.ErrorInfo()
        for detail in status.details:
            detail.Unpack(info)
        return caught.value.code().name, info.reason

    async def install(self, **more: Any) -> credential_pb2.Credential:
        made: credential_pb2.Credential = await self("Create", **wanted(**more))
        return made

    async def update(self, *paths: str, **fields: Any) -> Any:
        mask = field_mask_pb2.FieldMask(paths=paths)
        return await self("Update", credential=credential_pb2.Credential(**fields), update_mask=mask)

    async def row(self, credential_id: str, tenant: str = "acme") -> credentials.Credential:
        async with self.database.tenant(tenant) as conn:
            return await credential_store.get(conn, tenant, credential_id)

    async def bend(self, credential_id: str, **values: Any) -> None:
        table = credential_store.CREDENTIALS
        async with self.database.house() as conn:
            await conn.execute(sa.update(table).where(table.c.id == credential_id).values(values))

    async def everything(self) -> str:
        """The whole table as text."""
        async with self.database.house() as conn:
            rows = (await conn.execute(sa.select(credential_store.CREDENTIALS))).all()
        return "\n".join(str(tuple(row)) for row in rows)

    async def accounts(self, endpoint: str = "openai", tenant: str = "acme") -> list[str]:
        async with self.database.house() as conn:
            return [one.name for one in await self.keyring.accounts(conn, tenant, endpoint)]

    async def configured(self, tenant: str = "acme") -> frozenset[str]:
        async with self.database.house() as conn:
            return await self.keyring.configured(conn, tenant)

    async def key_of(self, account: str, tenant: str = "acme", buying: bool = True) -> str | None:
        """The key that this account is bought with; None when nobody sells to it."""
        provider = await self.keyring.provider(account, tenant, buying)
        return provider.endpoint.key if isinstance(provider, Shop) else None


def wanted(**more: Any) -> dict[str, Any]:
    base = {"request_id": str(uuid.uuid4()), "endpoint": "openai", "name": ids.new("name"), "key": CANARY}
    return base | more


def bought(account: str, state: domain.State) -> dict[str, Any]:
    """A submission that was bought with this account."""
    texts = ("production_id", "storyboard_id", "scene_id", "model", "wire_model", "traceparent", "likeness")
    return {
        **dict.fromkeys(texts, ""),
        "id": ids.new("sub"),
        "tenant_id": "acme",
        "job_id": ids.new("job"),
        "attempt": 1,
        "endpoint": "openai",
        "spec": b"",
        "last_frame_wanted": False,
        "account": account,
        "budgets": [],
        "turn": 0,
        "currency": "XTS",
        "reserved_micros": 1,
        "state": state,
        "version": 1,
        "tries": 0,
        "created_at": NOW,
        "updated_at": NOW,
        "next_action_at": NOW,
        "lease_epoch": 0,
    }
