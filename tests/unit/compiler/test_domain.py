import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from services.compiler import domain

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
MEDIA = domain.Media("t/acme/films/film_1/1/film.mp4", "video/mp4", 1000, "ab")
RESULT = domain.Result(48, 1280, 720, 24, 1, 2, 0, MEDIA, MEDIA, MEDIA)
FILM = domain.Film("film_1", "acme", "prod_1", b"", NOW, NOW, NOW)
RUNNING = dataclasses.replace(FILM, state=domain.State.RUNNING, attempts=1, lease_epoch=1, progress=0.5)


def test_a_completed_film_is_over() -> None:
    film = domain.completed(RUNNING, RESULT, LATER)
    assert (film.state, film.result, film.progress) == (domain.State.COMPLETED, RESULT, 1.0)
    assert (film.ended_at, film.updated_at, film.next_action_at) == (LATER, LATER, None)


def test_a_failed_film_says_why() -> None:
    broken = domain.ClipUnreadable(scene_id="sc_1", take_id="take_1", title="Dawn", problem="is damaged")
    film = domain.failed(RUNNING, domain.fault_of(broken), LATER)
    assert (film.state, film.ended_at) == (domain.State.FAILED, LATER)
    assert film.fault
    assert film.fault.reason == "CLIP_UNREADABLE"
    assert film.fault.metadata["take_id"] == "take_1"


def test_what_may_pass_is_tried_again_with_growing_patience() -> None:
    waits = []
    for attempts in range(1, domain.MOST_ATTEMPTS):
        film = domain.tried(dataclasses.replace(RUNNING, attempts=attempts), "The disk is full.", NOW)
        assert (film.state, film.progress) == (domain.State.QUEUED, None)
        assert film.next_action_at
        waits.append((film.next_action_at - NOW).total_seconds())
    assert waits == [2, 4, 8, 16, 32]


def test_after_the_last_attempt_it_has_failed() -> None:
    worn = dataclasses.replace(RUNNING, attempts=domain.MOST_ATTEMPTS)
    film = domain.tried(worn, "The disk is full.", NOW)
    assert film.state is domain.State.FAILED
    assert film.fault == domain.Fault(
        "COMPILER_EXHAUSTED",
        "The film failed 6 times, at last with: The disk is full. Look at disk, memory and storage, then ask again.",
        {"attempts": "6", "cause": "The disk is full."},
    )


def test_a_film_that_is_put_off_has_lost_no_attempt() -> None:
    film = domain.put_off(RUNNING, 15, NOW)
    assert (film.state, film.attempts, film.next_action_at) == (domain.State.QUEUED, 0, NOW + timedelta(seconds=15))


def test_a_film_that_waits_for_its_pieces_runs_and_has_lost_no_attempt() -> None:
    film = domain.waiting(RUNNING, NOW)
    assert (film.state, film.attempts, film.progress) == (domain.State.RUNNING, 0, 0.5)
    assert film.next_action_at
    assert film.next_action_at > NOW


def test_a_film_whose_piece_was_lost_goes_on_at_once_but_not_for_ever() -> None:
    film = domain.again(RUNNING, LATER)
    assert (film.state, film.attempts, film.next_action_at) == (domain.State.RUNNING, 1, LATER)


def test_all_files_of_a_film_are_known() -> None:
    assert domain.files(RESULT) == [MEDIA, MEDIA, MEDIA]


def test_cancelling_twice_is_cancelling_once() -> None:
    film = domain.canceled(RUNNING, LATER)
    assert (film.state, film.ended_at) == (domain.State.CANCELED, LATER)
    assert domain.canceled(film, LATER + timedelta(minutes=1)) is film


def test_a_finished_film_cannot_be_cancelled() -> None:
    with pytest.raises(domain.FilmAlreadyFinished, match="film_1 is completed and can no longer change"):
        domain.canceled(domain.completed(RUNNING, RESULT, NOW), LATER)
