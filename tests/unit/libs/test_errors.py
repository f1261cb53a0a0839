import copy
import pickle

import pytest

from libs import errors


class SceneMissing(errors.NotFound):
    """There is no scene {scene_id}
    on this board.

    Raised by GetScene.
    """


class HTTPSceneTooLong(SceneMissing):
    """Shorten it."""


class Unexplained(errors.Conflict):
    pass


def test_a_subclass_is_a_reason_a_sentence_and_a_kind() -> None:
    error = SceneMissing(scene_id="scn_1", row=7)
    assert str(error) == "There is no scene scn_1 on this board."
    assert (error.reason, error.kind) == ("SCENE_MISSING", errors.NotFound)
    assert error.facts == {"scene_id": "scn_1", "row": "7"}


def test_a_subclass_of_a_subclass_keeps_the_kind() -> None:
    assert (HTTPSceneTooLong.reason, HTTPSceneTooLong.kind) == ("HTTPSCENE_TOO_LONG", errors.NotFound)


def test_a_forgotten_fact_or_sentence_hides_nothing() -> None:
    assert str(SceneMissing()) == "There is no scene ? on this board."
    assert str(Unexplained()) == "UNEXPLAINED"


@pytest.mark.parametrize(
    "kind",
    [
        errors.Invalid,
        errors.NotFound,
        errors.Conflict,
        errors.Stale,
        errors.Exhausted,
        errors.Unavailable,
        errors.Unauthenticated,
        errors.Denied,
    ],
)
def test_each_kind_is_its_own_kind(kind: type[errors.Error]) -> None:
    assert kind.kind is kind
    assert str(kind()).endswith(".")


def test_invalid_tells_every_violation() -> None:
    error = errors.Invalid(
        [
            errors.Violation("title", "should not be empty"),
            errors.Violation("scenes[0].seconds", "should be 1 to 12"),
        ]
    )
    assert str(error).endswith("title: should not be empty. scenes[0].seconds: should be 1 to 12.")
    assert [violation.field for violation in error.violations] == ["title", "scenes[0].seconds"]


@pytest.mark.parametrize(
    "error",
    [
        SceneMissing(scene_id="scn_1"),
        errors.Exhausted(retry_after_s=2.5, limit="jobs"),
        errors.Invalid([errors.Violation("title", "should not be empty")]),
    ],
)
def test_an_error_crosses_processes_whole(error: errors.Error) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
