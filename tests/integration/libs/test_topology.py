"""The streams and consumers become what the file says, however often it is applied."""

import nats
import pydantic
import pytest
from nats.js import api

from libs import topology


@pytest.fixture
async def js(nats_url):
    client = await nats.connect(nats_url)
    yield client.jetstream()
    await client.close()


async def hears(js, stream, consumer):
    return set((await js.consumer_info(stream, consumer)).config.filter_subjects)


async def test_applying_again_changes_nothing(js, nats_url):
    before = [(await js.stream_info(stream.name)).created for stream in topology.load().streams]
    await topology.apply(nats_url, topology.load())
    assert [(await js.stream_info(stream.name)).created for stream in topology.load().streams] == before
    assert await hears(js, "job", "compiler") == {"rushes.job.v1.FilmRequested"}


async def test_a_full_stream_refuses_and_keeps_what_it_has(js):
    for stream in topology.load().streams:
        config = (await js.stream_info(stream.name)).config
        assert (config.discard, config.storage) == (api.DiscardPolicy.NEW, api.StorageType.FILE)
        assert config.subjects == [f"rushes.{stream.name}.v1.>"]


async def test_a_change_of_the_file_is_applied(js, nats_url):
    changed = topology.Topology.model_validate(
        {"streams": [{"name": "job", "consumers": [{"name": "compiler", "hears": ["FilmRequested", "JobChanged"]}]}]}
    )
    await topology.apply(nats_url, changed)
    assert await hears(js, "job", "compiler") == {"rushes.job.v1.FilmRequested", "rushes.job.v1.JobChanged"}


async def test_what_is_not_as_written_is_said(js, nats_url):
    written = topology.load()
    assert await topology.differences(nats_url, written) == []
    stream = (await js.stream_info("job")).config
    stream.max_age = 3600
    await js.update_stream(stream)
    await js.delete_consumer("job", "compiler")
    assert await topology.differences(nats_url, written) == [
        "job: max_age is 3600000000000, not 604800000000000",
        "job/compiler: is not there",
    ]
    await topology.apply(nats_url, written)
    assert await topology.differences(nats_url, written) == []


def test_a_misspelt_file_is_refused(tmp_path):
    path = tmp_path / "topology.yaml"
    path.write_text("streams: [{name: job, consumer: []}]")
    with pytest.raises(pydantic.ValidationError, match=r"streams\.0\.consumer"):
        topology.load(path)
