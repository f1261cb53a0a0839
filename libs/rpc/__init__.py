"""Serves and calls gRPC the one way the house does: identity, deadlines, errors, health, traces and metrics."""

from libs.rpc.asides import replayed
from libs.rpc.client import bearer, connect
from libs.rpc.server import Server, ServerDraining, Servicer
from libs.rpc.tls import Tls
from libs.rpc.tls import of as tls_of

__all__ = ["Server", "ServerDraining", "Servicer", "Tls", "bearer", "connect", "replayed", "tls_of"]
