"""Canary keys go every way a key can go, failing ones included; then they are looked for everywhere."""

import asyncio
import dataclasses
import datetime
import itertools
import json
import os
import secrets
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp.web
import grpc
import grpc.aio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import credential_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from rushes.type.v1 import media_pb2
from services.cli import client, environment, house, visit, wire
from tests import homes
from tests.e2e import crew, oracle, sieve, waiting

CANARY, CONTROL = f"canary{secrets.token_hex(8)}", f"control{secrets.token_hex(8)}"
MODELS = {
    "sandbox-openai": "sandbox/reel-1",
    "sandbox-google": "sandbox/omni-1",
    "sandbox-veo": "sandbox/veo-1",
    "sandbox-fal": "sandbox/fal-reel",
    "sandbox-openrouter": "sandbox/openrouter-reel",
    "sandbox-runware": "sandbox/runware-reel",
    "sandbox-replicate": "sandbox/replicate-reel",
}
VEO = {"project": "rushes", "location": "global", "bucket": "rushes"}
DISASTERS = (
    "refused", "gone", "busy", "throttled(text)", "error_json_200", "drop_reply", "late_create(1)",
    "error_after_create", "id_missing", "key_revoked", "fails", "filtered", "wrong_type", "moves_host",
    "redirect_private",
)  # fmt: skip
EVERYWHERE = ("", "refused", "drop_reply", "key_revoked")
STATUSES = (200, 302, 400, 401, 404, 429, 500)
ORDERED = (400, 401, 500)


@dataclasses.dataclass(frozen=True)
class Case:
    """A tenant with one key, at the sandbox or at another address."""

    endpoint: str
    disaster: str = ""
    base_url: str = ""

    @property
    def key(self) -> str:
        """A canary, and what the sandbox shall do to it."""
        return new_key() + (f"+{self.disaster}" if self.disaster else "")


def new_key() -> str:
    return f"sk-{CANARY}-{secrets.token_hex(8)}"


async def echo(request: aiohttp.web.Request) -> aiohttp.web.Response:
    """A provider that repeats every key it is sent, in whatever it answers."""
    if request.path == "/token":  # what a service account's key is exchanged for
        return aiohttp.web.json_response({"access_token": f"ya29.{CANARY}{secrets.token_hex(40)}", "expires_in": 3600})
    said = f"{dict(request.headers)} {(await request.read())!r}"
    fault = {"message": said, "code": said, "type": said}
    answer = {"error": fault, "detail": said, "errors": [fault]}
    headers = {"Location": f"/200/{CANARY}", "X-Said": CANARY, "Retry-After": "1"}
    return aiohttp.web.json_response(answer, status=int(request.match_info["status"]), headers=headers)


@pytest.fixture
async def parrot() -> AsyncIterator[str]:
    """The address of that provider; the first part of a path is the status it answers with."""
    app = aiohttp.web.Application()
    app.router.add_route("*", "/{status}{rest:.*}", echo)
    runner = aiohttp.web.AppRunner(app, access_log=None)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


class Collector(grpc.GenericRpcHandler):
    """Keeps every trace it is sent, as it came."""

    def __init__(self) -> None:
        self.received = b""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._keep)

    async def _keep(self, request: bytes, context: Any) -> bytes:
        self.received += request
        return b""


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, Collector]]:
    """An OTLP collector, and its address."""
    kept, server = Collector(), grpc.aio.server()
    server.add_generic_rpc_handlers((kept,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"http://127.0.0.1:{port}", kept
    await server.stop(None)


@pytest.fixture
async def home(collector: tuple[str, Collector]) -> AsyncIterator[Path]:
    """Where a house says everything it can: each log line, each trace."""
    with homes.folder("rushes-e2e-") as made, pytest.MonkeyPatch.context() as told:
        told.setenv("RUSHES_LOG_LEVEL", "DEBUG")
        told.setenv("RUSHES_OTLP_ENDPOINT", collector[0])
        told.setenv("RUSHES_SANDBOX_INSTANT", "true")
        told.setenv("RUSHES_SANDBOX_LATENCY", "0")
        told.setenv("RUSHES_LEASE_S", "8")
        told.setenv("PLANTED", CONTROL)
        yield Path(made) / "home"


def token(of: house.House, tenant: str) -> str:
    """For anybody of this tenant, from the house's own issuer."""
    key: Any = serialization.load_pem_private_key((of.folder / "issuer.pem").read_bytes(), password=None)
    known = jwt.get_unverified_header(of.token.read_text().strip())["kid"]
    now = datetime.datetime.now(datetime.UTC)
    claims = {"iss": environment.ISSUER, "aud": environment.AUDIENCE, "sub": "ada", "tenant": tenant}
    more = {"roles": ["owner"], "iat": now, "exp": now + datetime.timedelta(minutes=30)}
    return jwt.encode(claims | more, key, algorithm="EdDSA", headers={"kid": known})


class Visitor:
    """A tenant of the house; what the house says to it, refusals included, is kept."""

    def __init__(self, services: client.Client, said: list[str]) -> None:
        self._services, self._said = services, said

    async def __call__(self, verb: str, **fields: Any) -> Any:
        """One call to the gateway; None when it is refused."""
        request = getattr(gateway_pb2, f"{verb}Request")(**fields)
        return await self._call(getattr(self._services.gateway, verb), request)

    async def _call(self, method: Any, request: Any) -> Any:
        try:
            metadata = (("authorization", f"Bearer {self._services.token}"),)
            answer = await method(request, metadata=metadata, timeout=90, wait_for_ready=True)
        except grpc.aio.AioRpcError as refused:
            self._said.append(f"{refused!r} {refused.trailing_metadata()} {client.Refused(refused)!r}")
            return None
        self._said.append(str(answer))
        return answer

    async def install(self, case: Case, name: str = "main") -> credential_pb2.Credential:
        """A credential of that kind."""
        made = await self(
            "CreateCredential",
            request_id=str(uuid.uuid4()),
            endpoint=case.endpoint,
            name=name,
            key=case.key,
            base_url=case.base_url,
            settings=VEO if case.endpoint == "sandbox-veo" else {},
            webhook_secret=f"whsec_{CANARY}",
        )
        assert made, self._said[-1]
        found: credential_pb2.Credential = made.credential
        return found

    async def order(self, model: str) -> str:
        """The id of a production of one clip."""
        board = storyboard_pb2.Storyboard(
            name=f"Board {CONTROL}", model=model, size=media_pb2.FrameSize(width=1280, height=720)
        )
        scene = board.scenes.add(title="One", subject=f"A kite {CONTROL}")
        scene.duration.seconds = 4
        boards, jobs = self._services.storyboards, self._services.jobs
        new = storyboard_service_pb2.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=board)
        made = (await self._call(boards.CreateStoryboard, new)).storyboard
        composing = storyboard_service_pb2.ComposePromptsRequest(storyboard_id=made.id, revision=made.revision)
        items = wire.items((await self._call(boards.ComposePrompts, composing)).prompts)
        quoted = await self("CreateQuote", request_id=str(uuid.uuid4()), items=items)
        assert quoted, f"{model}: {self._said[-1]}"
        ordering = job_service_pb2.CreateProductionRequest(
            request_id=str(uuid.uuid4()), storyboard_id=made.id, revision=made.revision, quote_id=quoted.quote.id
        )
        production_id: str = (await self._call(jobs.CreateProduction, ordering)).production.id
        return production_id

    async def has_film(self, production_id: str) -> bool:
        """Whether the production has succeeded."""
        asking = job_service_pb2.GetProductionRequest(production_id=production_id)
        found = (await self._call(self._services.jobs.GetProduction, asking)).production
        return bool(found.state == job_pb2.Production.STATE_SUCCEEDED)


def cases(of: house.House, parrot: str) -> Sequence[Case]:
    """Every kind of key and address that something is ordered with."""
    nowhere = ("http://127.0.0.1:1/v1", f"http://{of.address('nats_monitor')}/v1")
    return [
        *(Case(endpoint, disaster) for endpoint in MODELS for disaster in EVERYWHERE),
        *(Case("sandbox-openai", disaster) for disaster in DISASTERS if disaster not in EVERYWHERE),
        *(Case(endpoint, "", f"{parrot}/{status}") for endpoint in MODELS for status in ORDERED),
        *(Case("sandbox-openai", "", address) for address in nowhere),
    ]


async def buy(visitor: Visitor, case: Case) -> str:
    """Order with such a key, which is verified, and replaced while the order is on its way."""
    made = await visitor.install(case)
    await visitor("VerifyCredential", credential_id=made.id)
    production_id = await visitor.order(MODELS[case.endpoint])
    if case.disaster == "key_revoked":
        await visitor("VerifyCredential", credential_id=made.id)
        await visitor("RotateCredential", credential_id=made.id, key=case.key)
    return production_id


async def misuse(of: house.House, visitor: Visitor, parrot: str) -> None:
    """Every refusal there is, and a row that was tampered with."""

    async def asked(case: Case, name: str) -> None:
        made = await visitor.install(case, name)
        await visitor("VerifyCredential", credential_id=made.id)
        await visitor("DeleteCredential", credential_id=made.id)

    wanted = (Case(endpoint, "", f"{parrot}/{status}") for endpoint in MODELS for status in STATUSES)
    await asyncio.gather(*(asked(case, f"main {number}") for number, case in enumerate(wanted)))
    key = new_key()
    good = {"request_id": str(uuid.uuid4()), "endpoint": "openai", "name": "a", "key": key}
    for wrong in (
        {"key": f"{key}\n"},
        {"key": f"{key} {key}"},
        {"key": key * 500},
        {"name": f"of {key}"},
        {"base_url": f"https://{key}@video.example"},
        {"base_url": f"https://video.example/?key={key}"},
        {"settings": {"project": key}},
        {"webhook_secret": f" {key}"},
        {"endpoint": CONTROL},
        {},
        {"key": new_key()},
        {"request_id": str(uuid.uuid4())},
    ):
        await visitor("CreateCredential", **good | wrong)
    (openai,) = (await visitor("ListCredentials", endpoint="openai")).credentials
    await visitor("RotateCredential", credential_id=openai.id, key=new_key(), etag="old")
    await visitor("RotateCredential", credential_id=openai.id, key=f"{new_key()}\0")
    await visitor("RotateCredential", credential_id="cred_none", key=new_key())
    other = credential_pb2.Credential(id=openai.id, base_url=parrot)
    await visitor("UpdateCredential", credential=other, update_mask={"paths": ["base_url"]})
    await oracle.rows(
        of, "provider_gateway", f"UPDATE credentials SET ciphertext = wrapped_key WHERE id = '{openai.id}'"
    )
    assert await visitor("VerifyCredential", credential_id=openai.id) is None


def private_key() -> str:
    """Such as a service account has."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = serialization.PrivateFormat.PKCS8
    return made.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


async def exchange(visitor: Visitor, parrot: str, pem: str) -> None:
    """Keys that are documents, the good and the bad: they are exchanged for tokens, which are keys too."""
    account = {"type": "service_account", "client_email": "film@video.example", "token_uri": f"{parrot}/token"}
    for number, (key, status) in enumerate(itertools.product((pem, CANARY), ORDERED)):
        made = await visitor(
            "CreateCredential",
            request_id=str(uuid.uuid4()),
            endpoint="sandbox-veo",
            name=f"account {number}",
            key=json.dumps(account | {"private_key": key}, indent=2),
            base_url=f"{parrot}/{status}",
            settings=VEO,
        )
        assert made
        await visitor("VerifyCredential", credential_id=made.credential.id)


async def type_it(of: house.House, said: list[str]) -> None:
    """As a person at the keyboard, and in haste: the key where it does not belong."""
    key = new_key()
    for words, typed in (
        (["add", "gemini"], key),
        (["add", "gemini"], f"{key} {key}"),
        (["rotate", "cred_none"], key),
        (["list"], ""),
    ):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "credentials", *words, "--home", str(of.folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment.base(),
        )
        said.append((await process.communicate(typed.encode()))[0].decode())


async def settled(of: house.House, count: int) -> bool:
    """Whether every order has been sent at least once."""
    begun = "tries > 0 OR state NOT IN ('PARKED', 'INTENT', 'SENDING', 'PROVIDER_DONE', 'FETCHING')"
    found = await oracle.rows(of, "provider_gateway", f"SELECT count(DISTINCT job_id) FROM submissions WHERE {begun}")
    return bool(found[0][0] == count)


async def bought_with_those_keys(of: house.House, count: int) -> None:
    """Each with its own, and so that it came to every kind of end."""
    wanted = {"STORED", "REJECTED", "PROVIDER_FAILED", "UNKNOWN", "ACCEPTED"}

    async def came_to_all() -> bool:
        found = await oracle.rows(of, "provider_gateway", "SELECT account, state FROM submissions")
        keys = {one["account"] for one in found if one["account"].startswith("cred_")}
        return len(keys) == count and wanted <= {one["state"] for one in found}

    await waiting.until("every kind of end", came_to_all)


async def test_no_key_is_anywhere_but_in_memory(home: Path, collector: tuple[str, Collector], parrot: str) -> None:
    said, pem = list[str](), private_key()
    strained = sieve.Sieve(canary=CANARY, private_key=pem.splitlines()[5], control=CONTROL)
    async with visit.visiting(home, said.append) as of, client.connect(of) as services:
        wanted = cases(of, parrot)
        visitors = [Visitor(dataclasses.replace(services, token=token(of, f"t{n}")), said) for n in range(len(wanted))]
        productions = await asyncio.gather(*map(buy, visitors, wanted))
        await waiting.until("every order to be sent", lambda: settled(of, len(wanted)), 240)
        killed = await crew.healthy(of, "provider_gateway")
        os.kill(killed, signal.SIGKILL)
        await crew.healthy(of, "provider_gateway", other_than=killed)
        await bought_with_those_keys(of, len(wanted))
        await misuse(of, Visitor(services, said), parrot)
        await exchange(Visitor(services, said), parrot, pem)
        await type_it(of, said)
        for visitor, production_id, case in zip(visitors, productions, wanted, strict=True):
            if not (case.disaster or case.base_url):
                await waiting.until(f"the film of {case}", lambda v=visitor, p=production_id: v.has_film(p))
        await strained.databases(of)
        assert strained.processes(of) > len(house.SERVICES)
    with (home / "logs" / "provider_gateway.log").open("a") as log:
        log.write(CONTROL)
    strained.files(home)
    strained.look("said", "\n".join(said).encode())
    strained.look("traces", collector[1].received)
    print(f"bytes scanned={sum(strained.bytes.values())} {dict(strained.bytes)}, canaries found={strained.found}")  # noqa: T201
    assert b"CreateCredential" in collector[1].received
    assert {"database", "nats", "logs", "environ", "said", "postgres"} <= strained.found["control"].keys()
    assert (strained.found["canary"], strained.found["private_key"]) == ({}, {})
