"""What providers are asked for is counted by endpoint and outcome, and never by account."""

import prometheus_client
import pytest

from services.provider_gateway import fetch, metering, providers


class Shop(providers.Provider):
    """Answers orders as told."""

    capabilities = providers.Capabilities()
    home = "https://shop.example"

    def __init__(self, answer: providers.CreateOutcome) -> None:
        self.answer, self.closed = answer, False

    async def create(self, order):
        return self.answer

    async def poll(self, provider_job_id):
        raise providers.ProviderAway("the line is dead")

    async def check(self):
        raise providers.KeyRefused("no such key")

    async def close(self):
        self.closed = True


def requests(operation: str, outcome: str) -> float:
    labels = {"endpoint": "shop", "operation": operation, "outcome": outcome}
    return prometheus_client.REGISTRY.get_sample_value("rushes_provider_requests_total", labels) or 0


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (providers.Accepted("job-1"), "ok"),
        (providers.Rejected("a bad word"), "invalid"),
        (providers.Rejected("slowly", passing=True), "throttled"),
        (providers.Rejected("no money", account=True), "refused"),
        (providers.NotSent("no route"), "not_sent"),
        (providers.Unknown("silence"), "unknown"),
    ],
)
async def test_an_order_is_counted_by_how_it_went(answer, outcome):
    shop = metering.Metered(Shop(answer), "shop")
    before = requests("create", outcome)
    assert await shop.create(None) is answer
    assert requests("create", outcome) == before + 1
    assert shop.home == Shop.home


async def test_what_is_raised_is_counted_and_raised():
    inner = Shop(providers.Accepted("job-1"))
    shop = metering.Metered(inner, "shop")
    before = requests("poll", "away"), requests("check", "refused")
    with pytest.raises(providers.ProviderAway):
        await shop.poll("job-1")
    with pytest.raises(providers.KeyRefused):
        await shop.check()
    assert (requests("poll", "away"), requests("check", "refused")) == (before[0] + 1, before[1] + 1)
    with pytest.raises(fetch.ClipGone), metering.call("shop", "fetch"):
        raise fetch.ClipGone("deleted")
    assert requests("fetch", "gone") >= 1
    under_way = prometheus_client.REGISTRY.get_sample_value("rushes_provider_inflight", {"endpoint": "shop"})
    assert under_way == 0
    await shop.close()
    assert inner.closed
