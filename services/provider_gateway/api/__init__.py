"""ProviderGatewayService: one method per RPC, in a room for each noun."""

from libs import rpc
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


def servicer(answers: GatewayApi) -> rpc.Servicer:
    """The service that these answer for."""
    add = provider_gateway_service_pb2_grpc.add_ProviderGatewayServiceServicer_to_server
    return rpc.Servicer(add, answers, "rushes.provider_gateway.v1.ProviderGatewayService")
