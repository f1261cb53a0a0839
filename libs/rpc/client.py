"""Opens channels to other services."""

import json

import grpc
import grpc.aio

from libs import auth, telemetry
from libs.rpc import channel, tls

MAX_MESSAGE_BYTES = 8 << 20

# Only UNAVAILABLE is retried, and only because every call is safe to repeat: creates carry a request_id.
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},  # who says that it drains gets no more calls, long before it is gone
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
OPTIONS = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_http_proxy", 0),  # services talk to each other, whatever proxy leads to the world
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    # Back-off between connection attempts: a service that restarts is away for a moment, not for two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


def connect(address: str, encrypted: tls.Tls | None = None) -> grpc.aio.Channel:
    """A long-lived channel to `host:port` or `dns:///name:port`; one for each target and process."""
    if encrypted:
        return channel.Measured(grpc.aio.secure_channel(address, encrypted.of_channel(), options=OPTIONS))
    return channel.Measured(grpc.aio.insecure_channel(address, options=OPTIONS))


def bearer(token: str | None = None) -> tuple[tuple[str, str], ...]:
    """Call metadata: the token given, or that of the caller we are answering, and the trace we are in."""
    token = token or auth.caller().token
    return ("authorization", f"Bearer {token}"), *telemetry.current().items()
