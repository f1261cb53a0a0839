"""The verbs about people, against a house."""

import json
import re
from collections.abc import Callable

import httpx

Run = Callable[..., tuple[int, str, str]]


def test_somebody_is_invited_given_a_role_and_removed(run: Run) -> None:
    code, said, _ = run("people", "invite", "Bea", "--role", "editor")
    found = re.search(r"(http://127\.0\.0\.1:\d+)/signin#([\w-]{22})", said)
    assert code == 0
    assert found is not None
    assert "Bea; editor; by local" in run("people", "invitations")[1]
    with httpx.Client(base_url=found[1], headers={"origin": found[1]}) as browser:
        browser.post("/signin", data={"token": found[2]})
        bea = browser.get("/v1/session").json()["subject"]
        assert f"{bea} Bea; editor; invited by local" in run("people", "list")[1]
        assert f"{bea} Bea; owner" in run("people", "role", bea, "owner")[1]
        assert run("people", "role", bea, "king")[0] == 2
        assert "Bea; owner" in run("people", "invite", "--person", bea)[1]
        assert "removed" in run("people", "remove", bea)[1]
        assert bea not in run("people", "list")[1]
    told = json.loads(run("people", "list", "--removed", "--json")[1])["people"]
    assert [it["name"] for it in told if "remove_time" in it] == ["Bea"]
    assert "removed" not in run("people", "restore", bea)[1]
    assert run("people", "remove", bea)[0] == 0
    (local,) = [it["id"] for it in told if it["subject"] == "local"]
    assert run("people", "remove", local)[0] == 5, "the last owner stays"
    invitation = run("people", "invite", "Cem")[1].split()[0]
    assert run("people", "revoke", invitation)[0] == 0
    assert run("people", "invitations")[1] == ""
