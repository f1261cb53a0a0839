"""The dialects we speak, and the installation's own endpoints."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from libs import errors
from services.provider_gateway import catalogue, metering, providers
from services.provider_gateway.providers import (
    exchange,
    fal,
    google,
    openai_videos,
    openrouter,
    replicate,
    runware,
    veo,
)

Build = Callable[[providers.Endpoint, providers.Capabilities], providers.Provider]

DIALECTS: Mapping[catalogue.Dialect, Build] = {
    "openai_videos": openai_videos.OpenAIVideos,
    "google_interactions": google.GoogleInteractions,
    "google_veo": veo.GoogleVeo,
    "fal": fal.Fal,
    "openrouter": openrouter.OpenRouter,
    "runware": runware.Runware,
    "replicate": replicate.Replicate,
}


class EndpointsInvalid(errors.Invalid):
    """The endpoints of this installation cannot be used as they are."""


class Installed(Protocol):
    """What the installation says of one of its own endpoints."""

    @property
    def base_url(self) -> str:
        """Empty for the catalogue's."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """What belongs to the key's account."""
        ...

    def secrets(self) -> tuple[str, str]:
        """The key, and what verifies callbacks."""
        ...


def build(
    dialect: catalogue.Dialect, endpoint: providers.Endpoint, capabilities: providers.Capabilities
) -> providers.Provider:
    """Someone to buy from, whose calls are seen. Needs a running event loop to be used, not to be built."""
    made = DIALECTS[dialect](endpoint, capabilities)
    made.home = "" if endpoint.public_only else endpoint.base_url
    return metering.Metered(made, endpoint.name)


def needs(dialect: catalogue.Dialect) -> Sequence[str]:
    """The settings without which nothing can be ordered there."""
    return veo.NEEDED if dialect == "google_veo" else ()


def installed(offer: catalogue.Catalogue, told: Mapping[str, Installed]) -> dict[str, providers.Endpoint]:
    """The installation's own endpoints, by name. Raises EndpointsInvalid, with every fault."""
    faults, found = list[errors.Violation](), dict[str, providers.Endpoint]()
    for name, one in told.items():
        terms = offer.endpoints.get(name)
        url = one.base_url or (terms.base_url if terms else None) or ""
        if terms is None:
            known = ", ".join(offer.endpoints)
            faults.append(errors.Violation(f"endpoints.{name}", f"the catalogue knows only {known}"))
        elif exchange.address(url) is None or "@" in url:
            why = "should be an http or https address, without a user"
            faults.append(errors.Violation(f"endpoints.{name}.base_url", why))
        else:
            key, webhook_secret = one.secrets()
            found[name] = providers.Endpoint(name, url, key, terms.flags, one.settings, webhook_secret)
    if faults:
        raise EndpointsInvalid(faults)
    return found
