"""The storm of `make storm`, small: whoever dies, the budget holds and the books agree."""

from pathlib import Path

import pytest

from tests import homes
from tests.crash import budget_storm


async def test_not_a_micro_is_spent_beyond_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in budget_storm.SPED_UP.items():
        monkeypatch.setenv(name, value)
    with homes.folder("rushes-storm-") as folder:
        told = await budget_storm.storm(Path(folder) / "home", orders=300, fits=40, kills=3)
    assert (told.kills, told.bought, told.parked) == (3, 48, 252)
    assert told.looks > 10
