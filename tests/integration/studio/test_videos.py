"""What the `openai` SDK makes of a house that refuses or is away, and how much of a form is read."""

import asyncio

import httpx
import openai
import pytest

from libs import blobs, db, limits, rpc
from rushes.job.v1 import job_service_pb2 as jobs
from rushes.job.v1 import job_service_pb2_grpc as jobs_grpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc as gateway_grpc
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from rushes.storyboard.v1 import storyboard_service_pb2_grpc as boards_grpc
from services.studio import web as studio
from tests import ports
from tests.integration.studio import conftest, openid

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
DOG = {"prompt": "A dog", "seconds": "1", "size": "640x360"}
WAIT_S = 7.0


class Gateway(gateway_grpc.ProviderGatewayServiceServicer):
    async def ListModels(self, request, context):
        return gateway.ListModelsResponse()


class Boards(boards_grpc.StoryboardServiceServicer):
    """Says that its database is away when it `waits`, and else meets what nobody foresaw when it `breaks`."""

    breaks = waits = False

    async def CreateStoryboard(self, request, context):
        if self.waits:
            raise db.DatabaseAway
        if self.breaks:
            raise RuntimeError("a fault of ours")
        return boards.CreateStoryboardResponse(storyboard=storyboard_pb2.Storyboard(id="sb_1", revision=1))


class Jobs(jobs_grpc.JobServiceServicer):
    async def ListProductions(self, request, context):
        return jobs.ListProductionsResponse()

    async def PlanProduction(self, request, context):
        return jobs.PlanProductionResponse()


class Front:
    """The front, its address, and the services behind it."""

    def __init__(self, address, doors, token):
        self.address, self.doors = address, doors
        self.sdk = openai.AsyncOpenAI(base_url=f"http://{address}/v1", api_key=token, max_retries=0)


@pytest.fixture
async def front(serve, issuer, tmp_path):
    async def count(who, limit):
        raise limits.CallsExhausted(retry_after_s=WAIT_S, limit=limit, per_minute=20)

    made = {
        "provider_gateway": (gateway_grpc.add_ProviderGatewayServiceServicer_to_server, Gateway()),
        "storyboard": (boards_grpc.add_StoryboardServiceServicer_to_server, Boards()),
        "job": (jobs_grpc.add_JobServiceServicer_to_server, Jobs()),
    }
    names = {
        "provider_gateway": "rushes.provider_gateway.v1.ProviderGatewayService",
        "storyboard": "rushes.storyboard.v1.StoryboardService",
        "job": "rushes.job.v1.JobService",
    }
    doors = {name: await serve(name, rpc.Servicer(*made[name], names[name]), count=count) for name in made}
    store = blobs.open_store(f"{(tmp_path / 'blobs').as_uri()}?public=http://127.0.0.1&secret=s3cret")
    app = studio.build({name: door.channel for name, door in doors.items()}, store, conftest.now)
    address = f"127.0.0.1:{ports.free()}"
    async with openid.serving(app, address):
        front = Front(address, {name: servicer for name, (_, servicer) in made.items()}, issuer.token())
        async with front.sdk:
            yield front


async def test_too_many_calls_are_a_rate_limit_of_the_sdk(front):
    with pytest.raises(openai.RateLimitError) as refused:
        await front.sdk.videos.create(**DOG)
    assert (refused.value.type, refused.value.code) == ("rate_limit_error", "calls_exhausted")
    assert refused.value.response.headers["retry-after"] == "7"


async def test_what_is_away_or_broken_is_a_fault_of_the_server_for_the_sdk(front):
    for ill, status in (("breaks", 500), ("waits", 503)):
        setattr(front.doors["storyboard"], ill, True)
        with pytest.raises(openai.InternalServerError) as refused:
            await front.sdk.videos.create(**DOG)
        assert (refused.value.status_code, refused.value.type) == (status, "server_error")
        assert "a fault of ours" not in refused.value.response.text


async def test_a_form_is_read_as_far_as_a_video_needs(front):
    head = "POST /v1/videos HTTP/1.1\r\nhost: studio\r\ncontent-type: multipart/form-data; boundary=x\r\n"
    for size in ("content-length: 20000001", "transfer-encoding: chunked"):
        reader, writer = await asyncio.open_connection(*front.address.split(":"))
        writer.write(f"{head}authorization: Bearer {front.sdk.api_key}\r\n{size}\r\n\r\n".encode())
        assert (await asyncio.wait_for(reader.readline(), 20)).split()[1] == b"413", size
        writer.close()
    bearer = {"authorization": f"Bearer {front.sdk.api_key}"}
    picture = ("input_reference", ("a.png", b"picture"))
    async with httpx.AsyncClient(base_url=f"http://{front.address}", headers=bearer) as client:
        for files in ([(f"field {one}", (None, "a")) for one in range(21)], [picture, picture]):
            told = await client.post("/v1/videos", files=files)
            assert (told.status_code, told.json()["error"]["message"].endswith("is no form.")) == (400, True), told.text
