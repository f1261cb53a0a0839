"""The verbs about money against a house: a wall is moved, buying is stopped and goes on."""

import json
from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]


def test_a_budget_is_put_up_moved_and_taken_down(run: Run) -> None:
    where = ("--production", "prod_1", "--period", "month", "--play")
    assert run("budget", "show", *where)[0] == 3
    assert "5.00 in play money" in run("budget", "set", "5", *where)[1]
    code, told, _ = run("budget", "set", "7.5", *where, "--json")
    budget = json.loads(told)["budget"]
    assert (code, budget["limit"]) == (0, {"currency": "XTS", "micros": "7500000"})
    assert budget in json.loads(run("budget", "list", "--json")[1])["budgets"]
    assert "prod_1" in run("budget", "list")[1]
    assert run("budget", "delete", *where)[:2] == (0, "The budget is gone.\n")
    assert run("budget", "delete", *where)[0] == 3
    code, _, told = run("budget", "delete")
    assert (code, "its limit can be 0" in told) == (2, True)


def test_buying_is_stopped_and_goes_on(run: Run) -> None:
    assert run("resume")[1] == "Nothing is stopped.\n"
    code, told, _ = run("stop", "A key leaked", "--model", "sandbox/reel-1", "--json")
    first = json.loads(told)["spend_switch"]
    assert (code, first["reason"], first["target"]) == (0, "A key leaked", "sandbox/reel-1")
    assert "Stopped: buying sandbox/reel-1 (A key leaked)." in run("balance")[1]
    assert "Stopped: all buying (Fire)." in run("stop", "Fire")[1]
    code, _, told = run("resume")
    assert (code, "name the one to release" in told, first["id"] in told) == (2, True, True)
    assert run("resume", first["id"])[1] == f"Buying goes on; {first['id']} is released.\n"
    assert run("resume")[0] == 0
    assert "Stopped" not in run("balance")[1]


def test_the_balance_and_the_ledger(run: Run) -> None:
    balances = json.loads(run("balance", "--json")[1])["balances"]
    assert {one["currency"] for one in balances} == {"USD", "XTS"}
    assert run("ledger", "--submission", "sub_none", "--json")[:2] == (0, "{}\n")


def test_the_person_of_the_house_may_stop_everyone(run: Run) -> None:
    assert run("stop", "Fire", "--everyone")[0] == 0
    assert "Stopped" in run("balance")[1]
    assert run("resume")[0] == 0
