"""A storyboard service of its own for each test, and a client of it."""

import datetime
import itertools
import uuid
from pathlib import Path
from typing import Any

import pydantic
import pytest

from libs import blobs, rpc
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2_grpc as pb_grpc
from services.storyboard import api, guests, writer

SECRET = pydantic.SecretStr("a secret of thirty-two characters")


class Client:
    """Calls by name, as anybody: `await client("GetStoryboard", storyboard_id=…)`."""

    def __init__(self, door: Any, issuer: Any, place: Any, media: Any) -> None:
        self.door, self.issuer, self.place, self.media = door, issuer, place, media
        self.stub = pb_grpc.StoryboardServiceStub(door.channel)

    async def __call__(self, verb: str, tenant: str = "acme", subject: str = "ada", **fields: Any) -> Any:
        request = getattr(pb, f"{verb}Request")(**fields)
        return await getattr(self.stub, verb)(request, metadata=self.issuer.bearer(tenant, subject), timeout=10)

    async def anonymously(self, verb: str) -> Any:
        """A call without a token."""
        return await getattr(self.stub, verb)(getattr(pb, f"{verb}Request")(), timeout=10)

    async def create(self, board: Any, **who: str) -> Any:
        """A new storyboard, as it is kept."""
        answer = await self("CreateStoryboard", request_id=str(uuid.uuid4()), storyboard=board, **who)
        return answer.storyboard


@pytest.fixture
def author() -> writer.Writer:
    """No language model; a test of proposals has one."""
    return writer.Nobody()


@pytest.fixture
async def client(database: Any, serve: Any, issuer: Any, tmp_path: Path, author: writer.Writer) -> Client:
    """The service on a database of its own; its clock moves one second with each look."""
    seconds = itertools.count()
    start = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)
    place = await database("storyboard")
    media, visitors = blobs.open_store(tmp_path.as_uri()), guests.Reception(SECRET)

    def clock() -> datetime.datetime:
        return start + datetime.timedelta(seconds=next(seconds))

    storyboard_api = api.StoryboardApi(place.database, "sandbox/reel-1", clock, media, visitors, author)
    add = pb_grpc.add_StoryboardServiceServicer_to_server
    servicer = rpc.Servicer(add, storyboard_api, api.NAME, api.DEADLINES)
    verifier = guests.Verifier(issuer.verifier(), visitors, lambda: start)
    return Client(await serve("storyboard", servicer, verifier=verifier), issuer, place, media)
