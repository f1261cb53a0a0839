"""What an open page is told while it follows a production."""

import datetime
from pathlib import Path
from typing import Any

from google.protobuf import duration_pb2
from starlette import requests

from libs import blobs
from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from services.studio import assets, door
from services.studio.pages import following, site
from services.studio.rest import calls


def pace(model: str, p50_s: int, p90_s: int) -> job_pb2.Pace:
    p50, p90 = duration_pb2.Duration(seconds=p50_s), duration_pb2.Duration(seconds=p90_s)
    return job_pb2.Pace(model=model, p50=p50, p90=p90, samples=3)


def made_with(number: int, model: str) -> job_pb2.Job:
    told: Any = {"id": f"job_{number}", "scene_number": number, "state": job_pb2.Job.STATE_RUNNING}
    return job_pb2.Job(**told, submission_state="ACCEPTED", spec={"model": model}, version=1)


def test_how_long_clips_usually_take_is_shown_anew_when_it_was_measured_anew(tmp_path: Path) -> None:
    store = blobs.open_store(tmp_path.as_uri())
    of = site.Site(calls.Services({}, store, lambda: datetime.datetime.now(datetime.UTC)), assets.Assets(), door.Door())
    story = following.Following(of, requests.Request({"type": "http"}), "prod_1", 0, "all")
    jobs = [made_with(1, "quick"), made_with(2, "slow")]
    paces = [pace("quick", 5, 9), pace("slow", 60, 70)]
    story.hear(pb.WatchProductionResponse(snapshot=job_pb2.Production(id="prod_1", version=1, jobs=jobs, paces=paces)))
    story.pieces(5)
    for version, (least, shown) in enumerate([(63, ["usually 1:03 to 1:16"]), (63, []), (76, ["usually 1:16"])], 2):
        change = job_pb2.Production(id="prod_1", version=version, paces=[pace("slow", least, 76)])
        story.hear(pb.WatchProductionResponse(production=change))
        told = "".join(story.pieces(5))
        assert [f"usually {it.partition('<')[0]}" for it in told.split("usually ")[1:]] == shown
    assert {it.model for it in story.production.paces} == {"quick", "slow"}
