"""How long it takes: a range of what was measured, and nothing before there is enough of that."""

from datetime import timedelta

from services.job import domain, estimate, planning
from tests.unit.job import test_lifecycle, test_planning

NOW = test_planning.NOW
MEASURED = {"a": [10.0, 20.0, 30.0, 40.0, 50.0], "b": [float(second) for second in range(100)]}


def left(*lines: list[estimate.Step], measured: dict[str, list[float]] | None = None) -> estimate.Left | None:
    return estimate.left(lines, measured or MEASURED, NOW)


def test_nothing_is_said_before_there_are_samples() -> None:
    assert left([estimate.Step("a")], measured={"a": [1.0] * 2}) is None
    assert left([estimate.Step("a")], measured={"b": [1.0] * 9}) is None
    assert left() is None
    assert left([estimate.Step("a")], [estimate.Step("never")]) is None


def test_lines_are_made_at_once_and_their_steps_after_each_other() -> None:
    assert left([estimate.Step("a")]) == estimate.Left(10.0, 50.0, 5)
    assert left([estimate.Step("b")]) == estimate.Left(10.0, 90.0, 100)
    both = [estimate.Step("a"), estimate.Step("a")]
    assert left(both, [estimate.Step("b")]) == estimate.Left(20.0, 100.0, 5)


def test_what_has_passed_is_not_left_and_nothing_is_less_than_nothing() -> None:
    assert left([estimate.Step("a", NOW - timedelta(seconds=15))]) == estimate.Left(0.0, 35.0, 5)
    assert left([estimate.Step("a", NOW - timedelta(hours=1))]) == estimate.Left(0.0, 0.0, 5)


def test_the_lines_of_a_plan_are_those_of_its_jobs() -> None:
    scenes = [
        test_planning.scene(1),
        test_planning.scene(2, domain.Seam.LAST_FRAME),
        test_planning.scene(3),
    ]
    planned = planning.decide(scenes, {}, (), planning.Options())
    of_plan = estimate.lines_planned(planned)
    assert [len(line) for line in of_plan] == [2, 1]
    jobs = test_lifecycle.planned(False, True, False)
    assert [len(line) for line in estimate.lines_of(jobs)] == [2, 1]
