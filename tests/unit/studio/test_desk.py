"""What the pages of projects, imports and histories are made of, without a service."""

import datetime

from rushes.job.v1 import job_pb2
from rushes.storyboard.v1 import storyboard_pb2 as pb
from services.studio.pages import bursts, differences, importing, prose, reel, shelf, standing, strip

START = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
_J = job_pb2.Job


def test_a_paragraph_is_a_scene_and_one_that_is_too_long_is_named_by_its_line():
    board, faults = prose.board("A boat at dawn. It waits.\nFog.\n\n\nThe tide takes it, slowly\n", "Fog")
    assert [(it.title, it.subject) for it in board.scenes] == [
        ("A boat at dawn", "A boat at dawn. It waits. Fog."),
        ("The tide takes it", "The tide takes it, slowly"),
    ]
    assert faults == []
    _, faults = prose.board(f"Short.\n\n{'long ' * 500}\n\n" + "x\n\n" * 499, "")
    assert [it.line for it in faults] == [3, 1001]
    assert prose.board(" \n\n", "")[1][0].line == 0


def test_what_is_pasted_is_known_by_its_looks():
    looks = {
        "INT. KITCHEN - DAWN\n\nShe reads.": "fountain",
        "Title: The Letter\n\nFADE IN": "fountain",
        "name: X\nscenes:\n  - subject: y\n": "yaml",
        '{"name": "X", "scenes": [{"subject": "y"}]}': "json",
        '[{"title": "x", "scenes": []}]': "browser_json",
        "Shot,Description,Dur.\n1,A boat,4": "csv",
        "A boat, a man, and fog.": "text",
        "": "text",
    }
    assert {text: importing._guess(text) for text in looks} == looks


def test_a_scene_shows_the_most_pressing_of_its_states():
    board = pb.Storyboard(scenes=[pb.Scene(id=id, title=id) for id in "abcdef"])
    jobs = [
        _J(scene_id="a", state=_J.STATE_RUNNING, submission_state="UNKNOWN"),
        _J(scene_id="a", state=_J.STATE_SUCCEEDED),
        _J(scene_id="b", state=_J.STATE_FAILED),
        _J(scene_id="c", state=_J.STATE_WAITING, wait_reason=_J.WAIT_REASON_SEAM),
        _J(scene_id="d", state=_J.STATE_SUCCEEDED),
    ]
    picked = {"d": job_pb2.Take(digest="old"), "e": job_pb2.Take(digest="same")}
    frames = strip.frames(board, picked, jobs, {"d": "new", "e": "same"})
    states = ["unconfirmed", "failed", "waiting_link", "changed", "picked", "draft"]
    assert [it.state for it in frames] == states
    assert strip.told(frames).startswith("6 scenes: 1 Not started, 1 Waits for another")


def test_a_job_stands_the_same_on_every_page():
    running = {"state": _J.STATE_RUNNING, "scene_id": "a"}
    lost = {"scene_id": "a", "state": _J.STATE_FAILED, "error": {"reason": "OUTCOME_UNKNOWN"}}
    told = {
        "fetching": _J(**running, submission_state="STORED"),
        "queued": _J(**running, submission_state="PARKED"),
        "retry_wait": _J(**running, submission_state="PROVIDER_FAILED"),
        "unconfirmed": _J(**lost),
        "failed": _J(**lost, cost={"micros": 1}),
    }
    board = pb.Storyboard(scenes=[pb.Scene(id="a")])
    for state, job in told.items():
        assert standing.of_job(job)[0] == state
        assert reel.of_job(job_pb2.Production(), job).state == state
        assert strip.frames(board, {}, [job], {})[0].state == state


def test_a_take_under_way_is_told_beside_what_is_usual():
    pace = job_pb2.Pace(model="m", p50={"seconds": 70}, p90={"seconds": 120}, samples=3)
    job = _J(
        state=_J.STATE_RUNNING, submission_state="ACCEPTED", accept_time={"seconds": 60}, update_time={"seconds": 90}
    )
    job.spec.model = "m"
    row = reel.of_job(job_pb2.Production(paces=[pace]), job)
    assert (row.since, row.usual) == ("1970-01-01T00:01:00Z", reel.Usual("1:10 to 2:00", 120))
    assert reel.of_job(job_pb2.Production(), job).usual is None


def test_changes_in_one_go_stand_together():
    def revision(number, seconds, author="ada", origin="UpdateScene", name="", client="studio"):
        one = pb.Revision(number=number, author=author, origin=origin, name=name, client=client)
        one.create_time.FromDatetime(START + datetime.timedelta(seconds=seconds))
        return one

    told = [
        revision(8, 205, client="cli"),
        revision(7, 200),
        revision(6, 190, author="bo"),
        revision(5, 180, name="Final"),
        revision(4, 60),
        revision(3, 40),
        revision(2, 5),
        revision(1, 0, origin="CreateStoryboard"),
    ]
    grouped = bursts.group(told)
    assert [[it.number for it in burst.revisions] for burst in grouped] == [[8], [7], [6], [5], [4, 3], [2], [1]]
    assert [burst.before for burst in grouped] == [7, 6, 5, 4, 2, 1, 0]
    assert [burst.place for burst in grouped[:2]] == ["at the command line", "in the studio"]


def test_two_revisions_are_told_apart_by_words():
    assert differences.differing("She opens a letter", "She burns a letter") == [
        ("", "She "),
        ("del", "opens"),
        ("ins", "burns"),
        ("", " a letter"),
    ]
    changes = [
        pb.Change(kind=pb.Change.KIND_CHANGED, path="scenes[scene_a].action"),
        pb.Change(kind=pb.Change.KIND_CHANGED, path="scenes[scene_b].subject"),
        pb.Change(kind=pb.Change.KIND_MOVED, path="scenes[scene_b]"),
        pb.Change(kind=pb.Change.KIND_CHANGED, path="preset"),
        pb.Change(kind=pb.Change.KIND_ADDED, path="characters[char_a]"),
    ]
    told = differences.summary(changes, {"scene_a": 1, "scene_b": 2})
    assert told == "Words of scenes 1 and 2; scene 2 moved; the look; 1 more"


def test_a_place_that_somebody_made_up_begins_at_the_beginning():
    for after in ("", "nonsense", "{}", "[1]", '["a", 2]'):
        boards, following = shelf._page([pb.Storyboard(id="sb_1", name="A")], shelf._KEYS["name"], after)
        assert ([it.id for it in boards], following) == (["sb_1"], "")
