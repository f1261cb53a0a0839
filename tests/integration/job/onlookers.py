"""Those who watch a story of the players: what they were told, put together, is what is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from rushes.job.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from tests.e2e import waiting

_OF_SNAPSHOTS = ("jobs", "scenes", "paces", "time_left")
"""What a production that has changed is told without."""


class Onlooker:
    """Follows a production, or a storyboard, at one of the replicas."""

    def __init__(self, stage: Any, verb: str, **named: str) -> None:
        self._stage, self._request = stage, getattr(job_service_pb2, f"{verb}Request")(**named)
        self._watch = getattr(
            job_service_pb2_grpc.JobServiceStub(stage.chance.choice(stage.replicas).door.channel), verb
        )
        self.productions, self.jobs = dict[str, job_pb2.Production](), dict[str, job_pb2.Job]()

    async def follow(self) -> None:
        """To the end, if there is one; each change once, and none after a later one."""
        bearer = self._stage.replicas[0].issuer.bearer(self._stage.tenant)
        async for message in self._watch(self._request, metadata=bearer):
            self._request.resume_token = message.resume_token
            match message.WhichOneof("change"):
                case "snapshot":
                    self.productions[message.snapshot.id] = without_jobs(message.snapshot)
                    self.jobs |= {job.id: job for job in message.snapshot.jobs}
                case "production":
                    _keep(self.productions, without_jobs(message.production))
                case "job":
                    _keep(self.jobs, message.job)
                case what:
                    assert what is None, what

    async def misses(self) -> list[str]:
        """What is, and was not told."""
        found = []
        for id, told in list(self.productions.items()):
            now = (await self._stage.replicas[0]("GetProduction", self._stage.tenant, production_id=id)).production
            found += [f"{id}: {told} not {now}"] if told != without_jobs(now) else []
            found += [f"{self.jobs.get(job.id)} not {job}" for job in now.jobs if not _same(self.jobs.get(job.id), job)]
        return found

    async def knows(self) -> bool:
        """Whether what was told is what is."""
        return not await self.misses()


def _same(told: job_pb2.Job | None, now: job_pb2.Job) -> bool:
    """But for the note on its take and its pick, which others undo: they are no changes of the job."""
    if told and told.HasField("take"):
        told.take.picked, told.take.note = now.take.picked, now.take.note
    return told == now


def _keep(known: dict[str, Any], told: Any) -> None:
    before = known.get(told.id)
    assert before is None or told.version > before.version, f"{told.id} was told twice, or too late"
    known[told.id] = told


def without_jobs(production: job_pb2.Production) -> job_pb2.Production:
    """As it is told when it has changed."""
    told = job_pb2.Production()
    told.CopyFrom(production)
    for name in _OF_SNAPSHOTS:
        told.ClearField(name)
    return told


@contextlib.asynccontextmanager
async def watching(stage: Any) -> AsyncIterator[None]:
    """Watch the storyboard, and its first production, during the block; all that is then is known then."""
    board = Onlooker(stage, "WatchStoryboard", storyboard_id=stage.board.id)
    first = Onlooker(stage, "WatchProduction", production_id=stage.productions[0].id)
    following = [asyncio.ensure_future(one.follow()) for one in (board, first)]
    try:
        yield
        await following[1]
        await first.follow()  # what has changed since the end
        assert not (missed := await first.misses()), missed
        with contextlib.suppress(AssertionError):
            await waiting.until("what those who watch the storyboard know", board.knows, 5)
        assert not (missed := await board.misses()), missed
        assert board.productions.keys() == {one.id for one in stage.productions}
        assert not following[0].done(), following[0].exception()
    finally:
        for one in following:
            one.cancel()
        await asyncio.gather(*following, return_exceptions=True)
