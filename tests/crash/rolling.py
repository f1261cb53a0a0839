"""`python -m tests.crash.rolling`: every replica of every service is restarted under load; nobody's call may fail.

Two replicas of each gRPC service; clients with the settings of docs/clients.md and no retries of their own. Prints how
many calls were made and how many failed, and how many streams were resumed; ends with 1 when a call failed, or a stream
missed something.
"""

import asyncio
import collections
import contextlib
import datetime
import itertools
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc.aio

from libs import migrate, rpc
from rushes.access.v1 import session_service_pb2_grpc
from rushes.compiler.v1 import compiler_service_pb2, compiler_service_pb2_grpc
from rushes.job.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from rushes.ops.v1 import ops_service_pb2, ops_service_pb2_grpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2, storyboard_service_pb2_grpc
from services.cli import check, client, environment, health, house, issuer, processes, supervisor
from tests import ports
from tests.bench import line
from tests.e2e import waiting

REPLICAS = 2
SERVICES = ("storyboard", "provider_gateway", "compiler", "job")
_CALLERS, _PAUSE_S = 2, 0.02
_FILMERS, _SCENES = 2, 3
_SETTLED_S = 3.0
"""As `minReadySeconds` of a Deployment: longer than clients take at most to come back to a replica."""
_DRAIN_S = 3.0
_DEADLINE_S = 15.0
_WITHIN_S = 120.0


class Tally:
    """What became of calls and streams."""

    def __init__(self) -> None:
        self.calls = collections.Counter[str]()
        self.failed = collections.Counter[str]()
        self.resumed = collections.Counter[str]()
        self.wrong: list[str] = []
        self.films = 0

    def counted(self, service: str, stub: Any) -> Any:
        """The stub, with every unary call counted."""
        return _Counted(self, service, stub)

    async def call(self, service: str, method: Any, request: Any, metadata: Any) -> Any:
        """One call, as a client makes it that leaves everything to its channel."""
        self.calls[service] += 1
        try:
            return await method(request, timeout=_DEADLINE_S, metadata=metadata)
        except grpc.aio.AioRpcError as fault:
            what = f"{service} {type(request).__name__.removesuffix('Request')} {fault.code().name}: {fault.details()}"
            self.failed[what] += 1
            raise


class _Counted:
    def __init__(self, tally: Tally, service: str, stub: Any) -> None:
        self._tally, self._service, self._stub = tally, service, stub

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)
        if name.startswith(("Watch", "Upload")):
            return method

        async def call(request: Any, metadata: Any, **_: Any) -> Any:
            return await self._tally.call(self._service, method, request, metadata)

        return call


class Fleet:
    """Two of each, beside one database, one bus and one sandbox."""

    def __init__(self, of: house.House) -> None:
        self.of = of
        self.addresses = {service: list(itertools.islice(_free(), REPLICAS)) for service in SERVICES}
        self.children = {
            (service, number): processes.Child(self._program(service, number), of.log(f"{service}-{number}"), _noted)
            for service in SERVICES
            for number in range(REPLICAS)
        }

    def target(self, service: str) -> str:
        """All replicas of a service, as a client names them: in Kubernetes, `dns:///` and the headless Service."""
        return "ipv4:" + ",".join(address for address, _ in self.addresses[service])

    def _program(self, service: str, number: int) -> processes.Program:
        address, metrics = self.addresses[service][number]
        told = environment.of_service(self.of, service)
        told |= {"RUSHES_LISTEN": address, "RUSHES_METRICS_LISTEN": metrics, "RUSHES_DRAIN_S": str(_DRAIN_S)}
        told |= {f"RUSHES_{name.upper()}_ADDRESS": self.target(name) for name in SERVICES}
        if "RUSHES_TOKENS_ADDRESS" in told:
            told["RUSHES_TOKENS_ADDRESS"] = self.target("storyboard")
        if number:
            told.pop("RUSHES_CALLBACKS_LISTEN", None)  # every order names the first one's
        command = (sys.executable, "-m", f"services.{service}")
        return processes.Program(f"{service}-{number}", address, command, told, lambda: health.serving(address))

    async def restart(self, service: str, number: int) -> float:
        """Tell one to stop, wait for its next life, and until clients have come back to it; how long it drained."""
        child = self.children[service, number]
        pid, began = child.pid, time.monotonic()
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        await waiting.until(f"the end of {service}-{number}", lambda: _is_gone(child, pid), _WITHIN_S)
        drained_s = time.monotonic() - began
        if "code 0" not in child.trouble:
            raise AssertionError(f"{service}-{number}: {child.trouble}")
        await waiting.until(f"a new {service}-{number}", lambda: health.serving(child.program.address), _WITHIN_S)
        await asyncio.sleep(_SETTLED_S)
        return drained_s


@contextlib.asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Fleet]:
    """A fleet with everything healthy."""
    of = house.prepare(house.make_folder(folder / "home"), _quiet)
    issuer.prepare(of, datetime.datetime.now(datetime.UTC))
    kept = supervisor.Supervisor(of, ("sandbox",), _quiet)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(kept.stop)
        await kept.start()
        for service in house.DATABASES:
            await migrate.upgrade(environment.database_url(of, service, f"{service}_owner"), service)
        fleet = Fleet(of)
        for child in fleet.children.values():
            stack.push_async_callback(child.stop)
            child.start()
        for child in fleet.children.values():
            address = child.program.address
            await waiting.until(child.program.name, lambda address=address: health.serving(address), _WITHIN_S)
        yield fleet


class Crowd:
    """Everybody who uses the fleet, until `over`."""

    def __init__(self, tally: Tally, channels: Mapping[str, grpc.aio.Channel], token: str) -> None:
        self._tally, self._metadata = tally, rpc.bearer(token)
        self.over = asyncio.Event()
        stubs = {
            "storyboard": storyboard_service_pb2_grpc.StoryboardServiceStub,
            "provider_gateway": provider_gateway_service_pb2_grpc.ProviderGatewayServiceStub,
            "job": job_service_pb2_grpc.JobServiceStub,
            "compiler": compiler_service_pb2_grpc.CompilerServiceStub,
        }
        made = {name: tally.counted(name, stub(channels[name])) for name, stub in stubs.items()}
        ops = {name: ops_service_pb2_grpc.OpsServiceStub(channels[name]) for name in SERVICES}
        self._ops = {name: tally.counted(name, stub) for name, stub in ops.items()}
        self.services = client.Client(
            storyboards=made["storyboard"],
            gateway=made["provider_gateway"],
            jobs=made["job"],
            films=made["compiler"],
            sessions=session_service_pb2_grpc.SessionServiceStub(channels["storyboard"]),
            token=token,
        )

    async def run(self) -> None:
        """Call, film and watch until it is over."""
        callers = [self._calls(service) for service in SERVICES for _ in range(_CALLERS)]
        async with asyncio.TaskGroup() as group:
            for each in (*callers, *(self._films(number) for number in range(_FILMERS)), self._watches_jobs()):
                group.create_task(each)

    async def _calls(self, service: str) -> None:
        for turn in itertools.count():
            if self.over.is_set():
                return
            with contextlib.suppress(grpc.aio.AioRpcError):  # it is counted
                await self._one_call(service, turn)
            await asyncio.sleep(_PAUSE_S)

    async def _one_call(self, service: str, turn: int) -> None:
        of, metadata = self.services, self._metadata
        if turn % 10 == 0:
            await self._ops[service].GetStatus(ops_service_pb2.GetStatusRequest(), metadata=metadata)
        elif service == "storyboard":
            await self._board(turn)
        elif service == "provider_gateway":
            await of.gateway.ListSubmissions(gateway_pb2.ListSubmissionsRequest(page_size=5), metadata=metadata)
        elif service == "job":
            await of.jobs.ListProductions(job_service_pb2.ListProductionsRequest(page_size=5), metadata=metadata)
        else:
            await of.films.ListFilms(compiler_service_pb2.ListFilmsRequest(page_size=5), metadata=metadata)

    async def _board(self, turn: int) -> None:
        of, metadata = self.services.storyboards, self._metadata
        if turn % 3:
            await of.ListStoryboards(storyboard_service_pb2.ListStoryboardsRequest(page_size=5), metadata=metadata)
            return
        board = storyboard_pb2.Storyboard(name=f"Rolling {turn}")
        board.scenes.add(subject="A wheel", title="one").duration.seconds = 1
        request = storyboard_service_pb2.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=board)
        await of.CreateStoryboard(request, metadata=metadata)

    async def _films(self, number: int) -> None:
        """Production after production, each watched to its end."""
        for turn in itertools.count():
            if self.over.is_set():
                return
            with contextlib.suppress(grpc.aio.AioRpcError):
                request = await line._quoted(self.services, _SCENES, number * 1000 + turn)
                made = await self.services.jobs.CreateProduction(request, metadata=self._metadata)
                await self._watches(made.production.id)
                self._tally.films += 1

    async def _watches(self, production_id: str) -> None:
        """Every message once, in order; the last word on each job is the truth."""
        token, version, jobs = "", 0, dict[str, job_pb2.Job]()
        while True:
            request = job_service_pb2.WatchProductionRequest(production_id=production_id, resume_token=token)
            stream = self.services.jobs.WatchProduction(request, metadata=self._metadata)
            try:
                async for news in stream:
                    token = news.resume_token or token
                    version = self._in_order(production_id, version, news)
                    told = news.snapshot if news.HasField("snapshot") else None
                    jobs |= {job.id: job for job in ([news.job] if news.HasField("job") else told.jobs if told else [])}
                break
            except grpc.aio.AioRpcError as fault:
                if fault.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                self._tally.resumed["WatchProduction"] += 1
        await self._compare(production_id, jobs)

    def _in_order(self, production_id: str, before: int, news: job_service_pb2.WatchProductionResponse) -> int:
        named = [one for one in (news.snapshot, news.production, news.job) if one.id]
        now = max((one.version for one in named), default=before)
        if now < before:
            self._tally.wrong.append(f"{production_id}: {now} after {before}")
        return now

    async def _compare(self, production_id: str, seen: Mapping[str, job_pb2.Job]) -> None:
        request = job_service_pb2.GetProductionRequest(production_id=production_id)
        production = (await self.services.jobs.GetProduction(request, metadata=self._metadata)).production
        missed = [job.id for job in production.jobs if seen[job.id].state != job.state]
        if missed or production.state != job_pb2.Production.STATE_SUCCEEDED:
            self._tally.wrong.append(f"{production_id}: {production.state}, missed {missed}")

    async def _watches_jobs(self) -> None:
        """All that happens, through every restart."""
        token, resyncs = "", 0
        while not self.over.is_set():
            request = job_service_pb2.WatchJobsRequest(resume_token=token)
            stream = self.services.jobs.WatchJobs(request, metadata=self._metadata)
            try:
                while (news := await self._next(stream)) is not None:
                    token = news.resume_token or token
                    resyncs += news.HasField("resync")
            except grpc.aio.AioRpcError as fault:
                if fault.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                self._tally.resumed["WatchJobs"] += 1
            finally:
                stream.cancel()
        if resyncs:
            self._tally.wrong.append(f"WatchJobs began anew {resyncs} times")

    async def _next(self, stream: Any) -> Any:
        """What comes next; None when all is over."""
        reading, over = asyncio.ensure_future(stream.read()), asyncio.ensure_future(self.over.wait())
        await asyncio.wait([reading, over], return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not reading.done():
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            return None
        news = reading.result()
        return None if news is grpc.aio.EOF else news


async def roll(folder: Path) -> Tally:
    """Restart them all, one after the other, under load."""
    tally = Tally()
    async with standing(folder) as fleet, contextlib.AsyncExitStack() as stack:
        channels = {name: await stack.enter_async_context(rpc.connect(fleet.target(name))) for name in SERVICES}
        crowd = Crowd(tally, channels, fleet.of.token.read_text().strip())
        running = asyncio.create_task(crowd.run())
        try:
            await asyncio.sleep(_SETTLED_S)
            for service, number in fleet.children:
                calls, drained_s = tally.calls.total(), await fleet.restart(service, number)
                made = tally.calls.total() - calls
                print(f"{service}-{number}: drained in {drained_s:.1f} s; {made} calls meanwhile", flush=True)
        finally:
            crowd.over.set()
            await running
        report = await check.examine(check.of_house(fleet.of.folder, check.Sources("", "", "", _ledger(fleet.of))), 300)
        tally.wrong += [f"{one.promise}: {one.wrong[:3]}" for one in report.findings if one.wrong]
    return tally


def _ledger(of: house.House) -> Path:
    return of.folder / "sandbox" / "ledger.jsonl"


def _free() -> Iterator[tuple[str, str]]:
    """Addresses to serve at, and for metrics."""
    while True:
        yield f"127.0.0.1:{ports.free()}", f"127.0.0.1:{ports.free()}"


async def _is_gone(child: processes.Child, pid: int) -> bool:
    return child.pid != pid and bool(child.trouble)


def _quiet(note: str) -> None:
    pass


def _noted() -> None:
    pass


def main() -> None:
    """Print the figures; 1 when something failed."""
    with tempfile.TemporaryDirectory(prefix="rushes-rolling-", ignore_cleanup_errors=True) as made:
        tally = asyncio.run(roll(Path(made)))
    calls = ", ".join(f"{name} {count}" for name, count in sorted(tally.calls.items()))
    print(f"{tally.calls.total()} calls ({calls}); {tally.failed.total()} failed")
    print(f"{tally.films} films made and watched to their ends; {dict(tally.resumed)} streams resumed")
    for what, count in (*tally.failed.items(), *((wrong, 1) for wrong in tally.wrong)):
        print(f"  {count} x {what}")
    sys.exit(1 if tally.failed or tally.wrong else 0)


if __name__ == "__main__":
    main()
