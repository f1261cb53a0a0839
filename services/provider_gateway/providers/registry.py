"""The dialects we speak, and who sells in which."""

from collections.abc import Callable, Mapping

from libs import errors
from services.provider_gateway import catalogue, providers
from services.provider_gateway.providers import exchange, google, openai_videos

DIALECTS: Mapping[catalogue.Dialect, Callable[[providers.Endpoint, providers.Capabilities], providers.Provider]] = {
    "openai_videos": openai_videos.OpenAIVideos,
    "google_interactions": google.GoogleInteractions,
}


class EndpointsInvalid(errors.Invalid):
    """The endpoints of this installation cannot be used as they are."""


def build(
    dialect: catalogue.Dialect, endpoint: providers.Endpoint, capabilities: providers.Capabilities
) -> providers.Provider:
    """Someone to buy from. Needs a running event loop to be used, not to be built."""
    return DIALECTS[dialect](endpoint, capabilities)


def sellers(offer: catalogue.Catalogue, installed: Mapping[str, tuple[str, str]]) -> dict[str, providers.Provider]:
    """Someone to buy from at each installed endpoint: name → base_url (empty: the catalogue's) and key.

    Raises EndpointsInvalid, with every fault.
    """
    faults, found = list[errors.Violation](), dict[str, tuple[catalogue.Endpoint, providers.Endpoint]]()
    for name, (base_url, key) in installed.items():
        terms = offer.endpoints.get(name)
        url = base_url or (terms.base_url if terms else None) or ""
        if terms is None:
            faults.append(
                errors.Violation(f"endpoints.{name}", f"the catalogue knows only {', '.join(offer.endpoints)}")
            )
        elif exchange.address(url) is None:
            faults.append(errors.Violation(f"endpoints.{name}.base_url", "should be an http or https address"))
        else:
            found[name] = terms, providers.Endpoint(name, url, key)
    if faults:
        raise EndpointsInvalid(faults)
    return {name: build(terms.dialect, place, terms.capabilities) for name, (terms, place) in found.items()}
