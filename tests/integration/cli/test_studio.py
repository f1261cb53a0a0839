"""The way into the studio, as the command prints it."""

import re
from collections.abc import Callable

import httpx

Run = Callable[..., tuple[int, str, str]]


def test_the_command_prints_an_address_that_lets_one_browser_in(run: Run) -> None:
    code, said, _ = run("studio")
    found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/signin#([\w-]{22})\n", said)
    assert code == 0
    assert found is not None
    with httpx.Client(base_url=found[1], headers={"origin": found[1]}) as browser:
        assert browser.post("/signin", data={"token": found[2]}).headers["location"] == "/"
        told = browser.get("/v1/session").json()
        assert (told["tenant_id"], told["subject"], told["roles"]) == (
            "local",
            "local",
            ["ROLE_OPERATOR", "ROLE_OWNER"],
        )
        assert browser.post("/signin", data={"token": found[2]}).status_code == 303, "it is in already"
        browser.cookies.clear()
        assert browser.post("/signin", data={"token": found[2]}).status_code == 401
