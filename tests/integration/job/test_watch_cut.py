"""A watcher that is cut off at random sees every change once, in order, and ends."""

import asyncio
import random

import grpc
import pytest

from libs import paging, rpc
from rushes.job.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from tests.integration.job import news, scissors

CUT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
ENDS = (job_pb2.Production.STATE_SUCCEEDED, job_pb2.Production.STATE_FAILED, job_pb2.Production.STATE_CANCELED)


async def followed(crew, address, verb, is_last, **fields):
    """Every message of a watch that begins again with the last token, however often it is cut."""
    found, token = [], ""
    request = getattr(job_service_pb2, f"{verb}Request")
    while not found or not is_last(found[-1]):
        async with rpc.connect(address) as channel:
            stub = job_service_pb2_grpc.JobServiceStub(channel)
            watch = getattr(stub, verb)(
                request(resume_token=token, **fields), metadata=crew.issuer.bearer("acme"), timeout=20
            )
            try:
                while (message := await watch.read()) is not grpc.aio.EOF:
                    token = message.resume_token
                    found.append(message)
                    if is_last(message):
                        break
            except grpc.aio.AioRpcError as fault:
                if fault.code() not in CUT:
                    raise
    return found


def ended(message):
    return message.snapshot.state in ENDS or message.production.state in ENDS


async def shake(crew, jobs, chance):
    """A story with many changes of the same jobs, and pauses in which watchers look."""
    for version in range(3, 9):
        for job in chance.sample(jobs, len(jobs)):
            state = chance.choice(["ACCEPTED", "UNKNOWN", "SENDING"])
            await crew.hear(news.moved(job, state, version))
            await asyncio.sleep(chance.choice([0, 0, 0.1]))
    for job in jobs:
        await crew.hear(news.stored(job, sha256=job.id))
    await crew.hear(news.film_progressed(jobs[0].production_id, 0.5))
    await crew.hear(news.film_completed(jobs[0].production_id))


def once_and_in_order(messages):
    """The versions of each thing, checked: each once, and none after a later one."""
    seen, last = {}, 0
    for message in messages:
        kind = message.WhichOneof("change")
        assert kind in ("snapshot", "production", "job", None), kind
        if kind is None:
            continue
        one = getattr(message, kind)
        assert one.version >= last, "it goes back"
        last = one.version
        if kind == "snapshot":
            seen |= {job.id: [job.version] for job in one.jobs}
        else:
            assert one.version not in seen.setdefault(one.id, []), "it is told twice"
            seen[one.id].append(one.version)
    return seen


@pytest.mark.parametrize("seed", range(3))
async def test_every_change_is_seen_once_in_order_however_often_the_connection_is_cut(crew, seed):
    chance = random.Random(seed)
    jobs = await crew.begin(False, True, False)
    knife = scissors.Scissors(crew.door.server.port, chance, 2800)
    async with knife.open() as address:
        story = asyncio.create_task(shake(crew, jobs, chance))
        fields = {"production_id": jobs[0].production_id}
        messages = await followed(crew, address, "WatchProduction", ended, **fields)
        await story
    assert knife.cuts > 1, "it was not cut"
    once_and_in_order(messages)
    told = {}
    for message in messages:
        told |= {job.id: job for job in message.snapshot.jobs}
        if message.HasField("job"):
            told[message.job.id] = message.job
    now = (await crew("GetProduction", **fields)).production
    assert [told[job.id] for job in now.jobs] == list(now.jobs), "the last that is seen is what is"
    assert messages[-1].production.film_id == now.film_id


async def test_all_productions_of_a_storyboard_and_all_jobs_in_one_stream_each(crew):
    chance = random.Random(7)
    first = await crew.begin(False, False)
    await crew.begin(False, storyboard_id="sb_2")
    knife = scissors.Scissors(crew.door.server.port, chance, 2800)

    async def story():
        second = await crew.begin(False)
        await asyncio.gather(shake(crew, first, chance), shake(crew, second, chance))
        return second

    async with knife.open() as address:
        board = asyncio.create_task(followed(crew, address, "WatchStoryboard", both_ended(), storyboard_id="sb_1"))
        every = asyncio.create_task(followed(crew, address, "WatchJobs", all_stored(3)))
        second = await story()
        of_board, of_jobs = await board, await every
    assert knife.cuts > 1
    jobs = {message.job.id for message in of_board if message.HasField("job")}
    assert jobs == {job.id for job in [*first, *second]}, "no other storyboard's"
    each_once([message.job for message in of_board if message.HasField("job")])
    each_once([message.production for message in of_board if message.HasField("production")])
    each_once([message.job for message in of_jobs if message.HasField("job")])
    assert len({message.job.id for message in of_jobs}) >= 4


def each_once(rows):
    """Each version of each thing once, and none after a later one of the same."""
    seen = {}
    for row in rows:
        assert row.version > seen.get(row.id, 0), f"{row.id} {row.version}"
        seen[row.id] = row.version


def both_ended():
    done = set()

    def look(message):
        if message.production.state in ENDS:
            done.add(message.production.id)
        return len(done) == 2

    return look


def all_stored(count):
    done = set()

    def look(message):
        if message.job.state == job_pb2.Job.STATE_SUCCEEDED:
            done.add(message.job.id)
        return len(done) == count

    return look


async def test_a_token_from_another_story_begins_anew_and_says_so(crew):
    (job,) = await crew.begin(False)
    watch = crew.watch(job.production_id)
    for version in (3, 4, 5):
        await crew.hear(news.moved(job, "ACCEPTED", version))
    token = (await watch.read()).resume_token
    while (message := await watch.read()).production.version < 4:
        token = message.resume_token
    token = message.resume_token
    watch.cancel()
    async with crew.database.house() as conn:
        await conn.exec_driver_sql("UPDATE productions SET version = 2")
        await conn.exec_driver_sql("UPDATE jobs SET changed_in = 1")
    again = crew.watch(job.production_id, token)
    assert [(await again.read()).WhichOneof("change") for _ in range(2)] == ["resync", "snapshot"]
    again.cancel()


async def test_the_token_of_the_first_release_still_works(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.moved(job, "ACCEPTED", 3))
    old = paging.encode([1], f"watch {job.production_id}")
    watch = crew.watch(job.production_id, old)
    assert (await watch.read()).job.submission_state == "ACCEPTED"
    assert (await watch.read()).production.version == 2
    watch.cancel()
