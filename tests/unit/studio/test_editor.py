"""Scenes in another order, and how each of them stands."""

import pytest
from google.protobuf import timestamp_pb2

from rushes.job.v1 import job_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import clip_pb2
from services.studio.pages import editor_order, editor_state

SCENES = [storyboard_pb2.Scene(id=id) for id in "abcde"]


def ids(scenes: list[storyboard_pb2.Scene]) -> str:
    return "".join(scene.id or "+" for scene in scenes)


@pytest.mark.parametrize(
    ("did", "order"),
    [
        (editor_order.moved(SCENES, {"a", "d"}, "c"), "badce"),
        (editor_order.moved(SCENES, {"b"}, ""), "acdeb"),
        (editor_order.moved(SCENES, {"b"}, "gone"), "acdeb"),
        (editor_order.at(SCENES, {"e"}, 1), "eabcd"),
        (editor_order.at(SCENES, {"a", "c"}, 99), "bdeac"),
        (editor_order.higher(SCENES, {"a"}), "abcde"),
        (editor_order.higher(SCENES, {"c", "d"}), "acdbe"),
        (editor_order.lower(SCENES, {"b", "c"}), "adbce"),
        (editor_order.lower(SCENES, {"e"}), "abcde"),
        (editor_order.doubled(SCENES, {"a", "e"}), "a+bcde+"),
        (editor_order.without(SCENES, {"b", "e"}), "acd"),
    ],
)
def test_scenes_go_where_they_are_put(did: list[storyboard_pb2.Scene], order: str) -> None:
    assert ids(did) == order


def take(seconds: int, **told: object) -> job_pb2.Take:
    made = timestamp_pb2.Timestamp(seconds=seconds)
    return job_pb2.Take(id=f"take_{seconds}", scene_id="a", create_time=made, digest="now", **told)  # type: ignore[arg-type]


def job(seconds: int, state: str, submission: str = "") -> job_pb2.Job:
    made = timestamp_pb2.Timestamp(seconds=seconds)
    value = job_pb2.Job.State.Value(f"STATE_{state}")
    return job_pb2.Job(scene_id="a", create_time=made, state=value, submission_state=submission)


@pytest.mark.parametrize(
    ("takes", "jobs", "state"),
    [
        ([], [], "draft"),
        ([take(1)], [], "done"),
        ([take(2), take(1, picked=True)], [], "picked"),
        ([take(1, picked=True, stale=True)], [], "changed"),
        ([take(1)], [job(2, "RUNNING", "UNKNOWN")], "unconfirmed"),
        ([take(1)], [job(2, "RUNNING", "ACCEPTED")], "generating"),
        ([take(2)], [job(1, "SUCCEEDED")], "done"),
        ([take(2)], [job(1, "FAILED")], "done"),
        ([], [job(1, "FAILED")], "failed"),
        ([], [job(1, "CANCELED")], "cancelled"),
        ([], [job(1, "WAITING")], "queued"),
    ],
)
def test_a_scene_stands_as_its_newest_job_or_best_take_says(
    takes: list[job_pb2.Take], jobs: list[job_pb2.Job], state: str
) -> None:
    assert editor_state.rows(SCENES[:1], takes, jobs, {"a": "now"})[0].state == state


def test_a_take_of_other_words_says_that_they_have_changed() -> None:
    row = editor_state.rows(SCENES[:1], [take(1, picked=True)], [], {"a": "later"})[0]
    assert (row.state, row.take and row.take.id) == ("changed", "take_1")


def test_links_are_seen_and_the_fourth_last_frame_in_a_row_warns() -> None:
    cut = storyboard_pb2.Scene(id="0", cast=["Marta"])
    chain = [storyboard_pb2.Scene(id=str(n), seam=clip_pb2.SEAM_LAST_FRAME) for n in range(1, 5)]
    made = editor_state.rows([cut, storyboard_pb2.Scene(id="c", cast=["Marta"]), *chain], [], [], {})
    assert [row.link for row in made] == ["", "cast", "last", "last", "last", "last"]
    assert [row.drifts for row in made] == [False] * 5 + [True]
