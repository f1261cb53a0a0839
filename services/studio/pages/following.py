"""One production as a live page follows it: what it has become, and which pieces of the page that changes."""

import asyncio
from typing import Any

from starlette import requests

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs_pb
from services.studio.pages import reel, site
from services.studio.rest import calls, founding_ops

_SAY_EVERY_S = 10.0
_LOOK_EVERY_S = 2.0


class Following:
    """A story of `live`: `since` is the version of the production that the page was made of, 0 for none."""

    def __init__(self, of: site.Site, request: requests.Request, production_id: str, since: int, show: str) -> None:
        self._of, self._request, self.production_id = of, request, production_id
        self._since, self.show = since, show
        self.production = job_pb2.Production()
        self.jobs: dict[str, job_pb2.Job] = {}
        self._changed: dict[str, None] = {}
        self._whole = self._head = False
        self._said: list[str] = []
        self._silent_until = 0.0
        self._away = (0.0, "")
        self._measured = 0.0

    def watch(self) -> Any:
        """The whole story, from a snapshot: what the page has already is left out by version."""
        asked = jobs_pb.WatchProductionRequest(production_id=self.production_id)
        return self._of.services.stub("jobs.WatchProduction")(asked, metadata=calls.bearer(self._request))

    def hear(self, told: jobs_pb.WatchProductionResponse) -> None:
        """Take in one message."""
        if told.HasField("snapshot"):
            self._begin(told.snapshot)
        elif told.HasField("production"):
            self._turn(told.production)
        elif told.HasField("job"):
            self._one(told.job)

    def _turn(self, production: job_pb2.Production) -> None:
        """What a change leaves out stays as it was; where clips take longer or shorter now, that is shown anew."""
        renewed = {it.model for it in production.paces}
        production.scenes.extend(self.production.scenes)
        production.paces.extend(it for it in self.production.paces if it.model not in renewed)
        if renewed:
            rows = (
                (job.id, reel.usual(self.production, job), reel.usual(production, job)) for job in self.jobs.values()
            )
            self._changed |= dict.fromkeys(job_id for job_id, before, now in rows if before != now)
        if self.production.HasField("time_left"):
            production.time_left.CopyFrom(self.production.time_left)
        self.production, self._head = production, True

    def _begin(self, snapshot: job_pb2.Production) -> None:
        before = self.production.version or self._since
        self.production, self._measured = snapshot, self._now()
        self.jobs = {job.id: job for job in snapshot.jobs}
        del snapshot.jobs[:]
        if before and before <= snapshot.version:
            changed = [job for job in self.jobs.values() if job.version > before]
            self._changed |= dict.fromkeys(job.id for job in changed)
            self._whole |= any(self._is_new(job) for job in changed)
            self._head |= snapshot.version > before
        else:
            self._whole = self._head = True

    def _one(self, job: job_pb2.Job) -> None:
        before = self.jobs.get(job.id)
        if before is None:
            self._whole = True
        elif before.state != job.state and job.HasField("end_time"):
            self._said.append(self._ended(job))
        self.jobs[job.id] = job
        self._changed[job.id] = None

    def _is_new(self, job: job_pb2.Job) -> bool:
        """Whether it came after the production began, so that the page may have no row for it."""
        return job.create_time != self.production.create_time

    def _ended(self, job: job_pb2.Job) -> str:
        word = {job_pb2.Job.STATE_SUCCEEDED: "is done", job_pb2.Job.STATE_FAILED: "has failed"}.get(job.state)
        return f"Scene {job.scene_number} {word or 'was stopped'}."

    def has_news(self) -> bool:
        """Whether there are more pieces."""
        return bool(self._changed or self._whole or self._head)

    def position(self) -> str:
        """The version of the production that the page shows."""
        return str(self.production.version)

    def pieces(self, most: int) -> list[str]:
        """The rows that have changed, as many as told; then what all of them together amount to."""
        if not self.has_news():
            return []
        ids = list(self._changed)[:most]
        rows = [reel.of_job(self.production, self.jobs[job_id]) for job_id in ids]
        every = reel.rows(self.production, self.jobs)
        numbers = {row.number for row in rows}
        frames = [one for one in reel.frames(every) if self._whole or one.number in numbers]
        told = self._told(every) | {"changed": rows, "frames": frames, "whole": self._whole, "said": self._say(every)}
        for job_id in list(self._changed) if self._whole else ids:
            del self._changed[job_id]
        self._whole = self._head = False
        return [self._of.render("parts/production_news.html", told)]

    def _told(self, rows: list[reel.Row]) -> dict[str, Any]:
        return {
            "production": self.production,
            "rows": rows,
            "tally": reel.tally(self.production, rows),
            "left": reel.left(self.production, self._measured, self._now()),
            "show": self.show,
            "shows": reel.SHOWS,
            "here": f"/p/{self.production.storyboard_id}/production?production={self.production.id}",
        }

    def _now(self) -> float:
        return self._of.services.clock().timestamp()

    def _say(self, rows: list[reel.Row]) -> str:
        """What is read aloud: failures at once, the rest at most every ten seconds."""
        now = self._now()
        failed = next((one for one in self._said if "failed" in one), "")
        if not self._said or (now < self._silent_until and not failed):
            return ""
        counted = reel.tally(self.production, rows)
        sentence, self._said = failed or self._said[-1], []
        self._silent_until = now + _SAY_EVERY_S
        return f"{sentence} {counted.done} of {counted.scenes}."

    def away(self, who: str) -> str:
        """The bar above the page, or none: the `job` service is away, or the `bus` that brings it others' news."""
        moment = self.production.update_time if self.production.version else None
        return self._of.render("parts/production_away.html", {"away": who, "moment": moment})

    async def who_is_away(self) -> str:
        """`job` when that service says that it cannot work, `bus` when it hears nobody; asked now and then."""
        now, channel = self._now(), self._of.services.channels["job"]
        if now - self._away[0] > _LOOK_EVERY_S:
            serves, hears = await asyncio.gather(founding_ops.serving(channel), founding_ops.hears(channel))
            self._away = (now, "job" if not serves else "" if hears else "bus")
        return self._away[1]
