"""Calls between services are encrypted, and only those with a certificate are taken."""

import asyncio
import datetime
import ipaddress

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs import auditors, rpc, settings

PEM = serialization.Encoding.PEM


class Authority:
    """Signs certificates for this machine."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority of tests")])
        ca = x509.BasicConstraints(ca=True, path_length=None)
        self.pem = self._signed(self._name, self._key.public_key(), ca, critical=True).public_bytes(PEM)

    def tls(self):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "service")])
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return rpc.Tls(self._signed(name, key.public_key(), here).public_bytes(PEM), secret, self.pem)

    def _signed(self, name, key, extension, critical=False):
        now, hour = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
        made = x509.CertificateBuilder(self._name, name, key, x509.random_serial_number(), now - hour, now + hour)
        return made.add_extension(extension, critical).sign(self._key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority():
    return Authority()


async def always():
    return True


@pytest.fixture
async def server(authority, issuer):
    made = rpc.Server(
        "127.0.0.1:0",
        "test",
        [auditors.servicer(None)],
        issuer.verifier(),
        always,
        encrypted=authority.tls(),
        health_listen="127.0.0.1:0",
    )
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    while not made.health_port:  # noqa: ASYNC110, it is a turn or two of the loop
        await asyncio.sleep(0)
    yield made
    stop.set()
    await running


async def check(channel, timeout=5):
    async with channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="liveness"), timeout=timeout
        )
        return answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_whoever_shows_a_certificate_is_heard(server, authority):
    assert await check(rpc.connect(f"127.0.0.1:{server.port}", authority.tls()))


async def test_nobody_else_is(server, authority):
    stranger = Authority().tls()
    pretender = rpc.Tls(stranger.certificate, stranger.key, authority.pem)
    address, options = f"127.0.0.1:{server.port}", [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]
    without = grpc.ssl_channel_credentials(authority.pem)
    for channel in (
        grpc.aio.insecure_channel(address, options),
        grpc.aio.secure_channel(address, without, options),
        grpc.aio.secure_channel(address, pretender.of_channel(), options),
        grpc.aio.secure_channel(address, stranger.of_channel(), options),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await check(channel)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_probes_without_tls_hear_of_health_and_of_nothing_else(server):
    assert await check(rpc.connect(f"127.0.0.1:{server.health_port}"))
    async with rpc.connect(f"127.0.0.1:{server.health_port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/rushes.ops.v1.AuditService/VerifyAudit")(b"", timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_half_of_it_is_refused():
    whole = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0", "tls_cert": "c", "tls_key": "k", "tls_ca": "a"}
    assert rpc.tls_of(settings.Process(**whole)) == rpc.Tls(b"c", b"k", b"a")
    assert rpc.tls_of(settings.Process(**{name: whole[name] for name in ("listen", "metrics_listen")})) is None
    for name in ("tls_cert", "tls_key", "tls_ca"):
        with pytest.raises(ValueError, match="together"):
            settings.Process(**{key: value for key, value in whole.items() if key != name})
