"""ProviderGatewayService: one method per RPC, in a room for each noun."""

from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc
from services.provider_gateway.api import calls, keys, offer, places, purse


class GatewayApi(
    offer.Offer,
    calls.Calls,
    purse.Purse,
    keys.Keys,
    places.Places,
    provider_gateway_service_pb2_grpc.ProviderGatewayServiceServicer,
):
    """Answers callers."""
