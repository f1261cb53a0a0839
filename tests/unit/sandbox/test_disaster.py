import re
from pathlib import Path

import pytest

from services.sandbox import disaster

Mode = disaster.Mode
DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


def test_a_key_and_a_prompt_each_ask_for_disasters_and_the_prompt_decides() -> None:
    plan = disaster.read("my-key+drop_reply+slow(3)", "A boat. [[Slow( 1.5 )]] At dawn. [[list_lag]]")
    assert dict(plan.modes) == {Mode.DROP_REPLY: "", Mode.SLOW: "1.5", Mode.LIST_LAG: ""}
    assert (plan.number(Mode.SLOW), plan.number(Mode.LIST_LAG)) == (1.5, 30)
    assert Mode.BUSY not in plan


def test_without_either_there_is_no_plan() -> None:
    assert not disaster.read("key", "A boat [at dawn].")


def test_a_plan_outlives_the_key_as_text() -> None:
    plan = disaster.read("k+throttled(date,3)+price(-0.5)", "[[gone(410)]]")
    assert disaster.parse(str(plan)) == plan
    assert plan.throttle() == ("date", 3)
    assert plan.number(Mode.PRICE) == -0.5


def test_the_prompt_is_painted_without_its_disasters() -> None:
    assert disaster.clean("A boat [[slow(3)]] at dawn. [[fails]]") == "A boat at dawn."


WRONG = """
    explode slow(x) slow(-1) slow(nan) slow(inf) fails(2) gone(500) throttled(soon) busy(0) slow(1 price(1e9) price(+2)
"""


@pytest.mark.parametrize("wrong", WRONG.split())
def test_what_is_not_known_is_refused_with_what_is(wrong: str) -> None:
    for key, prompt in ((f"key+{wrong}", ""), ("key", f"A boat. [[{wrong}]]")):
        with pytest.raises(disaster.Unknown, match="drop_reply, late_create"):
            disaster.read(key, prompt)


def test_every_disaster_has_a_row_in_the_manual() -> None:
    table = DOCS.read_text().partition("## The ledger")[0]
    assert set(re.findall(r"^\| `(\w+)", table, re.MULTILINE)) == set(Mode)
