import dataclasses
import io
import sys
from pathlib import Path

import pytest

from rushes.job.v1 import job_pb2
from rushes.type.v1 import money_pb2
from services.cli import board, board_file, exits, film

BOARD = board.Board(name="x", scenes=[board.Scene(subject="a", duration=4, seam="cut")])
FILE = board_file.BoardFile(Path("x.yaml"), b"", BOARD, {})
WANTED = film.Wanted(FILE, Path("x.mp4"), Path("home"), yes=False, max_cost_micros=None, keep=False, as_json=False)
PLAN = job_pb2.Plan(
    scenes=[job_pb2.ScenePlan(model="google/veo", action=job_pb2.ScenePlan.ACTION_MAKE)],
    clips=1,
    most_you_can_pay=money_pb2.Money(currency="USD", micros=2_500_000),
    warnings=["It retires soon."],
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def agree(stdin: io.StringIO, monkeypatch: pytest.MonkeyPatch, yes: bool, max_cost_micros: int | None) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(sys, "stdin", stdin)
    film.agree(dataclasses.replace(WANTED, yes=yes, max_cost_micros=max_cost_micros), PLAN, said.append)
    return said


@pytest.mark.parametrize(("yes", "max_cost"), [(False, None), (True, None), (False, 9_000_000), (True, 1_000_000)])
def test_a_script_needs_yes_and_a_limit(monkeypatch: pytest.MonkeyPatch, yes: bool, max_cost: int | None) -> None:
    with pytest.raises(exits.Ended) as caught:
        agree(io.StringIO(), monkeypatch, yes, max_cost)
    assert caught.value.code == exits.Code.MONEY


def test_a_script_with_both_is_told_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    assert agree(io.StringIO(), monkeypatch, yes=True, max_cost_micros=2_500_000) == [
        "x · 1 scene · 4 s · google/veo",
        "The most you can pay: $2.50",
        "Note: It retires soon.",
    ]


def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    agree(Terminal("y\n"), monkeypatch, yes=False, max_cost_micros=None)
    assert capsys.readouterr().err == "Film it for up to $2.50? [y/N]\n"
    with pytest.raises(exits.Ended, match="Nothing was spent"):
        agree(Terminal("\n"), monkeypatch, yes=False, max_cost_micros=None)
    assert len(agree(Terminal(), monkeypatch, yes=True, max_cost_micros=None)) == 3
