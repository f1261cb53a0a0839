"""Every service behind the door that its process has, with something of a tenant's in each."""

import contextlib
import datetime
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pydantic
from google.protobuf import message_factory
from google.rpc import error_details_pb2

from libs import blobs, dead_letters, entrance, operating, outbox, rpc, settings
from rushes.compiler.v1 import compiler_service_pb2_grpc
from rushes.job.v1 import events_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc
from rushes.storyboard.v1 import storyboard_service_pb2_grpc
from services.compiler import api as compiler_api
from services.compiler import events as compiler_events
from services.compiler import settings as compiler_settings
from services.compiler import sharing, workshop
from services.job import api as job_api
from services.job import events as job_events
from services.job import webhook_sender
from services.provider_gateway import api as gateway_api
from services.provider_gateway import events as gateway_events
from services.storyboard import api as storyboard_api
from services.storyboard import guests, writer
from services.storyboard.api import people, sessions, tokens
from tests.contract import access
from tests.integration import refusals
from tests.integration.compiler import conftest as films
from tests.integration.job import conftest as jobs
from tests.integration.job import hooks, news
from tests.integration.provider_gateway import conftest as orders
from tests.integration.provider_gateway import shop

NAMES = ("storyboard", "provider_gateway", "job", "compiler")
EVENT = "evt_of_acme"
BOARD = {
    "name": "The letter",
    "characters": [{"name": "Ada", "profile": "A yellow coat."}],
    "scenes": [{"title": "Harbour", "subject": "A lighthouse", "duration": {"seconds": 4}}],
}


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Answer(NamedTuple):
    """How a call ended; `reason` is the ErrorInfo's, `said` the response."""

    code: grpc.StatusCode
    reason: str = ""
    said: Any = None


class Household:
    """The doors by service, everything that can be asked of them, and the ids of what is acme's."""

    def __init__(self, doors: dict[str, Any]) -> None:
        self.doors = doors
        self.methods: dict[str, list[Any]] = {}
        for service in access.services():
            package = service.full_name.split(".")[1]
            names = [name for name in NAMES if package == name or (package == "ops" and serves(name, service.name))]
            names += ["storyboard"] if package == "access" else []
            for method in service.methods:
                for name in names:
                    self.methods.setdefault(f"/{service.full_name}/{method.name}", []).append((name, method))
        self.ids: dict[str, str] = {"event_id": EVENT}

    def doors_of(self, path: str) -> list[str]:
        """The services that have this method."""
        return [name for name, _ in self.methods[path]]

    def request(self, path: str) -> Any:
        """An empty one."""
        return message_factory.GetMessageClass(self.methods[path][0][1].input_type)()

    async def ask(self, name: str, path: str, request: Any, token: str = "") -> Answer:
        """One call; a stream is left after its first message."""
        method = self.methods[path][0][1]
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        response = message_factory.GetMessageClass(method.output_type)
        make = getattr(self.doors[name].channel, kind)
        ask = make(path, type(request).SerializeToString, response.FromString)
        sent = iter([request]) if method.client_streaming else request
        metadata = rpc.bearer(token) if token else ()
        call = ask(sent, metadata=metadata, timeout=3 if method.server_streaming else 15)
        try:
            said = await call.read() if method.server_streaming else await call
        except grpc.aio.AioRpcError as fault:
            if fault.code() is grpc.StatusCode.DEADLINE_EXCEEDED and method.server_streaming:
                return Answer(grpc.StatusCode.OK)
            return Answer(fault.code(), refusals.detail(fault, error_details_pb2.ErrorInfo).reason)
        finally:
            call.cancel()
        return Answer(grpc.StatusCode.OK, "", said)


def serves(name: str, service: str) -> bool:
    """Whether a service answers this one of the machinery's: storyboards hear no events, and have no dead letters."""
    return service != "DeadLetterService" or name != "storyboard"


@contextlib.asynccontextmanager
async def opened(database: Any, serve: Any, issuer: Any, folder: Path) -> AsyncIterator[Household]:
    """The services, as acme has used them."""
    site = Site({name: await database(name) for name in NAMES}, serve, issuer, folder)
    async with site.leaving:
        await site.storyboards()
        keys = await site.gateway()
        crew, hooked = await site.jobs()
        await site.films()
        made = Household(site.doors)
        shopper = orders.Gateway(site.places["provider_gateway"], site.doors["provider_gateway"], issuer, now, keys)
        await shopper.hear(*await shopper.orders(orders.spec()))
        made.ids["submission_id"] = (await shopper.submissions())[0].id
        await _furnish(made, site.places, issuer, crew, hooked)
        yield made


class Site:
    """Where the doors are put up, each as the process of its service does it."""

    def __init__(self, places: dict[str, Any], serve: Any, issuer: Any, folder: Path) -> None:
        self.places, self._serve, self._issuer, self._folder = places, serve, issuer, folder
        self.doors: dict[str, Any] = {}
        self.leaving = contextlib.AsyncExitStack()

    async def storyboards(self) -> None:
        media, visitors = (
            blobs.open_store((self._folder / "media").as_uri()),
            guests.Reception(pydantic.SecretStr("s" * 32)),
        )
        behind = storyboard_api.StoryboardApi(
            self.places["storyboard"].database, "sandbox/reel-1", now, media, visitors, writer.Nobody()
        )
        add = storyboard_service_pb2_grpc.add_StoryboardServiceServicer_to_server
        servicer = rpc.Servicer(add, behind, storyboard_api.NAME)
        keeper = tokens.TokenApi(self.places["storyboard"].database, now)
        porter = sessions.SessionApi(self.places["storyboard"].database, now, visitors, datetime.timedelta(hours=1))

        def knowing(issuer: Any) -> Any:
            return porter.knowing(keeper.knowing(guests.Verifier(issuer, visitors, now)))

        roll = people.PeopleApi(self.places["storyboard"].database, now)
        served = (servicer, keeper.servicer(), porter.servicer(), roll.servicer())
        await self._open("storyboard", *served, knowing=knowing)

    async def gateway(self) -> Any:
        """Its keys."""
        database = self.places["provider_gateway"].database
        keys = shop.keyring_of(database, {"sandbox-openai": shop.NOWHERE}, now)
        self.leaving.push_async_callback(keys.close)
        behind = gateway_api.GatewayApi(database, shop.OFFER, orders.LIMITS, now, keys, shop.SAFE)
        heard = gateway_events.Events(orders.admission.Admission(shop.OFFER, keys, now), now).handlers()
        add = provider_gateway_service_pb2_grpc.add_ProviderGatewayServiceServicer_to_server
        servicers = rpc.Servicer(add, behind, orders.NAME), dead_letters.servicer(database, heard)
        await self._open("provider_gateway", *servicers)
        return keys

    async def jobs(self) -> tuple[Any, Any]:
        """The crew, and its webhooks."""
        database, post = self.places["job"].database, webhook_sender.Post(True)
        self.leaving.push_async_callback(post.close)
        behind = job_api.JobApi(
            database,
            storyboard_service_pb2_grpc.StoryboardServiceStub(self.doors["storyboard"].channel),
            provider_gateway_service_pb2_grpc.ProviderGatewayServiceStub(self.doors["provider_gateway"].channel),
            now,
        )
        hooked = hooks.Hooks(database, now, post)
        letters = dead_letters.servicer(database, job_events.HANDLERS)
        await self._open("job", jobs.job_servicer(behind), hooked.servicer(), letters)
        return jobs.Crew(self.places["job"], self.doors["job"], self._issuer, behind), hooked

    async def films(self) -> None:
        database = self.places["compiler"].database
        files = blobs.open_store(f"{(self._folder / 'films').as_uri()}?public=http://127.0.0.1:1&secret=s3cret")
        (door := self._folder / "door").mkdir()
        told = compiler_settings.Settings.model_construct(work_folder=door, lease_s=30, film_timeout_s=60)
        floor = workshop.fitted_out(database, files, now, "door", told)
        self.leaving.push_async_callback(floor.close)
        add = compiler_service_pb2_grpc.add_CompilerServiceServicer_to_server
        letters = dead_letters.servicer(database, compiler_events.HANDLERS)
        servicer = rpc.Servicer(add, compiler_api.CompilerApi(floor), films.NAME)
        await self._open("compiler", servicer, sharing.servicer(floor), letters)
        (clip := self._folder / "clip").write_bytes(b"a clip")
        await files.put_file("t/acme/clips/a.mp4", clip, "video/mp4")

    def address(self, name: str) -> str:
        """Where a service listens."""
        return f"127.0.0.1:{self.doors[name].server.port}"

    async def _open(self, name: str, *servicers: rpc.Servicer, knowing: Any = lambda issuer: issuer) -> None:
        told = settings.Service(
            listen="127.0.0.1:0",
            metrics_listen="127.0.0.1:0",
            database_url=self.places[name].url,
            auth_jwks_url=self._issuer.jwks_url,
            auth_issuer=self._issuer.name,
            tokens_address=None if name == "storyboard" else self.address("storyboard"),
            limit_generate=0,
            limit_compile=0,
            limit_session=0,
            drain_s=0,
        )
        means = operating.Means(name, self.places[name].database, told)
        front = entrance.of(told, means, servicers, knowing)
        self.doors[name] = await self._serve(name, server=front.server)


async def _furnish(made: Household, places: Any, issuer: Any, crew: Any, hooked: Any) -> None:
    """A board, a quote, a production with a take, a webhook with a delivery, a film, and a dead letter everywhere."""

    async def do(door: str, verb: str, **fields: Any) -> Any:
        path = next(path for path in made.methods if path.endswith(f"/{verb}"))
        request = type(made.request(path))(**fields)
        answer = await made.ask(door, path, request, issuer.token())
        assert answer.code is grpc.StatusCode.OK, (verb, answer)
        return answer.said

    def once() -> str:
        return str(uuid.uuid4())

    board = (await do("storyboard", "CreateStoryboard", request_id=once(), storyboard=BOARD)).storyboard
    made.ids |= {"storyboard_id": board.id, "scene_id": board.scenes[0].id, "thing_id": board.characters[0].id}
    made.ids["claim_code"] = (await do("storyboard", "CreateGuestStoryboard", storyboard={"name": "Else"})).claim_code
    composed = (await do("storyboard", "ComposePrompts", storyboard_id=board.id)).prompts
    items = [{"scene_id": one.scene_id, "spec": one.spec} for one in composed]
    quote = (await do("provider_gateway", "CreateQuote", request_id=once(), items=items)).quote
    ordered = {"storyboard_id": board.id, "revision": board.revision, "quote_id": quote.id}
    production = (await do("job", "CreateProduction", request_id=once(), **ordered)).production
    made.ids |= {"quote_id": quote.id, "production_id": production.id, "job_id": production.jobs[0].id}
    await crew.hear(news.stored((await crew.jobs(production.id))[0]))
    made.ids["take_id"] = (await do("job", "ListTakes", storyboard_id=board.id)).takes[0].id
    hook = {"url": "http://127.0.0.1:1/hook"}
    endpoint = (await do("job", "CreateWebhookEndpoint", request_id=once(), webhook_endpoint=hook)).webhook_endpoint
    (delivery,) = await hooked.say(endpoint.id, 1)
    made.ids |= {"webhook_endpoint_id": endpoint.id, "webhook_delivery_id": delivery}
    edits = films.edit_list("t/acme/clips/a.mp4")
    made.ids["film_id"] = (await do("compiler", "CreateFilm", request_id=once(), edit_list=edits)).film.id
    seen = {"title": "Harbour", "duration": {"seconds": 4}, "clip": {"key": "t/acme/clips/a.mp4"}}
    seen["take_id"] = made.ids["take_id"]
    made.ids["share_id"] = (await do("compiler", "CreateShare", request_id=once(), take=seen)).share.id
    wish = {"name": "Ours", "role": "ROLE_VIEWER"}
    token = (await do("storyboard", "CreateApiToken", request_id=once(), api_token=wish)).api_token
    made.ids["api_token_id"] = token.id
    made.ids["session_id"] = (await do("storyboard", "CreateSession")).session.id
    wish = {"name": "Bea", "role": "ROLE_VIEWER"}
    pending, used = [await do("storyboard", "CreateInvitation", invitation=wish) for _ in range(2)]
    bea = (await do("storyboard", "RedeemTicket", ticket=used.ticket)).session.subject
    made.ids |= {"invitation_id": pending.invitation.id, "person_id": bea}
    key = {"endpoint": "sandbox-openai", "name": "Ours of acme", "key": "sk-of-acme-0123456789"}
    credential = (await do("provider_gateway", "CreateCredential", request_id=once(), **key)).credential
    made.ids["credential_id"] = credential.id
    thrown = await do(
        "provider_gateway", "ThrowSpendSwitch", scope="SCOPE_MODEL", target="sandbox/reel-1", reason="No."
    )
    made.ids["spend_switch_id"] = thrown.spend_switch.id
    event = events_pb2.CancelRequested(tenant_id="acme", job_id=made.ids["job_id"])
    row = outbox.Event(EVENT, event.DESCRIPTOR.full_name, event.SerializeToString(), {})
    for name in set(NAMES) - {"storyboard"}:
        async with places[name].database.house() as conn:
            await outbox.bury(conn, row, outbox.Fault("KeyError", "services/a.py:1 b", 8))
