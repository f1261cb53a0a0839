"""What hangs on an event that nobody could handle."""

from rushes.job.v1 import events_pb2
from services.job import stakes
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
