"""A board that is filmed again: only what changed is bought, and the plan has said so before."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import boards, oracle, reel, test_film


class Cutting:
    """One board in one house, filmed again and again."""

    def __init__(self, person: test_film.Person) -> None:
        self.person, self.board = person, boards.write(person.folder / "films", "Tide")
        self.bought = 0

    @property
    def film_path(self) -> Path:
        return self.person.folder / "films" / "Tide.mp4"

    def change(self, scene: int, **fields: Any) -> None:
        """Write other words into a scene of the file."""
        told = yaml.safe_load(self.board.read_text())
        told["scenes"][scene - 1] |= fields
        self.board.write_text(yaml.safe_dump(told))

    async def film(self, made: int) -> list[str]:
        """Film it; as many clips are bought, and no more. Returns what was said."""
        code, _, told = await self.person.run("film", str(self.board), "--keep")
        assert code == 0, told
        self.bought += made
        oracle.Books(self.person.home).check(self.bought)
        return told.splitlines()


def said(lines: list[str], number: int) -> str:
    """What the plan says of a scene: the first that is said of it."""
    return next(line for line in lines if line.startswith(f"scene {number} "))


@pytest.fixture
def cutting() -> Any:
    with test_film.person() as person:
        yield Cutting(person)


async def test_only_what_changed_is_bought_and_the_plan_says_so_before(cutting: Cutting) -> None:
    try:
        first = await cutting.film(made=boards.SCENES)
        assert "The most you can pay: 0.30 in play money (the sandbox charges nothing)" in first

        again = await cutting.film(made=0)
        assert "Nothing has to be bought: every scene has a take that fits." in again
        assert all("reuse, unchanged" in said(again, number) for number in (1, 2, 3))

        cutting.change(3, title="Nightfall", caption="At night")
        titled = await cutting.film(made=0)
        assert "scene 3 Nightfall: reuse, unchanged" in said(titled, 3)
        found = [chapter.title for chapter in reel.watch(cutting.film_path).chapters]
        assert found == ["Ebb", "Flood", "Nightfall"]

        cutting.change(3, subject="A candle in a dark kitchen")
        one = await cutting.film(made=1)
        assert "scene 3 Nightfall: make again, its words or its look changed; at most 0.10" in said(one, 3)
        assert all("reuse, unchanged" in said(one, number) for number in (1, 2))
        assert "The most you can pay: 0.10 in play money (the sandbox charges nothing)" in one

        cutting.change(1, subject="A rowing boat on dry sand")
        two = await cutting.film(made=2)
        assert "make again, its words or its look changed" in said(two, 1)
        assert "make again, it starts or ends on another picture" in said(two, 2)
        assert "reuse, unchanged" in said(two, 3)

        cutting.change(1, subject="A rowing boat on wet sand")
        back = await cutting.film(made=0)
        assert all("reuse, unchanged" in said(back, number) for number in (1, 2, 3)), "its old takes fit again"
    finally:
        await cutting.person.run("down")
