"""Builds a service's door from its settings: who is believed, who may come how often, and what is written down."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from libs import api_tokens, auditors, auth, limits, operating, rpc, run, settings

_KEYS_EVERY_S = 300.0


class Entrance(NamedTuple):
    """The server, and the parts of the process that it needs."""

    server: rpc.Server
    parts: dict[str, run.Part]


def of(
    told: settings.Service,
    means: operating.Means,
    servicers: Sequence[rpc.Servicer],
    knowing: Callable[[auth.Verifies], auth.Verifies] = lambda issuer: issuer,
    bus: Callable[[], bool] | None = None,
) -> Entrance:
    """The door of a service, which also takes tokens made for it alone, and answers operators about these `means`;
    `knowing` makes a verifier that knows more callers than the issuer does, and `bus` tells whether the bus is there.
    """
    service, database = means.service, means.database
    audiences = [told.auth_audience, f"{told.auth_audience}-{service.replace('_', '-')}"]
    claims = auth.Claims(told.auth_tenant_claim, told.auth_roles_claim)
    issuer = auth.Verifier(told.auth_jwks_url, told.auth_issuer, audiences, claims=claims)
    believed, encrypted = knowing(issuer), rpc.tls_of(told)
    if told.tokens_address:
        believed = api_tokens.Verifier(believed, api_tokens.asking(told.tokens_address, encrypted))
    counting = limits.Limits(database, told.limits)
    served = [*servicers, operating.servicer(means), auditors.servicer(database)]
    server = rpc.Server(
        told.listen,
        service,
        served,
        believed,
        means.schema.ready,
        told.reflection,
        counting.count,
        told.drain_s,
        encrypted,
        told.health_listen,
        bus,
    )
    return Entrance(server, {"rpc": server.run, "keys": run.every("keys", _KEYS_EVERY_S, issuer.refresh)})
