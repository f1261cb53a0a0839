"""Encrypts calls between services, each of which shows a certificate."""

from typing import NamedTuple

import grpc

from libs import settings


class Tls(NamedTuple):
    """This process's certificate and key, and the authority that signs everybody's, as PEM."""

    certificate: bytes
    key: bytes
    authority: bytes

    def of_server(self) -> grpc.ServerCredentials:
        """Takes calls of those only whose certificate the authority has signed."""
        return grpc.ssl_server_credentials([(self.key, self.certificate)], self.authority, require_client_auth=True)

    def of_channel(self) -> grpc.ChannelCredentials:
        """Shows the certificate, to a server whose own is of the authority and names the address that is called."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def of(told: settings.Process) -> Tls | None:
    """What the settings say; None when calls are not encrypted."""
    if told.tls_cert is None or told.tls_key is None or told.tls_ca is None:
        return None
    return Tls(told.tls_cert.encode(), told.tls_key.get_secret_value().encode(), told.tls_ca.encode())
