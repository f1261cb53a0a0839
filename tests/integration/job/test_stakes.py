"""What hangs on an event that nobody could handle."""

from rushes.job.v1 import events_pb2
from services.job import stakes
from services.provider_gateway import stakes as gateway_stakes
from tests.integration.job import news


async def test_what_a_job_was_charged_or_can_cost_hangs_on_its_news(crew):
    done, running = await crew.begin(False, False)
    await crew.hear(news.stored(done))
    async with crew.database.house() as conn:
        paid, quoted = await stakes.of(conn, news.stored(done)), await stakes.of(conn, news.stored(running))
        nobody = await stakes.of(conn, events_pb2.CancelRequested(tenant_id="acme", job_id="job_none"))
    assert paid == ("XTS", news.COST)
    assert quoted == ("XTS", 500_000)
    assert nobody is None


async def test_what_its_quote_allows_hangs_on_an_order_that_was_never_taken(line):
    board = await line.board(1)
    quote = await line.quote(board)
    (item,) = quote.items
    order = {"tenant_id": "acme", "job_id": "job_1", "quote_id": quote.id, "scene_id": item.scene_id}
    async with line.gateway_database.house() as conn:
        found = await gateway_stakes.of(conn, events_pb2.ClipRequested(**order))
        foreign = await gateway_stakes.of(conn, events_pb2.ClipRequested(**order | {"tenant_id": "other"}))
    assert found == (item.most_you_can_pay.currency, item.most_you_can_pay.micros)
    assert found.micros > 0
    assert foreign is None
