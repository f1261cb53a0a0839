import datetime
import io

import pytest
import rich.console

from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.type.v1 import fault_pb2, money_pb2
from services.cli import exits, film, progress

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
Job, Made = job_pb2.Job, job_pb2.Production


def job(number: int, **fields: object) -> job_pb2.Job:
    made = Job(id=f"job_{number}", scene_number=number, scene_title=f"Scene {number}", state=Job.STATE_RUNNING)
    for name, value in fields.items():
        if isinstance(value, fault_pb2.Fault | money_pb2.Money):
            getattr(made, name).CopyFrom(value)
        else:
            setattr(made, name, value)
    return made


def snapshot(*jobs: job_pb2.Job, state: Made.State = Made.STATE_FILMING) -> job_service_pb2.WatchProductionResponse:
    made = Made(
        title="The Letter",
        state=state,
        jobs=jobs,
        cost=money_pb2.Money(currency="XTS", micros=400_000),
        most_you_can_pay=money_pb2.Money(currency="XTS", micros=2_400_000),
    )
    return job_service_pb2.WatchProductionResponse(snapshot=made)


def news(of: job_pb2.Job | job_pb2.Production) -> job_service_pb2.WatchProductionResponse:
    if isinstance(of, job_pb2.Job):
        return job_service_pb2.WatchProductionResponse(job=of)
    return job_service_pb2.WatchProductionResponse(production=of)


def test_a_line_for_each_change_and_none_for_what_stays() -> None:
    seen = progress.Production()
    waiting = job(2, state=Job.STATE_WAITING, wait_reason=Job.WAIT_REASON_SEAM)
    assert seen.hear(snapshot(job(1), waiting)) == [
        "scene 1 Scene 1: in line",
        "scene 2 Scene 2: waiting for the last frame of the scene before",
    ]
    assert seen.hear(news(job(1, submission_state="ACCEPTED"))) == ["scene 1 Scene 1: filming"]
    assert seen.hear(news(job(1, submission_state="ACCEPTED"))) == []
    assert seen.hear(news(job(1, submission_state="UNKNOWN"))) == [
        "scene 1 Scene 1: checking the answer was lost; it is looked for, not bought again"
        " (`rushes submissions list --state unknown`)"
    ]
    pace = job_pb2.Pace(model="", p50={"seconds": 63}, p90={"seconds": 76}, samples=3)
    assert seen.hear(news(Made(state=Made.STATE_FILMING, paces=[pace]))) == []
    assert seen.hear(news(job(1, submission_state="ACCEPTED"))) == ["scene 1 Scene 1: filming usually 1:03 to 1:16"]
    pace.p50.seconds = 76
    seen.hear(news(Made(state=Made.STATE_FILMING, paces=[pace])))
    assert seen.detail(seen.jobs["job_1"]) == "usually 1:16"
    done = job(1, state=Job.STATE_SUCCEEDED, cost=money_pb2.Money(currency="XTS", micros=400_000))
    assert seen.hear(news(done)) == ["scene 1 Scene 1: done 0.40 in play money"]
    assert seen.hear(news(Made(state=Made.STATE_COMPILING))) == ["cutting the film"]
    assert seen.hear(news(Made(state=Made.STATE_COMPILING, film_progress=0.5))) == []
    assert seen.hear(job_service_pb2.WatchProductionResponse()) == []


@pytest.mark.parametrize(
    ("charged", "told"),
    [("no", "nothing was charged"), ("yes", "it was charged"), ("unknown", "it may be charged")],
)
def test_a_failure_says_what_it_cost(charged: str, told: str) -> None:
    error = fault_pb2.Fault(reason="PROVIDER_FAILED", message="It broke.", metadata={"charged": charged})
    assert progress.detail(job(1, state=Job.STATE_FAILED, error=error)) == f"It broke. ({told})"


def test_a_pipe_gets_one_line_per_change() -> None:
    written, seen = io.StringIO(), progress.Production()
    with progress.showing(seen, rich.console.Console(file=written, width=80), lambda: NOW) as tell:
        tell(seen.hear(snapshot(job(1))))
        tell(seen.hear(news(job(1, submission_state="ACCEPTED"))))
    assert written.getvalue().splitlines() == ["scene 1 Scene 1: in line", "scene 1 Scene 1: filming"]


def test_a_terminal_gets_one_line_per_scene() -> None:
    written, seen = io.StringIO(), progress.Production()
    console = rich.console.Console(file=written, width=100, force_terminal=True, color_system=None)
    with progress.showing(seen, console, lambda: NOW) as tell:
        filming = job(1, submission_state="ACCEPTED")
        filming.update_time.FromDatetime(NOW - datetime.timedelta(seconds=65))
        tell(seen.hear(snapshot(filming, job(2, state=Job.STATE_SUCCEEDED))))
    seen.away = True
    shown = written.getvalue()
    assert "The Letter · 1/2 scenes · 0.40 of up to 2.40 in play money" in shown
    assert "1:05" in shown
    assert shown.count("Scene 1") < 10
    assert "asking again" in seen.headline()
    seen.hear(news(Made(state=Made.STATE_COMPILING, film_progress=0.25)))
    assert "cutting the film 25%" in seen.headline()


def ended(state: Made.State, *jobs: job_pb2.Job, error: str = "") -> progress.Production:
    seen = progress.Production()
    seen.hear(snapshot(*jobs, state=state))
    seen.told.error.message = error
    return seen


def fault(reason: str) -> fault_pb2.Fault:
    return fault_pb2.Fault(reason=reason, message="It broke.")


@pytest.mark.parametrize(
    ("production", "code", "told"),
    [
        (
            ended(Made.STATE_FAILED, job(1), job(2, state=Job.STATE_FAILED, error=fault("PROVIDER_FAILED"))),
            exits.Code.SCENES_FAILED,
            "Scene 2 Scene 2 failed: It broke.",
        ),
        (
            ended(Made.STATE_FAILED, job(1, state=Job.STATE_FAILED, error=fault("OUTCOME_UNKNOWN"))),
            exits.Code.UNCONFIRMED,
            "it may be charged",
        ),
        (ended(Made.STATE_FAILED, job(1), error="Clip 1 is broken."), exits.Code.ERROR, "Clip 1 is broken"),
        (ended(Made.STATE_CANCELED, job(1)), exits.Code.SCENES_FAILED, "was cancelled"),
    ],
)
def test_the_end_decides_the_exit_code(production: progress.Production, code: exits.Code, told: str) -> None:
    with pytest.raises(exits.Ended, match=told) as caught:
        film.judge(production)
    assert caught.value.code == code


def test_a_success_needs_no_words() -> None:
    film.judge(ended(Made.STATE_SUCCEEDED, job(1)))
