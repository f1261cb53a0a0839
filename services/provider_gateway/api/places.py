"""The verb of endpoints: where one can buy, and how each account there is doing."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from libs import auth, moments
from rushes.provider_gateway.v1 import endpoint_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from services.provider_gateway import breakers, traffic, wire
from services.provider_gateway.api import desk

_PAST = "Nothing more is bought with it; it finishes what it has bought."


class Places(desk.Desk):
    """ListEndpoints."""

    async def ListEndpoints(self, request: pb.ListEndpointsRequest, context: desk.Context) -> pb.ListEndpointsResponse:
        """Every endpoint of the catalogue, with the accounts that the caller buys with, or waits for something of."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            shared, loads = await traffic.accounts(conn), await traffic.loads(conn, tenant_id)
            names = {
                endpoint: [account.name for account in await self.keyring.accounts(conn, tenant_id, endpoint)]
                for endpoint in sorted(self.offer.endpoints)
            }
        past = _past(loads, names)
        return pb.ListEndpointsResponse(
            endpoints=[
                endpoint_pb2.Endpoint(
                    name=endpoint,
                    dialect=self.offer.endpoints[endpoint].dialect,
                    capabilities=_capabilities(self.offer.endpoints[endpoint].capabilities),
                    accounts=[
                        *(_account(name, shared.get(name), loads.get(name)) for name in accounts),
                        *(_account(name, shared.get(name), loads[name], _PAST) for name in past[endpoint]),
                    ],
                )
                for endpoint, accounts in names.items()
            ]
        )


def _past(loads: Mapping[str, traffic.Load], names: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """The accounts that nothing more is bought with, and that still have to finish something, by endpoint."""
    return {
        endpoint: sorted(name for name, load in loads.items() if load.endpoint == endpoint and name not in accounts)
        for endpoint, accounts in names.items()
    }


def _capabilities(value: Any) -> dict[str, str]:
    return {name: str(given).lower() for name, given in dataclasses.asdict(value).items() if given is not None}


def _account(
    name: str, shared: breakers.Account | None, load: traffic.Load | None, reason: str = ""
) -> endpoint_pb2.Account:
    state, load = shared.breaker if shared else breakers.Breaker.CLOSED, load or traffic.Load()
    return endpoint_pb2.Account(
        name=name,
        breaker=endpoint_pb2.Account.Breaker.Value(f"BREAKER_{state}"),
        reason=(shared.reason if shared else "") or reason,
        probe_time=moments.stamp(shared.probe_at) if shared else None,
        waiting=load.waiting,
        under_way=load.under_way,
        unknown=load.unknown,
        at_stake=wire.money(load.at_stake, load.currency) if load.unknown else None,
        to_fetch=load.to_fetch,
        first_expire_time=moments.stamp(load.first_expiry),
    )
