from pathlib import Path

from services.cli import runs


def film(name: str) -> bytes:
    return name.encode()


def test_a_run_that_did_not_finish_is_resumed_with_the_same_ids(tmp_path: Path) -> None:
    with runs.claim(tmp_path, film("a")) as run:
        first = run.request_id("quote")
        assert not run.resumed
        assert run.request_id("production") != first
    with runs.claim(tmp_path, film("a")) as run:
        assert run.resumed
        assert run.request_id("quote") == first
        run.finish()
    with runs.claim(tmp_path, film("a")) as run:
        assert not run.resumed
        assert run.request_id("quote") != first


def test_a_run_that_came_to_nothing_is_renewed(tmp_path: Path) -> None:
    with runs.claim(tmp_path, film("a")) as run:
        first = run.request_id("quote")
    with runs.claim(tmp_path, film("a")) as run:
        run.renew()
        assert not run.resumed
        assert run.request_id("quote") != first
        second = run.request_id("quote")
    with runs.claim(tmp_path, film("a")) as run:
        assert run.request_id("quote") == second


def test_another_board_is_another_run(tmp_path: Path) -> None:
    with runs.claim(tmp_path, film("a")):
        pass
    with runs.claim(tmp_path, film("b")) as run:
        assert not run.resumed


def test_two_runs_of_one_board_at_once_are_two_films(tmp_path: Path) -> None:
    with runs.claim(tmp_path, film("a")) as one, runs.claim(tmp_path, film("a")) as two:
        assert not two.resumed
        assert one.request_id("quote") != two.request_id("quote")
        one.finish()
        two.finish()
    assert list((tmp_path / "runs").iterdir()) == []
