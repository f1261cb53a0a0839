"""`python -m tests.crash.verbs`: kills, pauses and stumbles at the places of the job service's verbs, and counts."""

import argparse
import asyncio
import dataclasses
import os
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from services.cli import client
from tests.crash import __main__ as crash
from tests.crash import armed, fates, hearing, places, rounds, stories
from tests.crash import rig as rigs
from tests.e2e import waiting

ACTIONS = ("kill", "pause", "stumble")
_WITHIN_S = 90.0
_TRIES = 3
_EARLIER = ("production.", "cancel.", "take.", "stored.", "failed.", "settle.", "inbox.", "outbox.")
_CUT, _LAST_FRAME = clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME
_ENDS = (
    *(job_pb2.Production.STATE_COMPILING, job_pb2.Production.STATE_FAILED, job_pb2.Production.STATE_CANCELED),
    job_pb2.Production.STATE_SUCCEEDED,
)
"""No compiler runs here: a production whose film is asked for is as far as it comes."""

_SCENES_PAID = """
    SELECT s.job_id FROM submissions s GROUP BY s.job_id, s.attempt HAVING count(*) > 1"""


def every() -> list[str]:
    """The places of the job service."""
    return [place for place in places.of("job") if place.partition(" ")[2].startswith((*_EARLIER, *places.OF_VERBS))]


class Act:
    """A person who films, holds, picks, stops and retries, and repeats whatever got no answer."""

    def __init__(self, rig: rigs.Rig) -> None:
        self.rig, self.jobs, self.begun = rig, rig.services.jobs, list[str]()

    async def told(self, verb: str, **fields: Any) -> Any:
        """Ask until there is an answer; a refusal that cannot change is one."""
        request = getattr(pb, f"{verb}Request")(**fields)
        while True:
            try:
                return await self.rig.call(getattr(self.jobs, verb), request)
            except client.Refused as refused:
                if refused.reason and refused.reason != "FAULTY":
                    return None
            await asyncio.sleep(0.2)

    async def film(self, board: Sequence[tuple[stories.Story, int]], **options: Any) -> str:
        """Plan and create; the id of the production."""
        made = await _storyboard(self.rig, board)
        told = {"storyboard_id": made.id, "revision": made.revision, "options": pb.PlanOptions(**options)}
        plan = (await self.told("PlanProduction", **told)).plan
        more = {"request_id": str(uuid.uuid4()), "quote_id": plan.quote_id, "plan_digest": plan.digest}
        begun: str = (await self.told("CreateProduction", **told, **more)).production.id
        self.begun.append(begun)
        return begun

    async def jobs_of(self, production_id: str) -> Sequence[job_pb2.Job]:
        """Its jobs as they are."""
        found: Sequence[job_pb2.Job] = (await self.told("GetProduction", production_id=production_id)).production.jobs
        return found

    async def take(self, production_id: str, scene: int) -> job_pb2.Take:
        """The first take of a scene, when it has come."""

        async def look() -> job_pb2.Take | None:
            jobs = await self.jobs_of(production_id)
            return next((job.take for job in jobs if job.scene_number == scene and job.HasField("take")), None)

        found = await waiting.until(f"a take of scene {scene}", look, _WITHIN_S)
        assert found is not None
        return found

    async def ended(self, production_id: str, scene: int) -> job_pb2.Job:
        """The first job of a scene, when it has ended."""

        async def look() -> job_pb2.Job | None:
            jobs = await self.jobs_of(production_id)
            return next((job for job in jobs if job.scene_number == scene and job.HasField("end_time")), None)

        found = await waiting.until(f"the end of scene {scene}", look, _WITHIN_S)
        assert found is not None
        return found


async def by_hand(act: Act) -> None:
    """Approved, paused and resumed; every take is picked by a person, one of them twice."""
    board = [(stories.PLAIN, _CUT), (stories.PLAIN, _LAST_FRAME), (stories.PLAIN, _CUT)]
    one = await act.film(board, auto_pick=job_pb2.AUTO_PICK_NEVER, approve_above_micros=0)
    for verb in ("ApproveProduction", "PauseProduction", "ResumeProduction"):
        await act.told(verb, production_id=one)
    first = await act.take(one, 1)
    await act.told("PickTake", take_id=first.id)
    await act.told("UnpickTake", take_id=first.id)
    await act.told("PickTake", take_id=first.id)
    for scene in (2, 3):
        await act.told("PickTake", take_id=(await act.take(one, scene)).id)


async def against_odds(act: Act) -> None:
    """One scene fails and is retried, one is cancelled, one is waited for; another production is cancelled."""
    board = [(stories.FAILS, _CUT), (stories.SLOW, _CUT), (stories.PLAIN, _CUT)]
    one = await act.film(board, approve_above_micros=None)
    failed = await act.ended(one, 1)
    await act.told("RetryJob", job_id=failed.id)
    slow = next(job for job in await act.jobs_of(one) if job.scene_number == 2)
    await act.told("CancelJob", job_id=slow.id)
    other = await act.film([(stories.SLOW, _CUT), (stories.PLAIN, _LAST_FRAME)])
    await act.told("CancelProduction", production_id=other)


async def play(rig: rigs.Rig, *faults: armed.Fault) -> tuple[tuple[str, ...], list[str]]:
    """A round; what is wrong afterwards, and the places of faults that were not hit."""
    act, fate = Act(rig), fates.Fates(rig)
    rig.forgive()
    await rig.rows(fates.GATEWAY, "WITH gone AS (DELETE FROM account_calls) DELETE FROM accounts")
    async with hearing.hearing(rig) as heard, rounds.waking(rig):
        for fault in faults:
            rig.faults.arm(fault)
        wrong: tuple[str, ...] = ()
        try:
            async with asyncio.timeout(_WITHIN_S):
                await _film(rig, act, fate, heard)
                await rig.healthy()
        except TimeoutError:
            wrong = (f"not quiet within {_WITHIN_S:.0f} s: {await rounds.still_open(rig)}",)
        wrong = (*wrong, *await rounds.verdict(rig), *await _bought_twice(rig), *await heard.wrong(act.begun))
        missed = rig.faults.disarm()
    return wrong, missed


async def _film(rig: rigs.Rig, act: Act, fate: fates.Fates, heard: hearing.Hearing) -> None:
    """Everything that persons do, and the time that passes meanwhile."""
    acting = asyncio.gather(by_hand(act), against_odds(act))
    try:
        while not (acting.done() and await _all_over(act)) or await rounds.still_open(rig):
            await fate.pass_by()
            await heard.pass_by()
            await asyncio.sleep(0.25)
        await acting
    finally:
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)


async def _all_over(act: Act) -> bool:
    found = [(await act.told("GetProduction", production_id=one)).production.state for one in act.begun]
    return all(state in _ENDS for state in found)


async def _bought_twice(rig: rigs.Rig) -> tuple[str, ...]:
    return tuple(f"bought twice: {row['job_id']}" for row in await rig.rows(fates.GATEWAY, _SCENES_PAID))


async def _storyboard(rig: rigs.Rig, board: Sequence[tuple[stories.Story, int]]) -> storyboard_pb2.Storyboard:
    name = uuid.uuid4().hex[:8]
    scenes = [
        storyboard_pb2.Scene(
            title=f"{story.name} {index}",
            subject=f"A lighthouse, take {name}.{index}. {story.disaster}".strip(),
            duration=rigs.seconds(story.seconds),
            model=story.model,
            seam=clip_pb2.Seam.ValueType(seam),
        )
        for index, (story, seam) in enumerate(board)
    ]
    size = media_pb2.FrameSize(width=640, height=360)
    sketch = storyboard_pb2.Storyboard(name=f"Round {name}", scenes=scenes, size=size)
    request = storyboard_service_pb2.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=sketch)
    made: storyboard_pb2.Storyboard = (await rig.call(rig.services.storyboards.CreateStoryboard, request)).storyboard
    return made


@dataclasses.dataclass
class Count:
    """What came of all rounds."""

    rounds: int = 0
    missed: int = 0
    wrong: list[str] = dataclasses.field(default_factory=list)


async def run(seeds: int, only: str) -> Count:
    """Every place with every action and every seed, in one rig."""
    count, chance = Count(), random.Random(seeds)
    with tempfile.TemporaryDirectory(prefix="rushes-crash-", ignore_cleanup_errors=True) as folder:
        async with rigs.standing(Path(folder)) as rig:
            for seed in range(seeds):
                for place in [place for place in every() if only in place]:
                    for action in ACTIONS:
                        how = chance.choice(list(armed.STUMBLES))
                        await _round(rig, armed.Fault(place, action, how=how), seed, count)
    return count


async def _round(rig: rigs.Rig, fault: armed.Fault, seed: int, count: Count) -> None:
    for _ in range(_TRIES):
        began = time.monotonic()
        wrong, missed = await play(rig, fault)
        said = "; ".join(wrong) or ("not hit" if missed else "fine")
        print(f"{time.monotonic() - began:5.1f} s  {fault.place} {fault.action} (seed {seed}): {said}", flush=True)
        if wrong or not missed:
            break
    count.rounds += 1
    count.missed += bool(missed)
    count.wrong += [f"{fault.place} {fault.action}: {one}" for one in wrong]


def main() -> None:
    """Play them all; ends with 1 when a promise was broken, or a place was not reached."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--only", default="", help="Only the places whose names hold this.")
    asked = arguments.parse_args()
    os.environ |= crash.SPED_UP
    count = asyncio.run(run(asked.seeds, asked.only))
    print(f"{count.rounds} rounds at {len(every())} places, {count.missed} not hit, {len(count.wrong)} wrong")
    print(*count.wrong, sep="\n")
    sys.exit(bool(count.wrong or count.missed))


if __name__ == "__main__":
    main()
