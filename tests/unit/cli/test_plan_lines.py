"""A plan as a person reads it."""

from google.protobuf import duration_pb2

from rushes.job.v1 import job_pb2
from rushes.type.v1 import media_pb2, money_pb2
from services.cli import plan_lines

Scene = job_pb2.ScenePlan
REUSED = Scene(
    scene_number=1,
    scene_title="Ebb",
    action=Scene.ACTION_REUSE,
    reason=Scene.REASON_UNCHANGED,
    take_id="take_1",
)
MADE = Scene(
    scene_number=2,
    scene_title="Flood",
    action=Scene.ACTION_REMAKE,
    reason=Scene.REASON_CONTENT_CHANGED,
    takes=3,
    model="sandbox/reel-1",
    size=media_pb2.FrameSize(width=640, height=360),
    most_you_can_pay=money_pb2.Money(currency="USD", micros=1_200_000),
)


def seconds(count: int) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=count)


def test_each_scene_says_what_and_why_and_the_sum_says_for_how_much() -> None:
    plan = job_pb2.Plan(
        scenes=[REUSED, MADE],
        clips=3,
        duration=seconds(12),
        most_you_can_pay=money_pb2.Money(currency="USD", micros=1_200_000),
        warnings=["It drifts."],
        approval_wanted=True,
        time_left=job_pb2.TimeLeft(least=seconds(61), most=seconds(125), samples=7),
    )
    assert list(plan_lines.scenes(plan)) == [
        "scene 1 Ebb: reuse, unchanged; take_1",
        "scene 2 Flood: make again, its words or its look changed; 3 takes; at most $1.20; sandbox/reel-1, 640x360",
        "3 clips to make, 12 s, at most $1.20, 1:01 to 2:05 as measured before",
        "Note: It drifts.",
        "It will wait for `rushes production approve`.",
    ]


def test_a_plan_that_makes_nothing_says_so_and_a_new_board_is_not_told_twice() -> None:
    assert list(plan_lines.scenes(job_pb2.Plan(scenes=[REUSED])))[-1] == "Nothing has to be bought."
    assert len(list(plan_lines.changes(job_pb2.Plan(scenes=[REUSED, MADE])))) == 2
    assert list(plan_lines.changes(job_pb2.Plan(scenes=[MADE]))) == []
