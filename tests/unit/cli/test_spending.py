"""The verbs about money without a house: what is refused before one is looked for, and how answers are told."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import rich.console
from google.protobuf import message

from rushes.provider_gateway.v1 import ledger_pb2, submission_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.type.v1 import money_pb2
from services.cli import __main__ as command
from services.cli import purse

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def invoke(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rushes", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return (int(ended.value.code or 0), *capfd.readouterr())

    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    return invoke


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["budget", "show", "--production", "prod_1", "--storyboard", "sb_1"], "stands around one thing"),
        (["budget", "delete", "--period", "week"], "write ever, day, month"),
        (["budget", "set", "lots"], "write an amount such as 5.00"),
        (["budget", "set", "NaN"], "write an amount such as 5.00"),
        (["budget", "set", "1e30"], "write an amount such as 5.00"),
        (["budget", "set", "5", "--production", ""], "The production has an empty name"),
        (["budget", "delete", "--credential", " "], "The credential has an empty name"),
        (["stop", "fire", "--endpoint", ""], "The endpoint has an empty name"),
        (["resume", ""], "The switch has an empty name"),
        (["stop", "fire", "--model", "x", "--everyone"], "Stop one thing at a time"),
    ],
)
def test_what_is_refused_before_any_house_is_looked_for(run: Run, tmp_path: Path, words: list[str], told: str) -> None:
    code, _, err = run(*words, "--home", str(tmp_path / "none"))
    assert (code, told in err) == (2, True)


@pytest.mark.parametrize("words", [["balance"], ["ledger"], ["budget", "list"], ["stop", "fire"], ["resume"]])
def test_no_house_is_started_for_a_look_at_its_money(run: Run, tmp_path: Path, words: list[str]) -> None:
    code, _, err = run(*words, "--home", str(tmp_path / "none"))
    assert (code, err) == (3, f"No house runs in {tmp_path}/none; `rushes up` starts it.\n")
    assert not (tmp_path / "none").exists()


def money(micros: int) -> money_pb2.Money:
    return money_pb2.Money(currency="USD", micros=micros)


def shown(answer: message.Message) -> str:
    paper = io.StringIO()
    purse.show(answer, False, rich.console.Console(file=paper, soft_wrap=True))
    return paper.getvalue()


ENTRY = ledger_pb2.LedgerEntry


@pytest.mark.parametrize(
    ("kind", "moved", "told"),
    [
        (ENTRY.KIND_RESERVE, {"available": -150, "reserved": 150}, "$1.50 set aside"),
        (ENTRY.KIND_COMMIT, {"available": 5, "reserved": -150, "spent": 145}, "$1.45 charged, $0.05 given back"),
        (ENTRY.KIND_COMMIT, {"reserved": -150, "spent": 150}, "$1.50 charged"),
        (
            ENTRY.KIND_COMMIT,
            {"available": -1, "reserved": -9, "spent": 10},
            "$0.10 charged, $0.01 more than was quoted",
        ),
        (ENTRY.KIND_RELEASE, {"available": 150, "reserved": -150}, "$1.50 given back"),
        (ENTRY.KIND_SUSPEND, {"reserved": -150, "suspense": 150}, "$1.50 held, the outcome is unknown"),
    ],
)
def test_a_line_of_the_ledger(kind: ENTRY.Kind.ValueType, moved: dict[str, int], told: str) -> None:
    accounts = {account: money(cents * 10_000) for account, cents in moved.items()}
    accounts = dict.fromkeys(("available", "reserved", "spent", "suspense"), money(0)) | accounts
    line = ENTRY(submission_id="sub_1", kind=kind, **accounts)
    assert shown(gateway_pb2.ListLedgerEntriesResponse(entries=[line])) == f"1970-01-01 00:00:00  sub_1  {told}\n"


def test_a_wall_that_was_lowered_below_what_is_behind_it_has_nothing_left() -> None:
    low = submission_pb2.Budget(
        limit=money(1_000_000),
        reserved=money(0),
        spent=money(2_000_000),
        suspense=money(0),
        scope=submission_pb2.Budget.SCOPE_PRODUCTION,
        scope_id="prod_1",
        period_id="2026-11",
    )
    assert shown(gateway_pb2.GetBudgetResponse(budget=low)) == (
        "production prod_1 for 2026-11: $0.00 left of $1.00 ($2.00 spent)\n"
    )


def test_a_balance_tells_what_is_out_of_the_ordinary() -> None:
    accounts = dict.fromkeys(("limit", "left", "reserved", "spent", "suspense"), money(0))
    plain = ledger_pb2.Balance(**accounts, unknown=money(0), over_quote=money(0))
    assert shown(gateway_pb2.ListBalancesResponse(balances=[plain])) == "$0.00 left of $0.00\n"
    strange = ledger_pb2.Balance(
        **accounts, unknown_submissions=2, unknown=money(300_000), parked_submissions=3, over_quote=money(20_000)
    )
    assert shown(gateway_pb2.ListBalancesResponse(balances=[strange])).endswith(
        "; 2 with an unknown outcome, at most $0.30; 3 waiting for money or a switch; $0.02 beyond what was quoted\n"
    )
