from typing import get_args

import pytest

from services.provider_gateway import catalogue, providers, settings
from services.provider_gateway.providers import registry

OFFER = catalogue.load(settings.Settings.model_fields["catalogue_path"].default)


def told(base_url: str = "", **more: str) -> settings.Installed:
    return settings.Installed.model_validate({"base_url": base_url, "key": "secret-key-1", **more})


@pytest.mark.parametrize("dialect", get_args(catalogue.Dialect))
async def test_every_dialect_of_the_catalogue_is_spoken(dialect: catalogue.Dialect) -> None:
    capabilities = providers.Capabilities(max_runtime_s=5)
    seller = registry.build(dialect, providers.Endpoint("there", "https://films.example", "key"), capabilities)
    assert seller.capabilities is capabilities
    await seller.close()


def test_an_installation_adds_key_and_address_to_the_catalogue() -> None:
    at = "http://127.0.0.1:7080/v1"
    found = registry.installed(OFFER, {"sandbox-openai": told(at, webhook_secret="whsec_x"), "gemini": told()})
    assert (found["sandbox-openai"].base_url, found["sandbox-openai"].webhook_secret) == (at, "whsec_x")
    assert found["sandbox-openai"].flags == OFFER.endpoints["sandbox-openai"].flags
    assert (found["gemini"].base_url, found["gemini"].key) == (OFFER.endpoints["gemini"].base_url, "secret-key-1")


def test_every_fault_of_an_installation_is_told_at_once() -> None:
    with pytest.raises(registry.EndpointsInvalid) as fault:
        registry.installed(OFFER, {"nowhere": told("http://a"), "openai-compatible": told(), "gemini": told("ftp://a")})
    assert [one.field for one in fault.value.violations] == [
        "endpoints.nowhere",
        "endpoints.openai-compatible.base_url",
        "endpoints.gemini.base_url",
    ]
