import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs import ids


@pytest.mark.parametrize("prefix", ["job", "sb", "ledger_entry"])
def test_a_new_id_is_valid_for_its_prefix_only(prefix: str) -> None:
    made = ids.new(prefix)
    assert len(made) == len(prefix) + 27
    assert ids.valid(made, prefix)
    assert not ids.valid(made, "film")


def test_ids_differ_and_sort_by_time() -> None:
    early = ids.new("job")
    now = time.time_ns()
    while time.time_ns() == now:
        pass
    late = [ids.new("job") for _ in range(1000)]
    assert len(set(late)) == 1000
    assert early < min(late)


def test_what_is_repeated_has_the_same_id() -> None:
    first, other = ids.of("scene", bytes(16)), ids.of("scene", b"\xff" * 16)
    assert first == ids.of("scene", bytes(32)) != other
    assert ids.valid(first, "scene")
    assert ids.valid(other, "scene")


@given(st.text(max_size=40))
def test_no_other_text_is_valid(text: str) -> None:
    assert not ids.valid(text, "job")
    assert not ids.valid(ids.new("job") + "\n" + text, "job")


def test_the_letters_people_confuse_are_not_used() -> None:
    assert not any(set(ids.new("x")[2:]) & set("ilou") for _ in range(200))
    assert not ids.valid("job_" + "8" + "0" * 25, "job")


def test_what_is_made_for_another_has_the_same_id_and_sorts_with_it() -> None:
    first, second = ids.new("job"), ids.new("job")
    assert first < second
    assert ids.nth("sub", first, 1) == ids.nth("sub", first, 1)
    made = [ids.nth("sub", first, 1), ids.nth("sub", first, 2), ids.nth("sub", second, 1)]
    assert made == sorted(set(made))
    assert all(ids.valid(one, "sub") for one in made)
    assert ids.nth("sub", "job_1", 1) != ids.nth("sub", "job_1", 1), "of what is no id of ours nothing follows"


def test_an_id_says_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    made = ids.made_at(ids.new("job"))
    assert made is not None
    assert before <= made.timestamp() * 1000 <= time.time_ns() // 1_000_000
    assert ids.made_at("job_1") is None
