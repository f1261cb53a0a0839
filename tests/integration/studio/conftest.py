"""A studio whose storyboard service and OpenID provider are real, over HTTP."""

import contextlib
import datetime

import httpx
import pydantic
import pytest

from libs import blobs, limits, rpc
from rushes.access.v1 import session_service_pb2 as pb
from rushes.access.v1 import session_service_pb2_grpc as pb_grpc
from rushes.storyboard.v1 import storyboard_service_pb2_grpc
from services.storyboard import api, guests, writer
from services.storyboard.api import sessions, tokens
from services.studio import door, oidc
from services.studio import web as studio
from tests import ports
from tests.integration.studio import openid


def now():
    return datetime.datetime.now(datetime.UTC)


class Studio:
    """A studio whose storyboard service is real, and a browser on it."""

    now = staticmethod(now)

    def __init__(self, address, provider, channel, store):
        self.url, self.openid, self.sessions = f"http://{address}", provider, pb_grpc.SessionServiceStub(channel)
        self.channel, self.store, self.counted = channel, store, []

    def browser(self, url=""):
        return httpx.AsyncClient(base_url=url or self.url, follow_redirects=True, timeout=20)

    @contextlib.asynccontextmanager
    async def another(self, app):
        """A browser on another application beside it."""
        address = f"127.0.0.1:{ports.free()}"
        async with openid.serving(app, address), self.browser(f"http://{address}") as browser:
            yield browser

    def token(self, **claims):
        return self.openid.sign(**self.openid.person | {"aud": "rushes"} | claims)

    async def ticket(self):
        made = await self.sessions.CreateTicket(pb.CreateTicketRequest(name="Ada"), metadata=rpc.bearer(self.token()))
        return made.ticket


@pytest.fixture
async def place(database, serve, tmp_path):
    """The studio, over HTTP; its provider is told by the settings, its guests are welcome."""
    async with contextlib.AsyncExitStack() as stack:
        address, theirs = (f"127.0.0.1:{ports.free()}" for _ in range(2))
        provider = openid.OpenId(theirs, f"http://{address}/signin/callback", tmp_path)
        await stack.enter_async_context(openid.serving(provider.app(), theirs))
        kept, visitors = (await database("storyboard")).database, guests.Reception(pydantic.SecretStr("g" * 32))
        boards = api.StoryboardApi(kept, "sandbox/reel-1", now, None, visitors, writer.Nobody())
        keeper = tokens.TokenApi(kept, now)
        porter = sessions.SessionApi(kept, now, visitors, datetime.timedelta(hours=12))
        add = storyboard_service_pb2_grpc.add_StoryboardServiceServicer_to_server
        served = [rpc.Servicer(add, boards, api.NAME), keeper.servicer(), porter.servicer()]
        verifier = porter.knowing(keeper.knowing(guests.Verifier(provider.verifier(), visitors, now)))
        counting = []

        async def count(who, limit):
            counting.append((who, limit))
            if len(counting) > 20:
                raise limits.CallsExhausted(retry_after_s=7.0, limit=limit, per_minute=20)
            return limits.said(limit, 20, 20 - len(counting), 3.0 * len(counting))

        behind = await serve("storyboard", *served, verifier=verifier, count=count)
        client = oidc.Client(openid.CLIENT, openid.SECRET, "openid profile", f"http://{address}/signin/callback")
        by = door.Door(guests=True, provider=oidc.Provider(provider.issuer, client, "Example ID"))
        store = blobs.open_store(f"{(tmp_path / 'blobs').as_uri()}?public=http://{address}&secret=s3cret")
        app = studio.build({"storyboard": behind.channel}, store, now, by)
        await stack.enter_async_context(openid.serving(app, address))
        made = Studio(address, provider, behind.channel, store)
        made.counted = counting
        yield made
