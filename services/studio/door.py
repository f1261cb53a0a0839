"""How browsers get in here: by which address, whether without an account, and who else signs people in."""

import urllib.parse
from dataclasses import dataclass

from services.studio import oidc, settings


@dataclass(frozen=True, slots=True)
class Door:
    """As the settings have it; `url` is empty where the studio is reached as browsers call it."""

    url: str = ""
    guests: bool = False
    provider: oidc.Provider | None = None

    @property
    def is_secure(self) -> bool:
        """Whether browsers come over TLS, which a proxy before us may end."""
        return self.url.startswith("https://")

    @property
    def origin(self) -> str:
        """As browsers say it of our own pages; empty where it is not told."""
        parts = urllib.parse.urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}" if self.url else ""


ANYWHERE = Door()
"""Nobody else signs people in."""


def of(told: settings.Settings) -> Door:
    """The door that these settings make."""
    provider = None
    if told.oidc_issuer and told.oidc_client_id:
        secret = told.oidc_client_secret.get_secret_value() if told.oidc_client_secret else ""
        client = oidc.Client(told.oidc_client_id, secret, told.oidc_scope, f"{told.studio_url}/signin/callback")
        provider = oidc.Provider(told.oidc_issuer, client, told.oidc_name)
    return Door(told.studio_url or "", told.guests, provider)
