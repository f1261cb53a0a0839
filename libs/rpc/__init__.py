"""Serves and calls gRPC the one way the house does: identity, deadlines, errors, health, traces and metrics."""

from libs.rpc.client import bearer, connect
from libs.rpc.server import Server, ServerDraining, Servicer

__all__ = ["Server", "ServerDraining", "Servicer", "bearer", "connect"]
